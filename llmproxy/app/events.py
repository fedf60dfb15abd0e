"""
Events put together: where they begin, the bus, and the sinks that they go to.

It is imported where a configuration has a sink, and nowhere else. With workers each has its own bus and its own queues:
nothing of an event passes from one process to another, and one that dies takes no other's with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

from .. import __version__
from ..apisettings import ConnectionSettings
from ..core.events.notices import event_of_budget, notice
from ..core.events.receipts import SHOWN
from ..core.events.reports import SinkReport
from ..errors import Conflict, Unavailable
from ..sinks.auditevents import AuditEvents
from ..sinks.eventbus import EventBus
from ..sinks.exchangeevents import ExchangeEvents
from ..sinks.redelivery import UnderWay
from ..sinks.upstreamwatch import UpstreamWatch
from ..store.threads import NoThreads, PooledThreads
from ..upstream.client import PooledClient
from .reloading import changes
from .sinks import SinkMaker, report_of
from .sinkset import SinkSet
from .sinktrial import letters_kept, send_again, try_sink

if TYPE_CHECKING:
    from ..config.apis import APIConfig
    from ..config.sinks import SinkConfig
    from ..core.circuits import CircuitState
    from ..core.events import Event
    from ..core.events.letters import LettersKept, Redelivered
    from ..core.limits.verdicts import Crossed
    from ..core.masking import Masking
    from ..core.upstreamreports import UpstreamReport
    from ..net.poller import Poller
    from ..net.resolver import Names
    from ..net.timers import TimerWheel
    from .limits import UsageLimiting
    from .metering import Metering

CONTENT_WITHIN = 5.0
"""Seconds that contents get at the end to be read; events whose content is not read by then are lost."""


class Events:
    """
    @param configs: the sinks, at least one.
    @param environment: variables that sinks are known by, above those of the process.
    @raise ConfigError: of all that is wrong with them.
    @ivar bus: what is published goes to every sink that wants it.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        configs: Sequence[SinkConfig],
        masking: Masking,
        database_url: str,
        wheel: TimerWheel | None = None,
        poller: Poller | None = None,
        names: Names | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._reactor = reactor
        self._masking = masking
        has_threads = hasattr(reactor, "callFromThread")
        self._threads = PooledThreads(reactor, 2 * len(configs) + 1, "events") if has_threads else NoThreads()

        def make_agent() -> PooledClient:
            return PooledClient(reactor, ConnectionSettings(), wheel=wheel, poller=poller, names=names)

        self._maker = SinkMaker(
            reactor,
            make_agent,
            self._threads.run,
            masking,
            database_url,
            poller=poller,
            names=names,
            environment={**os.environ, **(environment or {})},
        )
        self.bus = EventBus(reactor)
        self._set = SinkSet(self._maker, self.bus, configs)
        self._contents = self._maker.lane()
        self._exchanges = ExchangeEvents(reactor, self.bus, self._contents)
        self._watch: UpstreamWatch | None = None
        self._look: Callable[[], UpstreamWatch] | None = None
        self._wire: Callable[[], None] = lambda: None
        self._wired: set[str] = set()
        self._started = False

    @property
    def configs(self) -> tuple[SinkConfig, ...]:
        """The sinks, as they were configured."""
        return tuple(self._set.configs.values())

    def wants(self, kind: str) -> bool:
        """
        Whether any sink may want such events, also one of those that are prepared; C{audit.*} for all that begin so.
        """
        return self._set.wants(kind)

    def _wants_first(self, kind: str) -> bool:
        """The same, once: who asks begins to make them, and goes on with it."""
        if kind in self._wired or not self.wants(kind):
            return False
        self._wired.add(kind)
        return True

    # -- other sinks, while the proxy runs

    def prepare(self, configs: Sequence[SinkConfig]) -> None:
        """
        Make what is new among C{configs}; it gets nothing before L{take}.

        @raise ConfigError: of all that is wrong with them; nothing has changed then.
        """
        self._set.prepare(configs)

    def discard(self) -> None:
        """Forget what was prepared."""
        self._set.discard()

    def take(self) -> None:
        """
        Give events to what was prepared from now on. Sinks that are as before go on; others deliver what they have,
        or keep it on disk.
        """
        self._threads.grow(2 * len(self._set.next) + 1)
        self._set.take()
        self._wire()
        self._look_at_upstreams()

    # -- where they begin

    def begin(self, metering: Metering, limiting: UsageLimiting) -> None:
        """What is published from now on, and what is said of budgets, becomes events where a sink wants it."""

        def wire() -> None:
            if self._wants_first("exchange"):
                metering.publisher.add(self._exchanges)
            if self._wants_first("budget.*"):
                limiting.listeners.append(self._crossed)

        self._wire = wire
        wire()

    def without_audit_log(self) -> None:
        """There is none whose records could become events, or it is an application's own."""
        if self.wants("audit.*"):
            self._log.warn(
                "sinks: {names} asks for audit.*, and there is no audit log to take it from", names=self._ask("audit.*")
            )

    def _ask(self, kind: str) -> str:
        return ", ".join(queue.name for queue in self._set.queues if queue.when.wants_kind(kind))

    def audit_sinks(self) -> list[AuditEvents]:
        """Those that the audit log has not been given yet, and that make events of its records."""
        return [AuditEvents(self.bus)] if self._wants_first("audit.*") else []

    def watch(
        self, reports: Callable[[], Sequence[UpstreamReport]], circuits: Callable[[], Sequence[CircuitState]]
    ) -> None:
        """Look at upstreams, where a sink wants to know of them; see L{UpstreamWatch}."""
        self._look = lambda: UpstreamWatch(self._reactor, self.bus, reports, circuits)
        self._look_at_upstreams()

    def _look_at_upstreams(self) -> None:
        wanted = self.wants("upstream.*")
        if wanted and self._watch is None and self._look is not None:
            self._watch = self._look()
            if self._started:
                self._watch.start()
        elif not wanted and self._watch is not None:
            watch, self._watch = self._watch, None
            if self._started:
                watch.stop()

    def reloaded(self, before: APIConfig, after: APIConfig) -> None:
        """Another configuration is served."""
        if self.wants("config.reloaded"):
            self._say("config.reloaded", changed=list(changes(before, after)))

    def _say(self, kind: str, **details: Any) -> None:
        self.bus.publish([notice(kind, self._reactor.seconds(), details={"version": __version__, **details})])

    def _crossed(self, crossed: Crossed) -> None:
        self.bus.publish([event_of_budget(crossed, self._reactor.seconds())])

    # -- their life

    def start(self) -> None:
        """The proxy serves."""
        self._started = True
        self._threads.start()
        self._set.start()
        if self._watch is not None:
            self._watch.start()
        self._say("config.started", sinks=list(self._set.configs))

    async def stop(self) -> None:
        """Nothing more begins: deliver what waits, keep the rest on disk, close everything."""
        if not self._started:
            # Who asked before the start got an answer, and that is an exchange.
            self._threads.start()
        elif self._watch is not None:
            self._watch.stop()
        idle = self._contents.idle().addTimeout(CONTENT_WITHIN, self._reactor)
        try:
            await idle
        except (CancelledError, TimeoutError, Exception):
            self._log.error("events: contents are still being read; their events are lost")
        await self._set.stop()
        closing = self._maker.agent.close()
        if closing is not None:
            await closing
        if not any(lane.waiting for lane in self._maker.lanes):
            # A pipe that nobody reads keeps a thread, and that is to keep nobody else; it ends with the process.
            self._threads.stop()

    def flush(self) -> Deferred[Any]:
        """Fires when what waits in memory is delivered, or could not be at once."""
        return DeferredList([queue.flush() for queue in self._set.queues])

    # -- what is known of them

    def reports(self) -> list[SinkReport]:
        """What this process knows of each, in the order of the configuration."""
        return [report_of(*each, self._masking.text) for each in self._set.typed()]

    async def test(self, name: str) -> tuple[bool, str] | None:
        """
        Send one event to the receiver of a sink, beside all that waits.

        @return: whether it was taken, and what came back, masked; C{None} where there is no such sink.
        """
        config = self._set.configs.get(name)
        if config is None:
            return None
        try:
            receipt = await try_sink(self._reactor, self._maker, config, "sent by hand, to see whether it arrives")
        except Exception as error:
            return False, self._masking.text(str(error) or type(error).__name__)[:SHOWN]
        return True, self._masking.text("" if receipt is None else str(receipt))[:SHOWN]

    async def letters(self, name: str) -> LettersKept | None:
        """
        What of a sink's dead letters is on disk; C{None} where there is no such sink.

        @raise Unavailable: they cannot be read.
        """
        config = self._set.configs.get(name)
        if config is None:
            return None
        try:
            return await letters_kept(self._maker, config)
        except OSError as error:
            raise Unavailable(f"the dead letters cannot be read: {error.strerror}") from None

    async def send_again(self, name: str, limit: int, before: str) -> Redelivered | None:
        """
        Send dead letters of a sink again, beside all that waits; C{None} where there is no such sink.

        @param limit: at most so many.
        @param before: see L{llmproxy.sinks.redelivery.Redelivery.send}.
        @raise Conflict: somebody else does so at this moment.
        @raise Unavailable: they cannot be read, or not be taken out.
        """
        config = self._set.configs.get(name)
        if config is None:
            return None
        try:
            found = await send_again(self._reactor, self._maker, config, limit, before)
        except UnderWay as error:
            raise Conflict(str(error)) from None
        except OSError as error:
            raise Unavailable(f"the dead letters cannot be used: {error.strerror}") from None
        masked = self._masking.text
        return evolve(found, error=masked(found.error)[:SHOWN], answer=masked(found.answer)[:SHOWN])

    def publish(self, events: Sequence[Event]) -> None:
        """For applications that have events of their own."""
        self.bus.publish(events)

    def subscribe(self, take: Callable[..., object]) -> Callable[[], None]:
        """See L{llmproxy.interfaces.events.IEventBus.subscribe}."""
        return self.bus.subscribe(take)
