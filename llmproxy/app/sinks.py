"""Sinks put together: of what a configuration says, each with its queue, its files and its threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from twisted.internet.defer import Deferred

from ..core.events.places import letters_of, sinks_directory, spool_of
from ..core.events.reports import SinkReport
from ..core.masking import Masking
from ..errors import ConfigError
from ..sinks.deadletters import DeadLetters
from ..sinks.eventqueue import EventQueue
from ..sinks.lanes import Lane, RunsCalls
from ..sinks.registry import SinkTools, sink_type
from ..sinks.spool import Spool

if TYPE_CHECKING:
    from ..apisettings import ConnectionSettings
    from ..config.sinks import SinkConfig
    from ..interfaces.events import IEventSink


class LazyAgent:
    """The client that sinks ask their receivers with, made when the first one asks."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def request(self, method: str, url: str, **keywords: Any) -> Deferred[Any]:
        if self._made is None:
            self._made = self._make()
        asking: Deferred[Any] = self._made.request(method, url, **keywords)
        return asking

    def close(self) -> Deferred[None] | None:
        """Close its connections, if there are any."""
        made, self._made = self._made, None
        return None if made is None else made.close()


class SinkMaker:
    """
    Makes sinks, and what is around them.

    @param make_agent: makes the client of L{LazyAgent}.
    @param run: calls a function on a thread.
    @param database_url: says where files are, unless a sink says it itself.
    @ivar lanes: those that were given out, and are still used.
    """

    def __init__(
        self,
        reactor: Any,
        make_agent: Callable[[], Any],
        run: RunsCalls,
        masking: Masking,
        database_url: str,
        *,
        poller: Any = None,
        names: Any = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._reactor = reactor
        self._run = run
        self._masking = masking
        self._directory = sinks_directory(database_url)
        self._poller, self._names = poller, names
        self._environment = dict(os.environ if environment is None else environment)
        self.agent = LazyAgent(make_agent)
        self.lanes: WeakSet[Lane] = WeakSet()

    def lane(self) -> Lane:
        """A lane of its own for one more user."""
        lane = Lane(self._run)
        self.lanes.add(lane)
        return lane

    def sink(self, config: SinkConfig) -> IEventSink:
        """
        @raise ConfigError: what is wrong with its settings; each sentence names the sink.
        """
        self._masking.learn(config.secrets())
        directory = config.directory or self._directory
        tools = SinkTools(
            config.name,
            self._reactor,
            self.agent,
            self.lane(),
            "" if directory is None else spool_of(directory, config.name),
            self._masking,
            self._poller,
            self._names,
            self._environment,
            self._agent_for,
        )
        try:
            return sink_type(config.type)(config.settings, tools)
        except ConfigError as error:
            raise ConfigError(*(f"sink {config.name!r}: {each}" for each in error.problems)) from None

    def _agent_for(self, settings: ConnectionSettings) -> LazyAgent:
        from ..upstream.client import PooledClient

        return LazyAgent(lambda: PooledClient(self._reactor, settings, poller=self._poller, names=self._names))

    def queue(self, config: SinkConfig) -> EventQueue:
        """The sink in its queue."""
        sink, policy = self.sink(config), config.policy()
        directory = config.directory or self._directory
        spool = None
        if directory is not None and policy.spool:
            spool = Spool(spool_of(directory, config.name), policy.spool)
        letters = self.letters(config)
        return EventQueue(self._reactor, config.name, sink, policy, self.lane(), config.filter(), spool, letters)

    def letters(self, config: SinkConfig) -> DeadLetters | None:
        """The dead letters of a sink; C{None} where it keeps none."""
        directory = config.directory or self._directory
        if directory is None or not config.dead_letters:
            return None
        return DeadLetters(letters_of(directory, config.name), config.dead_letters)

    def queues(self, configs: Iterable[SinkConfig]) -> list[EventQueue]:
        """
        All of them.

        @raise ConfigError: of all that is wrong.
        """
        made: list[EventQueue] = []
        problems: list[str] = []
        for config in configs:
            try:
                made.append(self.queue(config))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*problems)
        return made


def check_sinks(configs: Iterable[SinkConfig], environment: Mapping[str, str] | None = None) -> None:
    """
    Make sinks and forget them: nothing is opened.

    @raise ConfigError: of all that is wrong with them.
    """
    from twisted.internet.task import Clock

    from ..store.threads import NoThreads

    maker = SinkMaker(Clock(), lambda: None, NoThreads().run, Masking(), ":memory:", environment=environment)
    maker.queues(configs)


def report_of(queue: EventQueue, type: str, masked: Callable[[str], str]) -> SinkReport:
    """What this process knows of a sink now."""
    delivery = queue.delivery
    return SinkReport(
        queue.name,
        type,
        failing=int(queue.is_failing),
        waiting=queue.waiting,
        spooled=queue.spooled,
        spooled_bytes=queue.spooled_bytes,
        delivered=queue.delivered,
        dead=delivery.dead,
        lost=queue.lost,
        failures=queue.failures,
        batches=delivery.batches,
        error=masked(delivery.error)[:300],
        answer="" if delivery.receipt is None else masked(str(delivery.receipt)),
        delivered_at=delivery.delivered_at,
    )
