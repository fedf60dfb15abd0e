"""Bodies that are judged while they pass: nothing goes on that was not looked at, the first fault breaks them off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from ...bodies import trailers_of

if TYPE_CHECKING:
    from ...core.inspection.steps import Steps
    from ...message import Field
    from ...net.slices import Slices


_SMALL = 1024
_MOST_SMALL = 16
"""After so many pieces below C{_SMALL} bytes a body is judged once a turn: a read can hold ten thousand of a byte."""


class Judge(Protocol):
    """What is asked about a body as it passes."""

    def feed(self, data: bytes) -> Steps[None]:
        """The next bytes. Raises what the client is to be answered with."""

    def end(self) -> Steps[None]:
        """There are no more."""


@implementer(IBodyProducer, IConsumer)
class GuardedBody:
    """
    A body whose last bytes go on only if all of it was found good, so that a recipient never has all of a bad one.

    Its Deferred fails with what C{judge} raises, and the body within is stopped then. It can be started once.

    @ivar taken: bytes that have come.
    @ivar full: the one who reads it takes no more for now.
    @param ended: called when nothing more is judged, however that came.
    """

    at_hand = False

    def __init__(
        self, body: IBodyProducer, judge: Judge, slices: Slices, ended: Callable[[], object] = lambda: None
    ) -> None:
        self.length = body.length
        self._body = body
        self._judge = judge
        self._slices = slices
        self._when_ended = ended
        self._left: Any = body.length
        self._small = 0
        self._waiting: list[bytes] = []
        self._judging: Deferred[Any] | None = None
        self._looping = self._judged = self._ended = self.full = self._over = False
        self.taken = 0
        self._stopped_source = False
        self._consumer: IConsumer | None = None
        self._producing: Deferred[None] | None = None
        self._done: Deferred[None] | None = None

    @property
    def trailers(self) -> Sequence[Field]:
        """The trailer section of the body within, once that has ended."""
        return trailers_of(self._body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        done: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._done = done
        producing = self._producing = self._body.startProducing(self)
        producing.addCallbacks(self._complete, self._failed)
        return done

    def pauseProducing(self) -> None:
        self.full = True
        self._settle()

    def resumeProducing(self) -> None:
        self.full = False
        self._settle()

    def stopProducing(self) -> None:
        over = self._over
        self._end()
        if not over and not self._ended:
            self._body.stopProducing()

    def fail(self, error: Exception) -> None:
        """Break it off."""
        self._refused(Failure(error))

    # -- called by the body within

    def write(self, data: bytes) -> None:
        if self._done is not None:
            self._small += len(data) < _SMALL
            self.taken += len(data)
            self._waiting.append(data)
            self._go_on()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _complete(self, result: object) -> None:
        self._ended = True
        self._go_on()

    def _failed(self, reason: Failure) -> None:
        done = self._end()
        if done is not None:
            done.errback(reason)

    # -- judging

    def _go_on(self) -> None:
        if self._looping:
            return
        self._looping = True
        while self._done is not None and self._judging is None and (self._waiting or self._ended):
            steps = self._later() if self._small > _MOST_SMALL and self._waiting else self._now()
            judging: Deferred[bytes | None] = self._slices.run(steps)
            self._judging = judging
            judging.addCallbacks(self._passed, self._refused)
        self._looping = False
        self._settle()

    def _now(self) -> Steps[bytes | None]:
        data = self._waiting.pop(0) if self._waiting else None
        yield from self._judged_piece(data)
        return data

    def _later(self) -> Steps[bytes | None]:
        """All that comes within this turn, at once."""
        yield
        data = b"".join(self._waiting)
        self._waiting.clear()
        yield from self._judged_piece(data)
        return data

    def _judged_piece(self, data: bytes | None) -> Steps[None]:
        if data is not None:
            yield from self._judge.feed(data)
            if isinstance(self._left, int):
                self._left -= len(data)
        if not self._judged and (data is None or self._left == 0):
            self._judged = True
            yield from self._judge.end()

    def _passed(self, data: bytes | None) -> None:
        self._judging = None
        consumer = self._consumer
        if data is None:
            done = self._end()
            if done is not None:
                done.callback(None)
        elif consumer is not None:
            consumer.write(data)
            self._go_on()

    def _refused(self, reason: Failure) -> None:
        done = self._end()
        if done is not None:
            if not self._ended:
                self._body.stopProducing()
            done.errback(reason)

    def _settle(self) -> None:
        """Let the source go on exactly while its bytes are wanted."""
        if self._ended or self._done is None:
            return
        wanted = not self.full and self._judging is None
        if wanted and self._stopped_source:
            self._stopped_source = False
            self._body.resumeProducing()
        elif not wanted and not self._stopped_source:
            self._stopped_source = True
            self._body.pauseProducing()

    def _end(self) -> Deferred[None] | None:
        if self._over:
            return None
        self._over = True
        done, self._done = self._done, None
        judging, self._judging = self._judging, None
        self._consumer = None
        self._waiting.clear()
        self._when_ended()
        if judging is not None:
            judging.cancel()
        return done
