"""
Limits that all machines share, in Redis: one round trip before an answer, whatever the number of limits.

Each machine counts for itself too. So a request that is beyond a limit by what this machine has seen alone is refused
without asking; and while Redis is away, that count is what C{on_store_failure: local} goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import Deferred, DeferredList, FirstError, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.limits.otherclock import OtherClock
from ..core.limits.verdicts import Left, Refusal, Reservation
from ..errors import Unavailable
from ..interfaces import ILimitStore
from ..net.clockedcall import ClockedCall
from ..redis.calls import RedisCalls
from ..redis.connection import RedisDown
from . import scripts
from .memory import MemoryLimits
from .names import Names, bounds
from .settlements import MOST_AT_ONCE, SOON, Ended, Settlements

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed, Part
    from ..redis.pool import RedisPool
    from .restored import NewCounts

LEASE = 15.0
"""Seconds without a sign of life after which a process does not hold anything any more."""

SHORT = 1.0
"""Seconds after which it is worth to try again, where Redis has to be asked and cannot be."""

MINUTE = 60
"""Seconds after which nothing counts of a rate."""


@define(slots=True, eq=False)
class _Held:
    """
    What a request holds in Redis.

    @ivar second: when it was taken, by the clock of Redis; C{""} while that is not known.
    @ivar sent: Redis may know of it.
    @ivar runs: it was admitted, by whichever of them.
    """

    parts: tuple[Part, ...]
    second: str = ""
    sent: bool = False
    runs: bool = False


@implementer(ILimitStore)
class RedisLimits:
    """
    @param clock: its C{seconds} are since the epoch.
    @param prefix: what all keys begin with.
    @param spent: what was spent of a budget in its window before anybody counted here, as a ledger says; fails where
        that cannot be known now.
    @param warn: called for every share of a budget that is passed.
    @param counts: makes what the processes of this machine count in.
    @ivar lease: see L{LEASE}.
    @ivar failures: requests that were decided without Redis.
    """

    lease = LEASE

    def __init__(
        self,
        clock: Any,
        pool: RedisPool,
        prefix: bytes,
        spent: Callable[[Rule], Deferred[int]],
        warn: Callable[[Crossed], object] = lambda _: None,
        counts: NewCounts = MemoryLimits,
    ) -> None:
        process = token_hex(10)
        self._clock = clock
        self._pool = pool
        self._calls = RedisCalls(pool)
        self._names = Names(prefix)
        self._spent = spent
        self._warn = warn
        self._settlements = Settlements(clock, pool, self._calls, self._names, process, warn)
        self._counts = counts(clock.seconds, self._crossed_here)
        self._counts.decides = False
        self._theirs = OtherClock()
        self._soon: Any = None
        self._running: dict[str, _Held] = {}
        self._beginning: dict[str, list[Deferred[None]]] = {}
        self._renewing = ClockedCall(clock, self._renew)
        self._numbers = 0
        self._process = process
        self.failures = 0
        pool.when_connected(self._back)

    def start(self) -> None:
        """Connect. Until that has been done, C{on_store_failure} holds."""
        self._pool.start()
        self._renewing.start(LEASE / 3, now=False)

    def stop(self) -> Deferred[None]:
        """What has ended is passed on to Redis, if it takes it in time."""
        if self._renewing.running:
            self._renewing.stop()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        sent = self._pool.in_time(self._settlements.finish(), None)
        return sent.addCallback(lambda _: self._pool.stop())

    # -- ILimitStore

    def reserve(self, parts: Sequence[Part]) -> Reservation | Refusal | Deferred[Reservation | Refusal]:
        now = self._clock.seconds()
        available = self._pool.available
        asked = None
        if not available:
            asked = [part for part in parts if part.rule.on_store_failure != "open"]
            self._learn([part.rule for part in asked if part.rule.kind == "money"])
        local = self._counts.reserve(parts, self._new_id(), asked)
        if isinstance(local, Refusal) or not parts:
            return local
        held = self._running[local.id] = _Held(local.parts, sent=available)
        if not available:
            return self._alone(local, held)
        return self._asked(local, held, now)

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        now = self._clock.seconds()
        self._counts.settle(held, used)
        shared = self._running.pop(held.id, None)
        if shared is not None:
            self._settlements.add(_ended(held, used, shared, now))

    def give_back(self, held: Reservation) -> None:
        self.settle(held, [0] * len(held.parts))

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        if not rules:
            return succeed([])
        now = self._clock.seconds()
        arguments = [each for rule in rules for each in (rule.kind.encode(), *bounds(rule, now))]
        asking = _all(self._known(rule, now) for rule in rules if rule.kind == "money")
        asking.addCallback(lambda _: self._calls.run(scripts.LEFT, self._names.of(rules), *arguments))
        asking.addCallback(lambda found: [_left(rule, *two) for rule, two in zip(rules, _pairs(found), strict=True)])
        limited = self._pool.in_time(asking.addErrback(self._calls.failed, None), None)
        return limited.addCallback(_or_unavailable)

    @property
    def running(self) -> int:
        """Requests that hold something."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Parts that have ended and that Redis does not have yet."""
        return len(self._settlements)

    def statistics(self) -> dict[str, float]:
        """Figures by name, for metrics."""
        pool = self._pool
        return {
            "running": self.running,
            "decided_alone": self.failures,
            "settlements_waiting": self.waiting,
            "settlements_dropped": self._settlements.dropped,
            "redis_calls": pool.calls,
            "redis_seconds": pool.seconds,
            "redis_connections": pool.connected,
            **{f"redis_{kind}": count for kind, count in pool.errors.items()},
        }

    def _crossed_here(self, crossing: Crossed) -> None:
        # What all processes have used Redis says; what this machine has, where that cannot be asked.
        if not self._pool.available:
            self._warn(crossing)

    # -- reservations

    def _asked(
        self, local: Reservation, held: _Held, now: float, again: bool = True
    ) -> Deferred[Reservation | Refusal]:
        asking = self._ask(local.id, held, now).addErrback(self._calls.failed, None)
        return self._pool.in_time(asking, None).addCallback(self._decided, local, held, now, again)

    def _ask(self, id: str, held: _Held, now: float) -> Deferred[Any]:
        asked_at = self._clock.seconds()
        until = self._theirs.at(asked_at + self._pool.waits)
        arguments: list[bytes] = [id.encode(), b"%d" % (self.lease * 1000), b"" if until is None else b"%d" % until]
        for part in held.parts:
            rule = part.rule
            arguments += (rule.kind.encode(), b"%d" % rule.limit, b"%d" % part.amount, *bounds(rule, now))
            arguments.append(b"1" if _may_refuse(part) else b"0")
        asking = self._calls.run(scripts.RESERVE, self._names.of(part.rule for part in held.parts), *arguments)
        return asking.addCallback(self._answered, id, held, asked_at)

    def _answered(self, reply: Any, id: str, held: _Held, asked_at: float) -> Any:
        if reply[0] in (b"ok", b"late"):
            self._theirs.heard(asked_at, reply[-1])
        if reply[0] == b"late" and held.runs and self._soon is None:
            # It was admitted without Redis, which does not know of it.
            self._soon = self._clock.callLater(SOON, self._renew_late)
        if reply[0] == b"ok":
            held.second = str(reply[1])
            if id not in self._running:
                self._took_in_vain(id, held)
        return reply

    def _decided(self, reply: Any, local: Reservation, held: _Held, now: float, again: bool) -> Any:
        if reply is not None and reply[0] == b"unknown" and again:
            # Redis answers; for the ledger is waited as long as it takes, so that a budget is not spent twice.
            beginning = _all(self._begin(held.parts[number - 1].rule, now) for number in reply[1:])
            beginning.addErrback(self._calls.failed, None)
            return beginning.addCallback(lambda _: self._asked(local, held, now, again=False))
        if reply is None or reply[0] in (b"unknown", b"late"):
            return self._alone(local, held)
        if reply[0] == b"ok":
            held.runs = True
            return local
        self._running.pop(local.id, None)
        self._counts.give_back(local)
        found = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
        parts = local.parts
        refusals = [Refusal(parts[n - 1].rule, int(left), None if ms < 0 else ms / 1000) for n, left, ms in found]
        return max(refusals, key=lambda each: float("inf") if each.resets_in is None else each.resets_in)

    def _alone(self, local: Reservation, held: _Held) -> Reservation | Refusal:
        """Redis has not said anything in time."""
        self.failures += 1
        for part in local.parts:
            if part.rule.on_store_failure == "closed" and _may_refuse(part):
                self.give_back(local)
                return Refusal(part.rule, 0, SHORT, unavailable=True)
        held.runs = True
        return local

    def _learn(self, rules: Sequence[Rule]) -> None:
        """Budgets that this process has never counted go on by the ledger too, from when that has answered."""
        for rule in rules:
            if not self._counts.has_begun(rule):
                self._spent(rule).addCallbacks(self._learnt, lambda _: None, (rule,))

    def _learnt(self, amount: int, rule: Rule) -> None:
        self._counts.begin(rule, amount)

    def _took_in_vain(self, id: str, held: _Held) -> None:
        """It was taken when the request had been refused, or had ended already, and been settled: that once more."""
        self._settlements.add(Ended(part.rule, id, part.amount, 0, held.second) for part in held.parts)

    # -- budgets that nobody has begun

    def _known(self, rule: Rule, now: float) -> Deferred[Any]:
        asking = self._calls.run(scripts.LEFT, self._names.of([rule]), b"money", *bounds(rule, now))
        return asking.addCallback(lambda found: self._begin(rule, now) if found[0] == b"0" else None)

    def _begin(self, rule: Rule, now: float) -> Deferred[Any]:
        """Ask the ledger once for all that wait for the same budget."""
        begun: Deferred[Any] = Deferred()
        waiting = self._beginning.setdefault(rule.key, [])
        waiting.append(begun)
        if len(waiting) == 1:
            finding = self._spent(rule).addErrback(_not_known)
            finding.addCallback(self._write, rule, now)
            finding.addBoth(self._begun, rule.key)
        return begun

    def _write(self, amount: int, rule: Rule, now: float) -> Deferred[Any]:
        return self._calls.run(scripts.BEGIN, self._names.of([rule]), *bounds(rule, now), b"%d" % amount)

    def _begun(self, result: Any, key: str) -> None:
        for each in self._beginning.pop(key):
            each.callback(result)
        if result == 1 and self._running:
            # Redis knows nothing of what runs either.
            self._renew()

    # -- signs of life

    def _back(self) -> None:
        """Redis can be asked, again: it may have been emptied, or have taken us for dead."""
        self._renew()
        self._settlements.soon()

    def _renew_late(self) -> None:
        self._soon = None
        self._renew()

    def _renew(self) -> None:
        if not self._pool.available:
            return
        living: list[tuple[str, Part]] = []
        for id, held in self._running.items():
            if held.runs:
                held.sent = True
                living += [(id, part) for part in held.parts if part.rule.kind in ("money", "parallel")]
        for start in range(0, len(living), MOST_AT_ONCE):
            self._renew_some(living[start : start + MOST_AT_ONCE])

    def _renew_some(self, living: list[tuple[str, Part]]) -> None:
        arguments = [b"%d" % (self.lease * 1000)]
        for id, part in living:
            arguments += (id.encode(), part.rule.kind.encode(), b"%d" % part.amount)
        renewing = self._calls.run(scripts.RENEW, self._names.of(part.rule for _, part in living), *arguments)
        renewing.addCallback(self._renewed, living).addErrback(self._calls.failed, None)

    def _renewed(self, _: object, living: list[tuple[str, Part]]) -> None:
        """What ended meanwhile may have been settled first, and taken anew then."""
        self._settlements.add(Ended(part.rule, id, part.amount, 0) for id, part in living if id not in self._running)

    def _new_id(self) -> str:
        self._numbers += 1
        return f"{self._process}{self._numbers:012x}"


def _may_refuse(part: Part) -> bool:
    """Not where nothing is asked for, nor for a budget that only warns."""
    return part.amount > 0 and (part.rule.kind != "money" or part.rule.over_budget != "warn")


def _ended(held: Reservation, used: Sequence[int | None], shared: _Held, now: float) -> Iterator[Ended]:
    """What Redis has to know of a request that has ended."""
    second = shared.second
    for part, one in zip(held.parts, used, strict=True):
        amount = part.amount if one is None else one
        if part.rule.kind in ("parallel", "money"):
            if shared.sent or (amount and part.rule.kind == "money"):
                yield Ended(part.rule, held.id, part.amount, amount)
        elif not second and amount and now - held.at < MINUTE:
            yield Ended(part.rule, held.id, 0, amount, str(int(held.at)))
        elif second and amount != part.amount:
            yield Ended(part.rule, held.id, part.amount, amount, second)


def _all(work: Iterable[Deferred[Any]]) -> Deferred[Any]:
    """Fires when all of it is done, or with the first fault."""
    done: Deferred[Any] = DeferredList(list(work), fireOnOneErrback=True, consumeErrors=True)
    return done.addErrback(_first)


def _first(reason: Failure) -> Any:
    reason.trap(FirstError)
    return reason.value.subFailure  # type: ignore[union-attr]


def _not_known(reason: Failure) -> Failure:
    """Who keeps the ledger says why; here it is as if Redis did not answer."""
    return Failure(RedisDown(f"what was spent is not known: {reason.getErrorMessage()[:200]}"))


def _pairs(found: Sequence[Any]) -> Iterable[tuple[int, int]]:
    return ((int(used), wait) for used, wait in zip(found[::2], found[1::2], strict=True))


def _left(rule: Rule, used: int, wait: int) -> Left:
    return Left(rule, used, max(0, rule.limit - used), None if wait < 0 else wait / 1000)


def _or_unavailable(found: Any) -> Any:
    if found is None:
        return fail(Unavailable("what is left of limits cannot be asked: Redis does not answer"))
    return found
