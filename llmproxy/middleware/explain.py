"""The one place where errors become answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..bodies import BytesBody
from ..core.errorbody import render
from ..errors import InternalError, ProxyError, RequestBodyTimeout, UpstreamError, UpstreamTimeout
from ..message import ApiResponse, Ending

if TYPE_CHECKING:
    from ..interfaces import Responder
    from ..message import ApiRequest


class Explain:
    """
    Answers with the error that a layer further in has failed with, in the dialect of the route.

    What is not a L{ProxyError} passes: cancellation is nobody's answer, and a fault of our own is
    C{account}'s to log.
    """

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request).addErrback(self._explain, request)

    def _explain(self, reason: Failure, request: ApiRequest) -> ApiResponse:
        error = reason.value
        return explained(error, request) if isinstance(error, ProxyError) else reason


def explained(error: ProxyError, request: ApiRequest) -> ApiResponse:
    """The answer that tells the client of C{error}; the record remembers it."""
    record = request.record
    record.error_code = error.code
    record.ended = ending_of(error)
    route = getattr(request, "route", None)
    body = render(error, "proxy" if route is None else route.api.dialect, record.request_id)
    fields = [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        # RFC 9111 section 3: a 404 or 405 could be kept by a cache, and be told to the next caller.
        (b"Cache-Control", b"no-store"),
        *error.fields,
    ]
    return ApiResponse(error.status, b"", fields, BytesBody(body))


def ending_of(error: BaseException) -> Ending:
    """How an exchange ended that C{error} put an end to."""
    if isinstance(error, (UpstreamTimeout, RequestBodyTimeout)):
        return "timeout"
    if isinstance(error, UpstreamError):
        return "upstream_failed"
    if isinstance(error, InternalError) or not isinstance(error, ProxyError):
        return "failed"
    return "refused"
