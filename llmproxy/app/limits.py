"""Limits of usage put together: the store that counts, and what is said of budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..core.limits.places import Places
from ..core.limits.refusals import amount
from ..core.limits.reservation import Learnt
from ..core.limits.values import UsageLimitSettings
from ..limits.atonce import AtOnce
from ..limits.memory import MemoryLimits
from ..limits.restored import Counts, NewCounts, Past, RestoredLimits
from ..management.limits import Left
from ..middleware.limitheld import Settling
from ..middleware.limits import Limiting
from ..middleware.overload import Overloading
from ..middleware.strangers import Strangers
from ..net.ratelimitedlog import RateLimitedLog
from .gauges import DECIDED_ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from ..core.limits.verdicts import Left as Used
    from ..core.redisoptions import RedisOptions
    from ..interfaces import ILimitStore
    from ..limits.leased import LeasedBudgets
    from ..middleware.checking.inspection import Inspection
    from ..net.poller import Poller
    from ..net.resolver import Names
    from ..net.timers import TimerWheel
    from ..sinks.metrics import ProxyMetrics
    from ..usagelimits import Overload
    from .costs import Costs
    from .leasedbudgets import NewBudgets
    from .redislimits import RedisLimiting


class UsageLimiting:
    """
    @param counts: makes what counts here, given the time and what is called with shares that were passed.
    @param spent: what was spent of a budget in its window before, see L{RestoredLimits}.
    @param redis: where machines count together; C{None} counts here. Its connections are C{poller}'s.
    @param used: what was used of a rate before, likewise.
    @param budgets: makes what leases money where machines share a database; C{None} counts it here too.

    Implements L{llmproxy.management.limits.KnowsLimits} too.

    @ivar settings: those of the configuration that is served now.
    @ivar store: what is used.
    @ivar redis: what there is to see of it where it is in Redis.
    @raise ConfigError: the authorities for Redis cannot be read.
    @ivar places: of exchanges, where their number is limited.
    @ivar listeners: called with every share of a budget that was passed; they must not block.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        costs: Costs,
        inspection: Inspection,
        spent: Callable[[Rule], Deferred[int]],
        redis: RedisOptions | None = None,
        poller: Poller | None = None,
        names: Names | None = None,
        counts: NewCounts = MemoryLimits,
        budgets: NewBudgets | None = None,
        used: Callable[[Rule], Deferred[Past]] | None = None,
    ) -> None:
        self._reactor = reactor
        self._inspection = inspection
        self._complaints = RateLimitedLog(reactor, self._log, "limits")
        self.settings = UsageLimitSettings()
        self.places = Places(0, 0)
        self.listeners: list[Callable[[Crossed], object]] = []
        self.redis: RedisLimiting | None = None
        self._warned: dict[tuple[str, str], int] = {}
        self._here: Counts | None = None
        self._budgets: LeasedBudgets | None = None
        at_once = None
        if redis is None:
            here = self._here = counts(reactor.seconds, self._crossed)
            restored = RestoredLimits(here, reactor.seconds, spent, used)
            self.store: ILimitStore = restored
            if budgets is not None:
                from ..limits.split import SplitLimits

                self._budgets = budgets(spent, self._crossed)
                self.store = SplitLimits(self.store, self._budgets)
            if isinstance(here, MemoryLimits):
                at_once = AtOnce(restored, here.counters, reactor.seconds, self._crossed, self._budgets)
        else:
            from .redislimits import RedisLimiting

            self.redis = RedisLimiting(reactor, redis, poller, names, spent, self._crossed, counts)
            self.store = self.redis.store
        self._settling = Settling(self.store, costs, Learnt(), at_once)

    def middleware(self, settings: UsageLimitSettings) -> Limiting:
        """What holds in the chain of a configuration, which is served from now on."""
        self.settings = settings
        return Limiting(settings, self._settling, self._inspection, self._reactor.seconds, self._unpriced)

    def start(self) -> None:
        """Connect, where there is something to connect to."""
        if self.redis is not None:
            self.redis.store.start()

    def count(self) -> None:
        """The database is open."""
        if self._budgets is not None:
            self._budgets.start()

    def stop(self) -> Deferred[None]:
        """Pass on what has ended, and hand back what is leased."""
        if self._budgets is not None:
            return self._budgets.stop()
        return succeed(None) if self.redis is None else self.redis.store.stop()

    def warnings(self) -> list[str]:
        """What an operator should know, and what is no reason to stay away."""
        return [] if self.redis is None else self.redis.warnings()

    def show(self, metrics: ProxyMetrics) -> None:
        """Have warnings counted there, and the figures of the store shown."""
        self._warned = metrics.warnings
        if self.redis is not None:
            self.redis.show(metrics)
        elif self._here is not None:
            here, budgets = self._here, self._budgets
            failures = lambda: here.failures + (0 if budgets is None else budgets.failures)  # noqa: E731
            metrics.counter("llmproxy_limits_decided_alone", DECIDED_ALONE, failures)

    def strangers(self, settings: UsageLimitSettings) -> Strangers | None:
        """What counts requests without a good token, where rules limit those."""
        if not any(rule.unauthenticated for rule in settings.rules):
            return None
        return Strangers(settings, self.store, self._reactor.seconds)

    def overload(self, settings: Overload | None, wheel: TimerWheel) -> Overloading | None:
        """How many exchanges a configuration has at once; those of the former one count too."""
        return None if settings is None else Overloading(settings, self.places, wheel)

    def left(self, rules: Sequence[Rule]) -> Deferred[Sequence[Left]]:
        return self.store.left(rules).addCallback(self._as_shown)

    def _as_shown(self, used: Sequence[Used]) -> Sequence[Left]:
        now = self._reactor.seconds()
        return [Left(each.rule, each.left, None if each.resets_in is None else now + each.resets_in) for each in used]

    def _crossed(self, crossed: Crossed) -> None:
        rule = crossed.rule
        share = f"{crossed.share} %" if crossed.share else "its soft_budget"
        self._log.warn(
            "limits: {share} of {source} is used: {used} of {limit} (window {window})",
            share=share,
            source=rule.source,
            used=amount(rule.kind, crossed.used),
            limit=amount(rule.kind, rule.limit),
            window=rule.window,
        )
        labels = (str(crossed.share) if crossed.share else "soft", rule.per)
        self._warned[labels] = self._warned.get(labels, 0) + 1
        for listener in self.listeners:
            try:
                listener(crossed)
            except Exception:
                self._log.failure("limits: {listener} could not take a warning", listener=listener)

    def _unpriced(self, api: str, model: str) -> None:
        what = f"the model {model!r}" if model else "requests that name no model"
        words = "counts 0 against budgets: no price is known (prices of the configuration can state one)"
        self._complaints.say(f"price of {api}", f"{what} of {api} {words}")
