"""The foundation of a proxy: all that outlives a configuration, and that every generation stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from ..cache.backends import choose_store
from ..core.masking import Masking
from ..core.tokens import is_well_formed, may_be_token
from ..errors import ConfigError
from ..management.state import State
from ..middleware.authenticate import Authenticate
from ..middleware.caching.cache import Cache
from ..middleware.caching.state import HELD
from ..middleware.checking.inspection import Inspection
from ..middleware.recordexchanges import RecordExchanges
from ..net.clocksteps import ClockSteps
from ..net.poller import Poller
from ..net.resolver import Names
from ..net.timers import TimerWheel
from ..providers.registry import Binding
from .auditlog import Auditing
from .budgetspent import BudgetsSpent
from .leasedbudgets import budgets_of
from .ledger import ledger_of, start_ledger
from .limits import UsageLimiting
from .managed import Counts
from .metering import Metering
from .stored import Stored
from .validated import ValidatingDirectory, ValidatingQuota

if TYPE_CHECKING:
    from ..apisettings import CacheSettings, ConnectionSettings
    from ..composition import Middleware
    from ..core.routing import RoutingTable
    from ..interfaces import IAuditLogger, IQuota
    from ..message import Api
    from .capturing import Capturing
    from .events import Events
    from .identity import Identity
    from .ownparts import OwnParts
    from .peers import Peers
    from .settings import Settings


@frozen(eq=False)
class Admission:
    """
    Who may ask for something, and how often, in every generation: running exchanges learn when their token is
    revoked, whichever they began with.
    """

    authenticate: Authenticate
    quota: IQuota


class Foundation:
    """
    @param table: of the first configuration.
    @ivar stored: the database; C{None} if there is none.
    @ivar limiting: what tokens and projects may use, and what they have used.
    @ivar management: what its rules work on: peers learn of changes, counts are written down by all; C{None} without a
        database.
    @ivar background: makes records of what the cache asks upstream where no client waits.
    @ivar events: where events go; C{None} without a sink.
    @ivar capturing: C{None} if nothing was captured until now.
    @ivar cache: C{None} if nothing was cached until now.
    @ivar identity: people who sign in by an identity provider; C{None} where nobody does.
    @ivar auditing: the audit log; C{None} if there is none, or an application's own.
    @ivar forgetting: called when a token, a project or an upstream key is revoked or another one, and for each new
        configuration: what is remembered of requests is forgotten then.
    @raise ConfigError: the database or the audit log cannot be used as they are configured.
    """

    def __init__(self, reactor: Any, settings: Settings, own: OwnParts, peers: Peers, table: RoutingTable) -> None:
        self.reactor = reactor
        self.settings = settings
        self.own = own
        self.peers = peers
        self.clock_steps = ClockSteps(reactor)
        self.forgetting: list[Callable[[], object]] = []
        self.wheel = TimerWheel(reactor, settings.resolution)
        self.poller = Poller(reactor)
        self.names = Names(reactor)
        limits = settings.apis.limits
        self.inspection = Inspection(reactor, self.wheel, limits.withheld, limits.withheld_rate)
        self.masking = Masking(settings.secrets())
        self.stored = self._stored(table) if settings.database_url else None
        if self.stored is not None:
            self.stored.directory.on_loss = self.forget
        usage = None if self.stored is None else self.stored.database.usage
        self.metering = Metering(reactor, settings, own, usage, self.masking)
        reports = None if self.stored is None else self.stored.usage_reports
        past = BudgetsSpent(reactor, reports, lambda: self.ledger)
        self.limiting = UsageLimiting(
            reactor,
            self.metering.costs,
            self.inspection,
            past.spent,
            settings.redis,
            self.poller,
            self.names,
            peers.limits,
            budgets_of(reactor, settings, self.stored, past.spent_of),
            None if reports is None else past.used,
        )
        self.management = self._management()
        self.background = RecordExchanges(reactor, self.metering.publisher.publish, seal=self.metering.seal)
        self.ledger = self.metering.ledger = None if self.stored is None else ledger_of(reactor, settings, self.stored)
        self.events = self._events()
        self.capturing: Capturing | None = None
        self.auditing = self._auditing()
        self.identity = self._identity()
        self.admission = self._admission()
        self.cache: Cache | None = None

    @property
    def audit_log(self) -> IAuditLogger | None:
        """Where denials and the calls of management are noted."""
        return self.own.audit_logger if self.auditing is None else self.auditing.log

    def forget(self) -> None:
        """See C{forgetting}."""
        for each in self.forgetting:
            each()

    def learn(self, secrets: Iterable[str]) -> None:
        """Secrets that a configuration brings: they stand in no record."""
        known = list(secrets)
        self.masking.learn(known)
        if self.auditing is not None:
            self.auditing.learn(known)

    def cache_for(self, cached: Iterable[CacheSettings | None]) -> Cache | None:
        """
        The cache, made when the first API is cached; C{None} if none is.

        @param cached: the settings of each API; C{None} for one that is not.
        """
        settings = [each for each in cached if each is not None]
        if not self.settings.cache.enabled or not settings:
            return None
        if self.cache is None:
            self.cache = self._new_cache()
        largest = self.cache.store.largest
        self.cache.make_room(max(min(each.max_object, largest) for each in settings))
        return self.cache

    def capture_for(self, apis: Sequence[Api]) -> Middleware | None:
        """
        What keeps what is said, made when the first API is captured; C{None} where none is, or where no sink wants the
        events that would have it.
        """
        wanted = any(api.settings.capture is not None for api in apis)
        if self.capturing is None and wanted and self.events is not None and self.events.wants("exchange"):
            from .capturing import Capturing

            self.capturing = Capturing(self.reactor, self.masking)
        return None if self.capturing is None else self.capturing.middleware(apis)

    def open(self) -> Deferred[None]:
        """Open the database and the ledger, then count; fails with L{ConfigError}."""
        self.clock_steps.start()
        self.limiting.start()
        opening = succeed(None) if self.stored is None else self.stored.start()
        return opening.addCallback(self._open_ledger).addCallback(lambda _: self._count())

    def stop_ledger(self) -> Deferred[None]:
        return succeed(None) if self.ledger is None else self.ledger.stop()

    def _open_ledger(self, result: object) -> Deferred[None]:
        if self.ledger is None or self.stored is None:
            return succeed(None)
        return start_ledger(self.reactor, self.ledger, self.stored, self.masking, self.metering.costs, self.settings)

    def _count(self) -> None:
        """The database is open: what was counted is written down from now on."""
        if self.stored is not None:
            self.stored.count()
        self.limiting.count()
        self.metering.count()
        if self.events is not None:
            self.events.start()
        if self.auditing is not None:
            self.auditing.start()

    def stop_store(self) -> Deferred[None]:
        return succeed(None) if self.cache is None else self.cache.store.stop()

    def stop_events(self) -> Deferred[None]:
        return succeed(None) if self.events is None else Deferred.fromCoroutine(self.events.stop())

    def stop_audit_log(self) -> Deferred[None]:
        return succeed(None) if self.auditing is None else Deferred.fromCoroutine(self.auditing.stop())

    def _stored(self, table: RoutingTable) -> Stored:
        default = self.settings.apis.default_api
        binding = Binding(default, tuple((api.name, each.provider) for api in table.apis for each in api.upstreams))
        return Stored(self.reactor, self.settings, binding, self.own.project_store)

    def _management(self) -> State | None:
        stored, peers = self.stored, self.peers
        if stored is None:
            return None
        directory = peers.directory(stored.directory)
        counts = Counts(self.metering, stored.quota, peers.flush)
        return State(
            self.reactor.seconds, stored.projects, stored.database.tokens, directory, counts, limits=self.limiting
        )

    def _events(self) -> Events | None:
        """Where events go; without a sink nothing of them is imported."""
        sinks = self.settings.apis.sinks
        if not sinks:
            return None
        from .events import Events

        events = Events(
            self.reactor,
            sinks,
            self.masking,
            self.settings.database_url,
            self.wheel,
            self.poller,
            self.names,
            self.settings.otel,
        )
        events.begin(self.metering, self.limiting)
        return events

    def take_sinks(self) -> None:
        """Sinks that were prepared get events from now on; what nobody wanted before begins to be said."""
        events = self.events
        assert events is not None, "prepared"
        events.take()
        if self.auditing is None:
            events.without_audit_log()
            return
        for sink in events.audit_sinks():
            self.auditing.log.add(sink)

    def _auditing(self) -> Auditing | None:
        options = self.settings.audit
        if options is None or self.stored is None:
            if self.events is not None:
                self.events.without_audit_log()
            return None
        more = () if self.events is None else self.events.audit_sinks()
        return Auditing(self.reactor, self.stored.database, options, self.settings.secrets(), more=more)

    def _identity(self) -> Identity | None:
        """Who signs in by an identity provider; nothing of it is imported where nobody does."""
        config = self.settings.apis.identity
        if config is None:
            return None
        stored, state, settings = self.stored, self.management, self.settings
        if stored is None or state is None:
            raise ConfigError("identity: people are kept in the database, and there is none: set DATABASE_URL")
        from ..upstream.client import PooledClient
        from .identity import Identity, sealing_secret

        def make_agent(connections: ConnectionSettings) -> PooledClient:
            return PooledClient(self.reactor, connections, wheel=self.wheel, poller=self.poller, names=self.names)

        secret = sealing_secret(settings, config)
        return Identity(self.reactor, config, state, stored.database, stored.directory, secret, make_agent)

    def _admission(self) -> Admission:
        reactor, validator, stored = self.reactor, self.own.token_validator, self.stored
        if validator is None:
            assert stored is not None, "OwnParts.check asks for a database or a validator"
            form = is_well_formed if self.identity is None else may_be_token
            return Admission(Authenticate(reactor, stored.directory, stored.directory, form), stored.quota)
        projects = self.own.project_store
        if projects is None:
            assert stored is not None, "likewise for projects"
            projects = stored.projects
        # Anything may be a token of an application's own, but nothing at all.
        authenticate = Authenticate(reactor, ValidatingDirectory(validator, projects), is_well_formed=bool)
        return Admission(authenticate, ValidatingQuota(validator))

    def _new_cache(self) -> Cache:
        store = self.peers.store(choose_store(self.reactor, self.settings.cache, self.poller, self.names))
        counts = self.metering.metrics.cache
        return Cache(self.reactor, store, self.admission.quota, self.background, counts, HELD)
