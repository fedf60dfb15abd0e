"""The body of a request, on its way from a connection to its reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.web.iweb import IBodyProducer
from zope.interface import classImplements

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer
    from twisted.python.failure import Failure

    from ...message import Field


class Channel(Protocol):
    """The source of a body: a connection of HTTP/1.1, or a stream of HTTP/2."""

    def body_wanted(self) -> None:
        """The body is read from now on."""

    def reconsider(self) -> None:
        """There is room for more, or less."""


class RequestBody:
    """
    A body that may be still on its way.

    The Deferred of L{startProducing} fails with L{llmproxy.errors.ClientLeft}, with
    L{llmproxy.errors.RequestBodyTimeout} after too long a silence, or with L{llmproxy.core.http11.Refusal} for chunks
    that are none. Cancelling it stops the body.

    While it is not read, the connection is not read either: not more than one read buffer waits here.

    @ivar length: bytes, or C{UNKNOWN_LENGTH}.
    @ivar trailers: filled in when the body has ended.
    @ivar complete: the channel has read all of it.
    @ivar started: it is read, or was.
    @ivar stopped: the rest is not wanted.
    """

    __slots__ = (
        "_channel",
        "_consumer",
        "_done",
        "_failure",
        "_paused",
        "_waiting",
        "complete",
        "length",
        "started",
        "stopped",
        "trailers",
    )

    def __init__(self, channel: Channel, length: object) -> None:
        self._channel = channel
        self.length = length
        self.trailers: Sequence[Field] = ()
        self.complete = self.started = self.stopped = False
        self._paused = False
        self._failure: Failure | None = None
        self._waiting: list[bytes] = []
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] | None = None

    # -- for the reader

    @property
    def at_hand(self) -> bool:
        """See L{llmproxy.bodies.at_hand}."""
        return self.complete and not self.started and self._failure is None

    def take(self) -> bytes:
        """All of a body that is L{at_hand}, to be handed on."""
        self.started = True
        waiting, self._waiting = self._waiting, []
        return waiting[0] if len(waiting) == 1 else b"".join(waiting)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        if self.started:
            raise RuntimeError("a request body can be read once")
        self.started = True
        if self.complete:
            waiting, self._waiting = self._waiting, []
            for piece in waiting:
                consumer.write(piece)
            return succeed(None)
        self._consumer = consumer
        done: Deferred[None] = Deferred(self._cancelled)
        self._done = done
        if self._failure is not None:
            self._finish()
        elif not self.stopped:
            self._channel.body_wanted()
            self._deliver()
        return done

    def pauseProducing(self) -> None:
        self._paused = True
        if not self.complete:
            self._channel.reconsider()

    def resumeProducing(self) -> None:
        self._paused = False
        self._deliver()

    def stopProducing(self) -> None:
        """What waits and what is to come is thrown away; the Deferred never fires."""
        self._waiting.clear()
        self._consumer = None
        if not self.stopped:
            self.stopped = True
            if not self.complete:
                self._channel.reconsider()

    def _cancelled(self, done: Deferred[None]) -> None:
        self.stopProducing()

    # -- for the channel

    @property
    def wants_data(self) -> bool:
        """Whether there is room for one more piece."""
        return not self._waiting and not self._paused

    def arrived(self, piece: bytes) -> None:
        if self.stopped:
            return
        if self._consumer is not None and not self._waiting and not self._paused:
            self._consumer.write(piece)
        else:
            self._waiting.append(piece)

    def ended(self, trailers: Sequence[Field]) -> None:
        self.trailers = trailers
        self.complete = True
        if not self._waiting:
            self._finish()

    def fail(self, reason: Failure) -> None:
        """The rest will not come; what waits is no longer of use."""
        if self.complete or self.stopped or self._failure is not None:
            return
        self._failure = reason
        self._waiting.clear()
        self._finish()

    def _deliver(self) -> None:
        waiting = self._waiting
        while waiting and self._consumer is not None and not self._paused:
            self._consumer.write(waiting.pop(0))
        if waiting or self.stopped:
            return
        if self.complete:
            self._finish()
        elif self._failure is None:
            self._channel.reconsider()

    def _finish(self) -> None:
        done, self._done = self._done, None
        if done is None or done.called or self.stopped:
            return
        self._consumer = None
        if self._failure is not None:
            done.errback(self._failure)
        else:
            done.callback(None)


classImplements(RequestBody, IBodyProducer)
