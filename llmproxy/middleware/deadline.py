"""
Time limits of upstream.

Until the head: while an upload runs, its silence counts; from its last byte on, the time until the head (for
a request without a body, from the moment that it was handed on, so getting a connection is part of it). In
the body: silence, but only while somebody wants to read, since a slow reader is not upstream's fault. The whole
exchange, where it is limited, counts above all of them. Connecting has its own limit in the pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ..bodies import BytesBody, Seen, Tap, at_hand
from ..composition import NO_KEYWORDS
from ..errors import Phase, ProxyError, RequestBodyTimeout, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IConsumer
    from twisted.web.iweb import IBodyProducer

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Record
    from ..net.timers import Deadline, TimerWheel
    from ..origin import Timeouts


class Deadlines:
    """
    Fails with L{UpstreamTimeout}, or with L{RequestBodyTimeout} if it is the client that has gone silent, and
    cancels what is further in.

    @param timeouts: in place of those of each request's API.
    """

    def __init__(self, wheel: TimerWheel, timeouts: Timeouts | None = None) -> None:
        self._wheel = wheel
        self._timeouts = timeouts

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        timed = _Timed(self._wheel, self._timeouts or request.route.api.timeouts, request.record)
        if request.begun is not None:
            timed.counts_from(request.begun)
        body = request.body
        if body is not None and body.length and not at_hand(body):
            request.body = timed.upload = _TimedUpload(body, timed)
        responding = inner(request)
        # A small body has gone out by now: only what is still awaited gets a place on the wheel.
        if not responding.called:
            timed.wait_for(responding)
        heard = request.heard
        if heard is None:
            return responding.addCallbacks(timed.head, timed.failed, (), NO_KEYWORDS)
        request.heard = None
        return responding.addCallbacks(timed.head_for, timed.failed, (heard,), NO_KEYWORDS)


class _Timed:
    """
    One exchange: at most one deadline stands on the wheel for it.

    @ivar _awaited: what to cancel when it passes: the head, then the body.
    @ivar _seconds: how long the present phase may last without being moved on.
    @ivar _ends: when the whole exchange must be over.
    @ivar paused: nobody wants to read the response for now.
    """

    __slots__ = (
        "_awaited",
        "_deadline",
        "_ends",
        "_fault",
        "_now",
        "_phase",
        "_record",
        "_seconds",
        "_started",
        "_timeouts",
        "_wheel",
        "paused",
        "upload",
    )

    def __init__(self, wheel: TimerWheel, timeouts: Timeouts, record: Record) -> None:
        self._wheel = wheel
        self._now = wheel.now
        self._timeouts = timeouts
        self._record = record
        self._started = self._now()
        self._ends = None if timeouts.request is None else self._started + timeouts.request
        self._awaited: Deferred[ApiResponse] | Deferred[None] | None = None
        self._deadline: Deadline | None = None
        self._fault: ProxyError | None = None
        self._phase: Phase | Literal["upload"] = "response_header"
        self._seconds: float | None = None
        self.paused = False
        self.upload: _TimedUpload | None = None

    def counts_from(self, begun: float) -> None:
        """An attempt before this one has used up a part of the whole exchange."""
        if self._timeouts.request is not None:
            self._ends = begun + self._timeouts.request

    # -- phases

    def wait_for(self, responding: Deferred[ApiResponse]) -> None:
        self._awaited = responding
        if self.upload is None or self.upload.ended:
            self._begin("response_header", self._timeouts.response_header)
        else:
            self._begin("upload", self._timeouts.silence)

    def uploaded(self) -> None:
        if self._phase == "upload" and self._awaited is not None:
            self._begin("response_header", self._timeouts.response_header)

    def head(self, response: ApiResponse) -> ApiResponse:
        self._record.upstream_first_byte = self._now() - self._started
        self._awaited = None
        if response.body is None or isinstance(response.body, BytesBody):
            self.over()
        else:
            response.body = _TimedBody(response.body, self)
            if response.upgraded is not None:
                response.upgraded = Seen(response.upgraded, self.moved)
        return response

    def head_for(self, response: ApiResponse, heard: Callable[[ApiResponse], object]) -> ApiResponse:
        """The same, for one who hears of it: see L{ApiRequest.heard}."""
        heard(self.head(response))
        return response

    def read(self, producing: Deferred[None]) -> None:
        self._awaited = producing
        self._begin("silence", self._timeouts.silence)

    def moved(self, data: bytes) -> None:
        """A chunk passed: whatever was silent is not."""
        deadline, seconds = self._deadline, self._seconds
        if deadline is not None and seconds is not None:
            at = self._now() + seconds
            deadline.at = at if self._ends is None or at < self._ends else self._ends

    def over(self) -> None:
        self._awaited = None
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None

    def failed(self, reason: Failure) -> Failure:
        self.over()
        return self.instead(reason)

    def instead(self, reason: Failure) -> Failure:
        """What our own cancelling stands for."""
        if self._fault is not None and reason.check(CancelledError):
            return Failure(self._fault)
        return reason

    # -- the deadline

    def _begin(self, phase: Phase | Literal["upload"], seconds: float | None) -> None:
        self._phase = phase
        self._seconds = seconds
        now = self._now()
        at = None if seconds is None else now + seconds
        if self._ends is not None and (at is None or at > self._ends):
            at = self._ends
        deadline = self._deadline
        if deadline is not None:
            if at is not None and at >= deadline.at:
                deadline.at = at
                return
            deadline.end()
        self._deadline = None if at is None else self._wheel.start(at - now, self._passed)

    def _passed(self) -> None:
        self._deadline = None
        if self._awaited is None:
            # The head is there and nobody has begun to read.
            return
        if self._ends is not None and self._now() >= self._ends:
            self._fault = UpstreamTimeout("request")
        elif self._phase == "silence" and self.paused:
            self._begin("silence", self._seconds)
            return
        elif self._phase == "upload":
            self._fault = self._stalled()
        else:
            self._fault = UpstreamTimeout(self._phase)
        self._awaited.cancel()

    def _stalled(self) -> ProxyError:
        if self.upload is not None and self.upload.wanted:
            return RequestBodyTimeout()
        return UpstreamTimeout("silence")


class _TimedUpload(Tap):
    """
    @ivar wanted: upstream takes what comes: a silence is the client's.
    @ivar ended: nothing more will come.
    """

    def __init__(self, body: IBodyProducer, timed: _Timed) -> None:
        super().__init__(body, timed.moved, self._over)
        self._timed = timed
        self.wanted = False
        self.ended = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self.wanted = True
        return super().startProducing(consumer)

    def pauseProducing(self) -> None:
        self.wanted = False
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.wanted = True
        super().resumeProducing()

    def _over(self, reason: Failure | None) -> None:
        self.ended = True
        if reason is None:
            self._timed.uploaded()


class _TimedBody(Tap):
    def __init__(self, body: IBodyProducer, timed: _Timed) -> None:
        super().__init__(body, timed.moved, lambda _: timed.over())
        self._timed = timed

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        producing = super().startProducing(consumer)
        if not producing.called:
            self._timed.read(producing)
            producing.addErrback(self._timed.instead)
        return producing

    def pauseProducing(self) -> None:
        self._timed.paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._timed.paused = False
        self._timed.moved(b"")
        super().resumeProducing()
