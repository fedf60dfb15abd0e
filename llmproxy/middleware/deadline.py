"""
How long upstream may take.

Until the head: while an upload runs, its silence counts; from its last byte on, the time until the
head. In the body: silence, but only while somebody wants to read, since a slow reader is not upstream's fault.
The whole exchange, where it is limited, counts above all of them. Connecting has its own limit in the pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ..bodies import Tap
from ..errors import UpstreamTimeout

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Record, Timeouts
    from ..wheel import Deadline, Wheel


class Deadlines:
    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        timed = _Timed(self._wheel, request.route.api.timeouts, request.record)
        body = request.body
        if body is not None and body.length:
            timed.uploading()
            request.body = Tap(body, timed.moved, timed.uploaded)
        else:
            timed.waiting()
        responding = inner(request)
        timed.pending = responding
        return responding.addCallbacks(timed.head, timed.failed)


class _Timed:
    """One exchange: at most one deadline stands on the wheel for it."""

    __slots__ = (
        "_deadline",
        "_ends",
        "_headed",
        "_now",
        "_phase",
        "_record",
        "_seconds",
        "_started",
        "_timeouts",
        "_wheel",
        "fault",
        "pending",
    )

    def __init__(self, wheel: Wheel, timeouts: Timeouts, record: Record) -> None:
        self._record = record
        self._started = wheel.now()
        self._wheel = wheel
        self._now = wheel.now
        self._timeouts = timeouts
        self._deadline: Deadline | None = None
        self._ends = None if timeouts.request is None else self._started + timeouts.request
        self._headed = False
        self._phase = ""
        self._seconds: float | None = None
        self.pending: Deferred[ApiResponse] | Deferred[None] | None = None
        self.fault: UpstreamTimeout | None = None

    # -- phases

    def uploading(self) -> None:
        self._begin("silence", self._timeouts.silence)

    def waiting(self) -> None:
        self._begin("response_header", self._timeouts.response_header)

    def reading(self) -> None:
        self._begin("silence", self._timeouts.silence)

    def paused(self) -> None:
        self._begin("", None)

    def over(self) -> None:
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None
        self.pending = None

    def _begin(self, phase: str, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None
        self._phase = phase
        self._seconds = seconds
        if self._ends is not None:
            left = max(0.0, self._ends - self._now())
            seconds = left if seconds is None else min(left, seconds)
        if seconds is not None:
            self._deadline = self._wheel.start(seconds, self._passed)

    def _passed(self) -> None:
        self._deadline = None
        phase = self._phase
        if self._ends is not None and self._now() >= self._ends:
            phase = "request"
        elif not phase:
            return
        self.fault = UpstreamTimeout(phase)
        if self.pending is not None:
            self.pending.cancel()

    # -- what happens

    def moved(self, data: bytes) -> None:
        """A chunk passed: whatever was silent is not."""
        deadline, seconds = self._deadline, self._seconds
        if deadline is not None and seconds is not None:
            at = self._now() + seconds
            deadline.at = at if self._ends is None or at < self._ends else self._ends

    def uploaded(self, reason: Failure | None) -> None:
        if reason is None and not self._headed:
            self.waiting()

    def head(self, response: ApiResponse) -> ApiResponse:
        self._headed = True
        self._record.upstream_first_byte = self._now() - self._started
        if response.body is None:
            self.over()
        else:
            response.body = _TimedBody(response, self)
            self.pending = None
            self.paused()
        return response

    def failed(self, reason: Failure) -> Failure:
        self.over()
        return self.instead(reason)

    def instead(self, reason: Failure) -> Failure:
        """What our own cancelling stands for."""
        if self.fault is not None and reason.check(CancelledError):
            return Failure(self.fault)
        return reason


class _TimedBody(Tap):
    def __init__(self, response: ApiResponse, timed: _Timed) -> None:
        assert response.body is not None
        super().__init__(response.body, timed.moved, lambda _: timed.over())
        self._timed = timed

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        timed = self._timed
        timed.reading()
        producing = super().startProducing(consumer)
        if not producing.called:
            timed.pending = producing
            producing.addErrback(timed.instead)
        return producing

    def pauseProducing(self) -> None:
        self._timed.paused()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        if self._timed.pending is not None:
            self._timed.reading()
        super().resumeProducing()
