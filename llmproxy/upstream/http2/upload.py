"""The content of a request, on its way to a stream: what its window has no room for waits here, and pauses the body."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from ...bodies import trailers_of
from ..upload import AT_HAND_LIMIT, BodyLengthMismatch

if TYPE_CHECKING:
    from ...message import Field
    from ...net.timers import Deadline


class Outlet(Protocol):
    """The stream that content goes to: L{llmproxy.upstream.http2.stream.UpstreamStream} is one."""

    def ready(self) -> None:
        """There is something to send."""

    def upload_failed(self, reason: Failure, /) -> None:
        """The request cannot be completed."""


@implementer(IConsumer)
class StreamUpload:
    """
    Consumer of a request body. It holds what its body gives in one piece: then the body is paused.

    @ivar begun: the body has been started.
    @ivar asks: upstream was asked whether it wants the body, RFC 9110 section 10.1.1; L{proceed} says that it does.
    @ivar complete: all of the content is here, or has been sent.
    @ivar kept: all of the content, if it was at hand at once; to send it again.
    @param body: C{None} for content that is at hand, to be given to L{add}.
    """

    __slots__ = (
        "_body",
        "_deadline",
        "_ended",
        "_keeping",
        "_left",
        "_outlet",
        "_paused",
        "_waiting",
        "asks",
        "begun",
        "complete",
        "kept",
        "trailers",
    )

    def __init__(self, outlet: Outlet, body: IBodyProducer | None, length: int | object) -> None:
        self._outlet: Outlet | None = outlet
        self._body = body
        self._left: int | None = None if length is UNKNOWN_LENGTH else length  # type: ignore[assignment]
        self._waiting: deque[bytes | memoryview] = deque()
        self._paused = self._ended = False
        self._deadline: Deadline | None = None
        self._keeping: list[bytes] | None = None
        self.asks = self.begun = self.complete = False
        self.kept: bytes | None = None
        self.trailers: list[Field] = []

    def add(self, content: bytes | memoryview) -> None:
        """The whole content, which is here."""
        self._waiting.append(content)
        self.complete = self._ended = True

    # -- the body

    def start(self) -> None:
        """Start the body."""
        if self._left is not None and self._left <= AT_HAND_LIMIT:
            self._keeping = []
        self._produce()
        keeping, self._keeping = self._keeping, None
        if keeping is not None and self.complete and self._outlet is not None:
            self.kept = b"".join(keeping)

    def ask(self, later: Callable[[Callable[[], None]], Deadline | None]) -> None:
        """
        Start the body once upstream asks for it, or has said nothing for so long.

        @param later: calls what it is given, after a while.
        """
        self.asks = True
        self._deadline = later(self.proceed)

    def proceed(self) -> None:
        """Upstream wants the body, or does not know that it could say so."""
        if self.asks and self._outlet is not None:
            self._stop_waiting()
            self._produce()

    def stop(self) -> None:
        """Take nothing more, and tell the body so unless it has ended."""
        self._release()
        if not self._ended and not self.complete:
            self._ended = True
            if self._body is not None:
                self._body.stopProducing()

    def detach(self) -> None:
        """Nothing was begun, and nothing will be here."""
        self._release()

    def _release(self) -> None:
        self._stop_waiting()
        self._outlet = self._keeping = None
        self._waiting.clear()

    def _stop_waiting(self) -> None:
        self.asks = False
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.end()

    def _produce(self) -> None:
        self.begun = True
        try:
            producing = self._body.startProducing(self)  # type: ignore[union-attr]
        except Exception:
            self._failed(Failure())
        else:
            producing.addCallbacks(self._ended_well, self._failed)

    # -- called by the body

    def write(self, data: bytes) -> None:
        outlet = self._outlet
        if outlet is None or not data:
            return
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self._mismatch("more")
                return
            self.complete = self._left == 0
        if self._keeping is not None:
            self._keeping.append(data)
        self._waiting.append(data)
        outlet.ready()
        if self._waiting and not self._paused and not self._ended and not self.complete and self._body is not None:
            self._paused = True
            self._body.pauseProducing()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _ended_well(self, result: object) -> None:
        self._ended = True
        if self._left:
            self._mismatch("less")
            return
        was_complete, self.complete = self.complete, True
        outlet = self._outlet
        if outlet is not None and not was_complete:
            if self._left is None and self._body is not None:
                self.trailers = list(trailers_of(self._body) or ())
            outlet.ready()

    def _failed(self, reason: Failure) -> None:
        self._ended = True
        outlet = self._outlet
        self._release()
        if outlet is not None:
            outlet.upload_failed(reason)

    def _mismatch(self, which: str) -> None:
        outlet = self._outlet
        self.stop()
        if outlet is not None:
            outlet.upload_failed(Failure(BodyLengthMismatch(f"the request body has {which} bytes than announced")))

    # -- called by the stream

    @property
    def waits(self) -> bool:
        """Whether there is something to send, if only the end."""
        return bool(self._waiting) or self.complete

    @property
    def is_over(self) -> bool:
        """Whether all has been taken."""
        return self.complete and not self._waiting

    def take(self, room: int) -> bytes | memoryview:
        """So much at most of what comes next; nothing if there is only the end to send."""
        if not self._waiting:
            return b""
        first = self._waiting[0]
        if len(first) <= room:
            return self._waiting.popleft()
        # What was handed over is the body's, which does not change it: a view is no copy.
        view = memoryview(first)
        self._waiting[0] = view[room:]
        return view[:room]

    def go_on(self) -> None:
        """What was here has been taken: have the body give more."""
        if self._paused and not self._waiting and not self._ended and self._body is not None:
            self._paused = False
            self._body.resumeProducing()
