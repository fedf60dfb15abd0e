"""
Bodies that are watched, made or refused on their way; none of them holds more than a chunk.

A body is an C{IBodyProducer}: started once, paused, resumed, stopped; cancelling what
C{startProducing} returned stops it too. See C{twisted.web.iweb.IBodyProducer}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import classImplements

from .errors import BodyStopped
from .message import ApiResponse, Fields
from .native import mypyc_attr


def at_hand(body: IBodyProducer) -> bool:
    """
    Whether all of a body is here already: starting it delivers it at once, and nothing can cut it short.

    Who only watches for what may happen on the way need not watch such a body; most answers that are not
    streamed are. A body says so with an attribute C{at_hand}; one without it is not.
    """
    return getattr(body, "at_hand", False)


def is_answered(responding: Deferred[ApiResponse]) -> bool:
    """
    Whether a response is here already with all of its body, as those from memory are: nothing can happen on the way
    that callbacks would have to see.
    """
    if not responding.called or responding.paused:
        return False
    response = responding.result
    return isinstance(response, ApiResponse) and (response.body is None or at_hand(response.body))


def trailers_of(body: IBodyProducer) -> Fields:
    """The trailer section of a body that has ended; empty for one that knows of none, as those of twisted.web do."""
    return getattr(body, "trailers", ())


@mypyc_attr(allow_interpreted_subclasses=True)
class BytesBody:
    """
    A body that is at hand whole. It can be started more than once.

    @ivar content: all of it.
    @ivar length: bytes; or L{twisted.web.iweb.UNKNOWN_LENGTH} for one that came in chunks and goes on so.
    """

    __slots__ = ("_ended", "content", "length")

    at_hand = True

    def __init__(self, content: bytes, length: int | object = None) -> None:
        self.content = content
        self.length = len(content) if length is None else length
        self._ended: Callable[[Failure | None], object] | None = None

    def watch(self, ended: Callable[[Failure | None], object]) -> None:
        """Have C{ended} called once: with C{None} when it is taken, with L{BodyStopped} if it is dropped."""
        self._ended = ended

    def take(self) -> bytes:
        """The content, for those who need not start a body to have it."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(None)
        return self.content

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        content = self.take()
        if content:
            consumer.write(content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It is written at once; there is nothing to pause."""

    def resumeProducing(self) -> None:
        """See L{pauseProducing}."""

    def stopProducing(self) -> None:
        self.content = b""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(Failure(BodyStopped()))


classImplements(BytesBody, IBodyProducer)


@mypyc_attr(allow_interpreted_subclasses=True)
class Tap:
    """
    A body whose chunks are seen on their way, and whose end is reported exactly once.

    @param seen: called with each chunk before it is passed on.
    @param ended: called with C{None} at the complete end, or with the C{Failure} that cut the body
        short: C{CancelledError} if the exchange was cancelled,
        L{BodyStopped} if the reader stopped it (also if it never started).
    """

    def __init__(
        self,
        body: IBodyProducer,
        seen: Callable[[bytes], object] | None,
        ended: Callable[[Failure | None], object] | None = None,
    ) -> None:
        self._body = body
        self._seen = seen
        self._ended = ended
        self._consumer: IConsumer | None = None
        self.length = body.length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        if self._seen is not None:
            self._consumer, consumer = consumer, self
        done: Deferred[None] = self._body.startProducing(consumer)
        if self._ended is not None:
            done.addCallbacks(self._complete, self._cut)
        return done

    @property
    def trailers(self) -> Fields:
        """The trailer section of the body within, once that has ended."""
        return trailers_of(self._body)

    def write(self, data: bytes) -> None:
        self._seen(data)  # type: ignore[misc]
        self._consumer.write(data)  # type: ignore[union-attr]

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._body.stopProducing()
        self._tell(Failure(BodyStopped()))

    def _complete(self, result: None) -> None:
        self._tell(None)

    def _cut(self, reason: Failure) -> Failure:
        self._tell(reason)
        return reason

    def _tell(self, reason: Failure | None) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(reason)
            # Who watches and who reads hold the body, and the body them: without this they wait for the collector.
            self._seen = self._consumer = None


classImplements(Tap, IBodyProducer, IConsumer)


@mypyc_attr(allow_interpreted_subclasses=True)
class Seen:
    """
    A consumer whose bytes are seen on their way.

    @param seen: called with each chunk before it is passed on.
    """

    def __init__(self, consumer: IConsumer, seen: Callable[[bytes], object]) -> None:
        self._consumer = consumer
        self._seen = seen

    def write(self, data: bytes) -> None:
        self._seen(data)
        self._consumer.write(data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._consumer.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._consumer.unregisterProducer()


classImplements(Seen, IConsumer)


class Collector:
    """
    Reads a body whole, up to a bound.

    The returned Deferred of L{collect} fires with the content, or fails with what C{too_large}
    makes once the bound is passed (the body is stopped then). Cancelling it cancels the body.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.chunks: list[bytes] = []
        self.overflow: Callable[[], object] | None = None

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self.limit:
            self.chunks.clear()
            overflow, self.overflow = self.overflow, None
            if overflow is not None:
                overflow()
        else:
            self.chunks.append(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")


classImplements(Collector, IConsumer)


def collect(body: IBodyProducer, limit: int, too_large: Callable[[], Exception]) -> Deferred[bytes]:
    """
    Read C{body} whole. Not more than C{limit} bytes are ever held.

    @param too_large: makes the exception that the Deferred fails with when there is more.
    """
    collector = Collector(limit)
    producing: list[Deferred[None]] = []
    result: Deferred[bytes] = Deferred(lambda _: producing[0].cancel())

    def overflow() -> None:
        body.stopProducing()
        result.errback(too_large())

    def finished(outcome: object) -> None:
        if result.called:
            return
        if isinstance(outcome, Failure):
            result.errback(outcome)
        elif collector.size <= limit:
            result.callback(b"".join(collector.chunks))

    collector.overflow = overflow
    producing.append(body.startProducing(collector))
    producing[0].addBoth(finished)
    return result
