"""Bodies that are held back until they are checked: read whole, within a budget that all share, at a lowest rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ...bodies import BytesBody
from ...core.gathering import Gathered
from ...errors import ContentTooLarge, RequestBodyTimeout, TooMuchWithheld
from .pace import Pace

if TYPE_CHECKING:
    from ...core.budget import Lease
    from ...net.timers import TimerWheel

SMALL = 64 * 1024
"""Bytes that go on at once of a body that was held back."""

SLOW = "what is held back until it is checked must come faster (limits: withheld_rate)"


@implementer(IConsumer)
class Withholding:
    """
    Reads a body whole, in the pieces in which it comes.

    @param limit: bytes; a longer body is refused as soon as that is known.
    @param lease: of the budget; who made it gives it back.
    @param rate: bytes a second that must come, see L{Pace}.
    """

    def __init__(self, body: IBodyProducer, limit: int, lease: Lease, wheel: TimerWheel, rate: float) -> None:
        self._body = body
        self._limit = limit
        self._lease = lease
        self._held = Gathered()
        self._result: Deferred[list[bytes]] | None = None
        self._producing: Deferred[None] | None = None
        self._pace = Pace(wheel, rate, lambda: self._held.size, self._late)

    def read(self) -> Deferred[list[bytes]]:
        """
        Fires with the pieces; cancelling it stops the body.

        Fails with L{ContentTooLarge}, L{TooMuchWithheld}, L{RequestBodyTimeout}, or with what the body fails with.
        """
        length: Any = self._body.length
        result: Deferred[list[bytes]] = Deferred(lambda _: self._stop())
        self._result = result
        if isinstance(length, int) and length > self._limit:
            self._fail(too_large(self._limit))
            return result
        producing = self._producing = self._body.startProducing(self)
        if not producing.called and self._result is not None:
            self._pace.start()
        producing.addBoth(self._finished)
        return result

    def write(self, data: bytes) -> None:
        if self._result is None:
            return
        if self._held.size + len(data) > self._limit:
            self._fail(too_large(self._limit))
        elif not self._lease.take(len(data)):
            self._fail(TooMuchWithheld())
        else:
            self._held.add(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _late(self) -> None:
        self._fail(RequestBodyTimeout(SLOW))

    def _finished(self, outcome: object) -> None:
        result = self._end()
        if result is None:
            return
        if isinstance(outcome, Failure):
            result.errback(outcome)
        else:
            result.callback(self._held.take())

    def _fail(self, error: Exception) -> None:
        result = self._end()
        self._held.clear()
        self._body.stopProducing()
        if result is not None:
            result.errback(error)

    def _stop(self) -> None:
        self._end()
        self._held.clear()
        if self._producing is not None:
            self._producing.addErrback(lambda reason: reason.trap(CancelledError))
            self._producing.cancel()

    def _end(self) -> Deferred[list[bytes]] | None:
        result, self._result = self._result, None
        self._pace.end()
        return result


def too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"parameters are checked in bodies of up to {limit} bytes")


def body_of(pieces: Sequence[bytes]) -> IBodyProducer:
    """A body of what was held back."""
    size = sum(map(len, pieces))
    return BytesBody(b"".join(pieces)) if size <= SMALL else PiecesBody(pieces, size)


@implementer(IBodyProducer)
class PiecesBody:
    """
    A body in pieces, written as fast as its reader takes them. It can be started again, from its beginning.

    @ivar running: it has been started, and has not ended.
    """

    def __init__(self, pieces: Sequence[bytes], size: int) -> None:
        self.length = size
        self._pieces = tuple(pieces)
        self._at = self._start = 0
        self._paused = False
        self._writing = False
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] | None = None
        self._released: Callable[[], object] | None = None

    @property
    def running(self) -> bool:
        return self._done is not None

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._at = self._start = 0
        self._paused, self._consumer = False, consumer
        done = self._done = Deferred(lambda _: self.stopProducing())
        self._write()
        return done

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._write()

    def stopProducing(self) -> None:
        self._end()

    def release(self, released: Callable[[], object]) -> None:
        """Drop the pieces, at once or when the reader has ended, and call C{released}; there is no other start."""
        self._released = released
        if self._done is None:
            self._end()

    def _write(self) -> None:
        if self._writing:
            return
        self._writing = True
        while self._consumer is not None and not self._paused and self._at < len(self._pieces):
            self._consumer.write(self._next_block())
        self._writing = False
        if self._consumer is not None and self._at == len(self._pieces):
            done = self._end()
            if done is not None:
                done.callback(None)

    def _next_block(self) -> bytes:
        piece, start = self._pieces[self._at], self._start
        self._start += SMALL
        if self._start >= len(piece):
            self._at, self._start = self._at + 1, 0
        return piece[start : start + SMALL]

    def _end(self) -> Deferred[None] | None:
        done, self._done = self._done, None
        self._consumer = None
        released, self._released = self._released, None
        if released is not None:
            self._pieces, self._at = (), 0
            released()
        return done
