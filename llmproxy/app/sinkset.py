"""The set of sinks that a process has, and how another one takes its place while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config.sinks import SinkConfig
    from ..sinks.eventbus import EventBus
    from ..sinks.eventqueue import EventQueue
    from .sinks import SinkMaker


class SinkSet:
    """
    @raise ConfigError: of all that is wrong with C{configs}.
    @ivar configs: by their names, in their order.
    """

    def __init__(self, maker: SinkMaker, bus: EventBus, configs: Sequence[SinkConfig]) -> None:
        self._maker = maker
        self._bus = bus
        self._made = dict(zip((each.name for each in configs), maker.queues(configs), strict=True))
        self._ends = {name: bus.subscribe(queue.take) for name, queue in self._made.items()}
        self.configs = {each.name: each for each in configs}
        self._next: tuple[dict[str, SinkConfig], dict[str, EventQueue]] | None = None
        self._leaving: dict[str, Deferred[Any]] = {}
        self._started = False

    @property
    def queues(self) -> list[EventQueue]:
        return list(self._made.values())

    @property
    def next(self) -> dict[str, SinkConfig]:
        """Those that are prepared, else those that are there."""
        return self.configs if self._next is None else self._next[0]

    def typed(self) -> Iterator[tuple[EventQueue, str]]:
        """Each with its type."""
        yield from ((queue, self.configs[name].type) for name, queue in self._made.items())

    def wants(self, kind: str) -> bool:
        """Whether any of those that are there, or are prepared, may want such events."""
        queues = self._made.values() if self._next is None else self._next[1].values()
        return any(queue.when.wants_kind(kind) for queue in queues)

    def start(self) -> None:
        self._started = True
        for queue in self._made.values():
            queue.start()

    def stop(self) -> Deferred[Any]:
        """Deliver what waits, keep the rest on disk, close them; those that have left too."""
        return DeferredList([*(queue.stop() for queue in self._made.values()), *map(_later, self._leaving.values())])

    def prepare(self, configs: Sequence[SinkConfig]) -> None:
        """
        @raise ConfigError: of all that is wrong with those that are new or others; nothing has changed then.
        """
        wanted = {each.name: each for each in configs}
        other = [each for name, each in wanted.items() if self.configs.get(name) != each]
        made = dict(zip((each.name for each in other), self._maker.queues(other), strict=True))
        self._next = wanted, {name: made.get(name) or self._made[name] for name in wanted}

    def discard(self) -> None:
        self._next = None

    def take(self) -> None:
        """What was prepared gets the events from now on."""
        if self._next is None:
            raise ConfigError("no sinks were prepared")
        before = self._made
        (self.configs, self._made), self._next = self._next, None
        for name, queue in before.items():
            if self._made.get(name) is not queue:
                self._ends.pop(name)()
                self._leave(name, queue)
        for name, queue in self._made.items():
            if before.get(name) is not queue:
                self._ends[name] = self._bus.subscribe(queue.take)
                self._start(name, queue)

    def _leave(self, name: str, queue: EventQueue) -> None:
        leaving = queue.stop() if self._started else None
        if leaving is None or leaving.called:
            return
        known = self._leaving.get(name)
        gone: Deferred[Any] = leaving if known is None else DeferredList([leaving, _later(known)])
        self._leaving[name] = gone

        def left(result: Any) -> Any:
            if self._leaving.get(name) is gone:
                del self._leaving[name]
            return result

        gone.addBoth(left)

    def _start(self, name: str, queue: EventQueue) -> None:
        """Once the one before it has left: both have one directory."""

        def start(result: Any) -> Any:
            if self._made.get(name) is queue:
                queue.start()
            return result

        if not self._started:
            return
        leaving = self._leaving.get(name)
        if leaving is None:
            start(None)
        else:
            leaving.addBoth(start)


def _later(deferred: Deferred[Any]) -> Deferred[Any]:
    """Another one, which fires when that does."""
    waiting: Deferred[Any] = Deferred()

    def passed(result: Any) -> Any:
        waiting.callback(None)
        return result

    deferred.addBoth(passed)
    return waiting
