"""A dispatcher put together: for each sink a consumer of its group, and what is said of all of them over HTTP."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import serverFromString
from twisted.logger import Logger

from ..apisettings import ConnectionSettings
from ..core.events.dispatching import DispatchReport, health
from ..core.events.places import DIRECTORY, letters_of
from ..core.events.policy import DEAD_LETTERS
from ..core.redisoptions import TIMEOUT
from ..errors import ConfigError
from ..net.clockedcall import ClockedCall
from ..net.resolver import Names
from ..redis.connection import Connector
from ..redis.streams import Reader
from ..sinks.deadletters import DeadLetters
from ..sinks.groupsource import GroupSource, Patience
from ..sinks.sourcedelivery import SourceDelivery
from ..store.threads import PooledThreads
from ..upstream.client import PooledClient
from ..web.dispatcher import dispatcher_resource
from ..web.site import ProxySite
from .signals import Undrained
from .sinks import SinkMaker

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort

    from ..config.dispatcher import DispatcherConfig
    from ..config.sinks import SinkConfig
    from ..core.masking import Masking

MEASURED = 5.0
"""Seconds between two looks at what waits in the stream."""


class Dispatcher(Undrained):
    """
    @param environment: variables of the process, for the sinks that are known by them.
    @raise ConfigError: of all that is wrong with the sinks.
    @ivar started: fires once it reads, or fails with L{ConfigError}.
    @ivar ports: what it listens on.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, config: DispatcherConfig, masking: Masking, environment: Mapping[str, str]
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._masking = masking
        masking.learn(each for each in (*config.secrets, config.location.password) if each)
        self._names = Names(reactor)
        self._threads = PooledThreads(reactor, 2 * len(config.sinks) + 1, "sinks")
        self._maker = SinkMaker(
            reactor,
            lambda: PooledClient(reactor, ConnectionSettings(), names=self._names),
            self._threads.run,
            masking,
            "",
            names=self._names,
            environment=environment,
        )
        self._consumer = config.stream.consumer or consumer_name(config.service)
        self._deliveries = self._made()
        self._types = {each.name: each.type for each in config.sinks}
        self._pending: dict[str, int | None] = {}
        self._lengths: dict[str, int | None] = {}
        self._measuring = ClockedCall(reactor, self._measure)
        self._done_before, self._rate = 0, 0.0
        self._started_at = 0.0
        self.ports: list[IListeningPort] = []
        self.started: Deferred[None] = Deferred()
        self._stopping: Deferred[None] | None = None

    def _made(self) -> list[SourceDelivery]:
        made: list[SourceDelivery] = []
        problems: list[str] = []
        for sink in self._config.sinks:
            try:
                made.append(self._delivery(sink))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*problems)
        return made

    def _delivery(self, sink: SinkConfig) -> SourceDelivery:
        config, policy = self._config, sink.policy()
        directory = sink.directory or DIRECTORY
        return SourceDelivery(
            self._reactor,
            sink.name,
            self._source(sink),
            self._maker.sink(sink),
            policy,
            self._maker.lane(),
            # Without a place for them a poisoned event would hold up all others for ever.
            DeadLetters(letters_of(directory, sink.name), policy.dead_letters or DEAD_LETTERS),
            sink.filter(),
            config.held,
            config.deliveries,
            config.stream.batch,
        )

    def _source(self, sink: SinkConfig) -> GroupSource:
        config, stream = self._config, self._config.stream
        connector = Connector(self._reactor, config.location, TIMEOUT, None, self._names)
        reader = Reader(stream.stream.encode(), config.group_of(sink).encode(), self._consumer.encode())
        begins_with = b"" if reader.group == stream.group.encode() else stream.group.encode()
        patience = Patience(stream.block, stream.claim)
        # The last two deliveries are alone: one may be ended by something else.
        return GroupSource(self._reactor, connector, reader, patience, begins_with, config.deliveries - 2)

    # -- its life

    def startService(self) -> None:
        """Listen and read. What cannot be listened on ends it, if somebody asked for it."""
        Deferred.fromCoroutine(self._start()).addCallbacks(self.started.callback, self.started.errback)

    def stopService(self) -> Deferred[None]:
        """Read nothing more, deliver what was read, give the rest back: once. It never fails."""
        stopped: Deferred[None] = Deferred()
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
        self._stopping.addBoth(self._ended, stopped)
        return stopped

    def _ended(self, result: Any, stopped: Deferred[None]) -> Any:
        stopped.callback(None)
        return result

    async def _start(self) -> None:
        config, stream = self._config, self._config.stream
        self._started_at = self._reactor.seconds()
        self._threads.start()
        await self._listen()
        self._log.info(
            "Using Redis Streams event bus: {addr}, stream {stream_key}, consumer {consumer_name}",
            addr=config.location.label,
            stream_key=stream.stream,
            consumer_name=self._consumer,
        )
        for sink, delivery in zip(config.sinks, self._deliveries, strict=True):
            self._log.info(
                "Starting dispatcher service: {service} ({type}), group {consumer_group}",
                service=sink.name,
                type=sink.type,
                consumer_group=config.group_of(sink),
            )
            delivery.start()
        self._measuring.start(MEASURED)

    async def _listen(self) -> None:
        where = self._config.listen
        if not where:
            return
        site = ProxySite(dispatcher_resource(self.reports, self.health), reactor=self._reactor)
        try:
            self.ports.append(await serverFromString(self._reactor, where).listen(site))
        except Exception as error:
            why = f"--listen: {where}: cannot listen: {getattr(error, 'socketError', error)}"
            if self._config.must_listen:
                raise ConfigError(why) from None
            self._log.warn("{why}; health and metrics are not served (--listen says another address)", why=why)

    async def _stop(self) -> None:
        if self._measuring.running:
            self._measuring.stop()
        for port in self.ports:
            await _ignoring(port.stopListening())
        await DeferredList([each.stop() for each in self._deliveries], consumeErrors=True)
        closing = self._maker.agent.close()
        if closing is not None:
            await closing
        waiting = {each.name: each.held for each in self._deliveries if each.held}
        if waiting:
            self._log.warn("what was not delivered comes to the next consumer: {waiting}", waiting=waiting)
        if not any(lane.waiting for lane in self._maker.lanes):
            self._threads.stop()

    # -- what is known

    def reports(self) -> list[DispatchReport]:
        """Each sink now."""
        return [self._report(each) for each in self._deliveries]

    def health(self) -> dict[str, Any]:
        """See L{llmproxy.core.events.dispatching.health}."""
        return health(self.reports(), self._rate, self._started_at, self._reactor.seconds())

    def _report(self, each: SourceDelivery) -> DispatchReport:
        source: Any = each.source
        masked = self._masking.text
        return DispatchReport(
            each.name,
            self._types[each.name],
            received=each.received,
            delivered=each.delivered,
            dead=each.dead,
            passed_over=each.passed_over,
            held=each.held,
            pending=self._pending.get(each.name),
            length=self._lengths.get(each.name),
            claimed=source.claimed,
            gone=source.gone,
            failures=each.failures,
            batches=each.delivery.batches,
            source_error=masked(each.error),
            sink_error=masked(each.delivery.error)[:300],
            read_at=each.read_at,
            delivered_at=each.delivery.delivered_at,
        )

    def _measure(self) -> None:
        done = sum(each.done for each in self.reports())
        self._rate, self._done_before = max(0, done - self._done_before) / MEASURED, done
        for each in self._deliveries:
            self._note(self._pending, each.name, each.source.waiting())
            source: Any = each.source
            self._note(self._lengths, each.name, source.length())

    def _note(self, into: dict[str, int | None], name: str, asking: Deferred[int]) -> None:
        def noted(count: int | None) -> None:
            into[name] = count

        asking.addErrback(lambda _: None).addCallback(noted)


def consumer_name(service: str) -> str:
    """As the reference names one: of service, host and process."""
    return f"dispatcher-{service}-{socket.gethostname()}-{os.getpid()}"


async def _ignoring(stopping: Any) -> None:
    if stopping is not None:
        await stopping
