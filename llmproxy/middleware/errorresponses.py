"""The one place where an error becomes a response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ..bodies import BytesBody, is_answered
from ..core.agenterrors import for_program
from ..core.causes import cause_of, described
from ..core.reasons import reason_of
from ..errors import ClientLeft, InternalError, ProxyError
from ..message import ApiResponse
from ..native import mypyc_attr
from ..providers.errorbody import render
from .recordexchanges import ending_of

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..interfaces import Responder
    from ..message import ApiRequest, Dialect


@mypyc_attr(allow_interpreted_subclasses=True)
class ErrorResponses:
    """
    Answers with the status, fields and body of an error, in the dialect of the API that it belongs to.

    @param observe: called with every error and its request, before it is answered.
    """

    _log: ClassVar = Logger()

    def __init__(self, observe: Callable[[ProxyError, ApiRequest], None] | None = None) -> None:
        self._observe = observe

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        responding = inner(request)
        if responding.called and is_answered(responding):
            return responding
        return responding.addErrback(self._explain, request)

    def _explain(self, reason: Failure, request: ApiRequest) -> ApiResponse:
        error = reason.value
        if not isinstance(error, ProxyError):
            if isinstance(error, (CancelledError, ClientLeft)):
                # Nobody is there to read an answer.
                raise error
            self._log.failure("request {request_id} failed", reason, request_id=request.record.request_id)
            error = InternalError()
        if self._observe is not None:
            self._observe(error, request)
        return explained(error, request)


def explained(error: ProxyError, request: ApiRequest) -> ApiResponse:
    """The response that tells of C{error}; the record remembers it."""
    record = request.record
    record.error_code = error.code
    record.ended = ending_of(error)
    record.cause = cause_of(error) or ""
    # An error may come before the route was found.
    route = request.route_if_found
    dialect: Dialect = "proxy" if route is None else route.api.dialect
    error = for_program(error, dialect, record.user_agent)
    body = BytesBody(render(error, dialect, record.request_id, described(error, record.api)))
    fields = [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body.content)),
        # RFC 9111 section 4.2.2: a cache may keep a 404 or 405, and tell it to the next caller.
        (b"Cache-Control", b"no-store"),
        *error.fields,
    ]
    return ApiResponse(error.status, reason_of(error.status), fields, body)
