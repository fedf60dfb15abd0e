"""The event bus of a process: what is published goes to the queue of every subscriber, off the path of any request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from ..core.lograte import LogRate
from ..interfaces.events import IEventBus

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from ..core.events import Event

Take = Callable[[Sequence["Event"], "Sequence[int] | None"], object]
"""What a subscriber is called with: events, and their sizes in bytes where any has content."""


@implementer(IEventBus)
class EventBus:
    """
    It holds nothing itself: each subscriber has a bounded queue of its own (L{llmproxy.sinks.eventqueue.EventQueue}),
    so that one that is slow keeps nothing from the others. One that raises is reported, and the others get the batch.

    @ivar published: events, ever.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._seconds = clock.seconds
        self._subscribers: tuple[Take, ...] = ()
        self._reports = LogRate()
        self.published = 0

    def subscribe(self, take: Take) -> Callable[[], None]:
        self._subscribers = (*self._subscribers, take)

        def end() -> None:
            self._subscribers = tuple(each for each in self._subscribers if each is not take)

        return end

    def publish(self, events: Sequence[Event], sizes: Sequence[int] | None = None) -> None:
        """See L{IEventBus.publish}; C{sizes} are those of the events in memory, where any has content."""
        self.published += len(events)
        for number, take in enumerate(self._subscribers):
            try:
                take(events, sizes)
            except Exception:
                if self._reports.due(number, self._seconds()) is not None:
                    self._log.failure("events: {subscriber} could not take events", subscriber=take)


def size_of(value: Any, depth: int = 0) -> int:
    """Bytes that captured content takes in memory, about."""
    if isinstance(value, (str, bytes)):
        return 56 + len(value)
    if depth > 50:
        return 64
    if isinstance(value, dict):
        return 64 + sum(size_of(name, depth + 1) + size_of(each, depth + 1) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return 64 + sum(size_of(each, depth + 1) for each in value)
    return 32
