"""Tracing: the trace of each exchange, and the calls to upstream that are made for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from ..bodies import Tap, at_hand
from ..composition import NO_KEYWORDS
from ..core.causes import cause_of
from ..core.telemetry.tracecontext import passed_on
from ..errors import BodyStopped, ProxyError
from ..message import Call

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.telemetry.traces import Traces
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Record, Trace


class JoinTrace:
    """Outside of all that can refuse: each exchange has a span in the trace of its caller, or in a new one."""

    def __init__(self, traces: Traces) -> None:
        self._joined = traces.joined

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        record = request.record
        record.trace = self._joined(record.trace)
        record.scheme = "https" if request.secure else "http"
        record.version = request.version.removeprefix(b"HTTP/").decode("latin-1")
        return inner(request)


class TraceCalls:
    """
    Inside of what decides whether upstream is asked, outside of the deadlines: notes each call that is made, when it
    began and ended and how, and names it to upstream as its parent, where that is configured.

    @param seconds: since the epoch.
    """

    def __init__(self, traces: Traces, seconds: Callable[[], float]) -> None:
        self._traces = traces
        self._passing = traces.options.traceparent
        self._seconds = seconds

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        record = request.record
        trace = record.trace
        if trace is None:
            trace = record.trace = self._traces.joined(None)
        call = self._begun(request, trace)
        if record.calls is None:
            record.calls = []
        record.calls.append(call)
        if self._passing != "pass":
            request.fields = passed_on(
                request.fields, trace, call.span_id, self._passing, restarts=not self._traces.options.hears
            )
        try:
            responding = inner(request)
        except Exception as error:
            self._ended(call, error)
            raise
        return responding.addCallbacks(self._answered, self._failed, (call, record), NO_KEYWORDS, (call,))

    def _begun(self, request: ApiRequest, trace: Trace) -> Call:
        upstream, model = request.upstream, request.model or request.record.model
        return Call(
            trace,
            self._traces.span_id(),
            request.route.api.name,
            upstream.name,
            upstream.origin.host,
            upstream.origin.port,
            upstream.provider,
            upstream.models.get(model, "") if upstream.models and model else "",
            self._seconds(),
        )

    def _answered(self, response: ApiResponse, call: Call, record: Record) -> ApiResponse:
        call.head = self._seconds()
        call.status = response.status
        call.request_id = record.upstream_request_id
        body = response.body
        if body is None or at_hand(body):
            call.ended = call.head
        else:
            response.body = Tap(body, None, lambda reason: self._ended(call, reason and reason.value))
        return response

    def _failed(self, reason: Failure, call: Call) -> Failure:
        self._ended(call, reason.value)
        return reason

    def _ended(self, call: Call, error: BaseException | None) -> None:
        call.ended = self._seconds()
        if error is not None:
            call.cause = cause_of_call(error)


def cause_of_call(error: BaseException) -> str:
    """A word for why a call brought no answer, or no whole one."""
    if isinstance(error, (CancelledError, BodyStopped)):
        return "cancelled"
    return cause_of(error) or (error.code if isinstance(error, ProxyError) else "failed")
