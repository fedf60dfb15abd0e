"""
A request body that is read before it goes on, within bounds; one that is too long or too slow goes on as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ..bodies import trailers_of
from ..core.gathering import Gathered

if TYPE_CHECKING:
    from ..core.budget import Lease
    from ..message import Fields
    from ..net.timers import Deadline, TimerWheel


@implementer(IBodyProducer, IConsumer)
class ReadAhead:
    """
    Read once by L{read}; where that says that it is not whole, it is a body that brings all of C{body}, started once.

    @param body: has not been started.
    @param limit: bytes that are held.
    @param lease: of the budget that all such bodies share; it is given back with what is held.
    @param patience: seconds that are waited for the end.
    """

    at_hand = False

    def __init__(self, body: IBodyProducer, limit: int, lease: Lease, wheel: TimerWheel, patience: float) -> None:
        self.length = body.length
        self._body = body
        self._limit = limit
        self._lease = lease
        self._held = Gathered()
        self._pieces: list[bytes] = []
        self._reading: Deferred[bytes | None] | None = None
        self._wheel = wheel
        self._patience = patience
        self._deadline: Deadline | None = None
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] | None = None
        self._outcome: Failure | None = None
        self._ended = self._paused = self._stopped = self._writing = False

    @property
    def trailers(self) -> Fields:
        """The trailer section of the body within, once that has ended."""
        return trailers_of(self._body)

    def read(self) -> Deferred[bytes | None]:
        """
        Fires with all of the content, or with C{None} if it is longer or slower. Fails with what the body fails with;
        cancelling it stops the body.
        """
        reading = self._reading = Deferred(lambda _: self.stopProducing())
        self._deadline = self._wheel.start(self._patience, self._go_on)
        self._body.startProducing(self).addCallbacks(self._complete, self._failed)
        return reading

    # -- called by the body within

    def write(self, data: bytes) -> None:
        if self._stopped:
            return
        if self._reading is None and self._consumer is not None and not self._waiting:
            self._consumer.write(data)
            return
        self._held.add(data)
        if self._reading is not None and (self._held.size > self._limit or not self._lease.take(len(data))):
            self._go_on()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _complete(self, result: None) -> None:
        self._ended = True
        reading = self._end_reading()
        if reading is not None:
            content = b"".join(self._held.take())
            self._lease.end()
            reading.callback(content)
        elif not self._waiting:
            self._finish()

    def _failed(self, reason: Failure) -> None:
        if self._stopped:
            return
        self._ended, self._outcome = True, reason
        reading = self._end_reading()
        if reading is not None:
            self._forget()
            reading.errback(reason)
        else:
            self._finish()

    def _go_on(self) -> None:
        """It is not waited for any longer."""
        reading = self._end_reading()
        if reading is not None:
            self._body.pauseProducing()
            reading.callback(None)

    def _end_reading(self) -> Deferred[bytes | None] | None:
        reading, self._reading = self._reading, None
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.end()
        return reading

    # -- as a body

    @property
    def _waiting(self) -> bool:
        """Whether something is held that the reader has not had."""
        return bool(self._pieces) or self._held.size > 0

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        done = self._done = Deferred(lambda _: self.stopProducing())
        self._write()
        return done

    def pauseProducing(self) -> None:
        self._paused = True
        if not self._waiting and not self._ended:
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        self._write()

    def stopProducing(self) -> None:
        self._stopped = True
        self._end_reading()
        self._forget()
        self._consumer = self._done = None
        if not self._ended:
            self._body.stopProducing()

    def _write(self) -> None:
        """What is held first, as far as the reader takes it; then what comes."""
        if self._writing or self._consumer is None:
            return
        self._writing = True
        while self._consumer is not None and not self._paused and self._waiting:
            if not self._pieces:
                self._pieces = self._held.take()[::-1]
            piece = self._pieces.pop()
            self._consumer.write(piece)
        self._writing = False
        if self._consumer is None or self._paused or self._waiting:
            return
        self._lease.end()
        if self._ended:
            self._finish()
        else:
            self._body.resumeProducing()

    def _finish(self) -> None:
        done, self._done = self._done, None
        self._consumer = None
        self._forget()
        if done is not None:
            done.callback(self._outcome)

    def _forget(self) -> None:
        self._held.clear()
        self._pieces.clear()
        self._lease.end()
