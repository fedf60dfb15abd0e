"""Pull producers made to push, for consumers that only pause and resume."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class PullAdapter:
    """
    A push producer that pulls from another one, once a turn of the reactor, while there is room.

    Twisted's own, L{twisted.internet._producer_helpers._PullToPush}, needs the global reactor.

    @param clock: has C{callLater}.
    """

    def __init__(self, clock: Any, producer: Any) -> None:
        self._clock = clock
        self._producer = producer
        self._next: Any = None
        self._paused = self._stopped = False
        self._schedule()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._schedule()

    def stopProducing(self) -> None:
        self.release()
        self._producer.stopProducing()

    def release(self) -> None:
        """Ask no more: it has unregistered."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self) -> None:
        if self._next is None and not self._paused and not self._stopped:
            self._next = self._clock.callLater(0, self._step)

    def _step(self) -> None:
        self._next = None
        if not self._paused and not self._stopped:
            self._producer.resumeProducing()
            self._schedule()
