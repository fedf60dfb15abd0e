"""The resource of a JSON API: calls are validated before they are acted on, and errors have one shape."""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET

from ..bodies import collect
from ..core.masking import mask
from ..core.reasons import reason_of
from ..errors import BadRequest, ClientLeft, InternalError, MethodNotAllowed, NotFound, ProxyError
from ..message import Fields
from .basicrequest import BasicRequest
from .jsoninput import content_of, query_of, too_large
from .operations import Call, Found, Operation, Routes, RouteTable, attempted
from .resources import CountedResource
from .streamed import Streamed, Streaming

if TYPE_CHECKING:
    from twisted.web.server import Request

MAX_BODY = 64 * 1024
"""Bytes; the longest body that makes sense is a token with as much metadata as is allowed."""

_FIXED = ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"))
"""No answer of such an API may be kept by a cache or taken for a page."""


class JsonResource(CountedResource):
    """
    Works with C{twisted.web}'s own request as with ours: it uses C{content}, C{getHeader}, C{postpath},
    C{setResponseCode}, C{setHeader}, C{write}, C{finish} and C{notifyFinish}. With ours the content comes when it is
    needed: of a caller without credentials nothing is read but the head.

    A client that leaves does not stop what was begun: a change is made whole and announced to all that
    need it; only its answer goes nowhere. A L{Streamed} answer ends with its client.

    @param table: the paths below where it stands.
    @ivar running: calls whose answer is not known yet.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, table: RouteTable, *, max_body: int = MAX_BODY) -> None:
        super().__init__()
        self._table = table
        self._max_body = max_body

    @property
    def routes(self) -> Routes:
        """The operations that there are."""
        return self._table.routes

    async def authorize(self, call: Call) -> None:
        """Called before anything else; raise a L{ProxyError} to refuse."""

    def permit(self, call: Call, operation: Operation) -> None:
        """Called when the operation is known; raise a L{ProxyError} to refuse."""

    async def perform(self, call: Call, operation: Operation) -> Any:
        """The answer, when the call has been found to be in order."""
        return await operation.respond(call)

    def finished(self, call: Call, error: ProxyError | None) -> None:
        """Called once a call, when its answer is known and before it is sent."""

    def render(self, request: Request) -> int:
        left: list[bool] = []
        request.notifyFinish().addErrback(lambda _: left.append(True))
        call = Call(request)
        self.running += 1
        responding = Deferred.fromCoroutine(self._respond(call))
        responding.addErrback(self._failed)
        responding.addCallback(lambda result: self._answer(call, left, result))
        responding.addErrback(lambda reason: self._log.failure("an answer could not be sent", reason))
        responding.addCallback(self._ended)
        return NOT_DONE_YET

    def make(self, request: Any) -> Deferred[tuple[Call, Any]]:
        """
        Make a call without HTTP, checked and noted as any other: fires with it and what its operation answers, or fails
        with a L{ProxyError}.

        @param request: a L{llmproxy.web.direct.DirectRequest}.
        """
        call = Call(request)
        self.running += 1
        making = Deferred.fromCoroutine(self._respond(call))
        making.addErrback(self._failed)
        making.addCallback(lambda result: self._made(call, result))
        return making.addBoth(self._over)

    def _over(self, result: Any) -> Any:
        self._ended(result)
        return result

    def _made(self, call: Call, result: Any) -> tuple[Call, Any]:
        error = result if isinstance(result, ProxyError) else None
        self._note(call, error)
        if error is not None:
            raise error
        return call, result

    def _note(self, call: Call, error: ProxyError | None) -> None:
        try:
            self.finished(call, error)
        except Exception:
            # A record of the call that fails does not change the answer.
            self._log.failure("a call could not be recorded")

    async def _respond(self, call: Call) -> Any:
        await self.authorize(call)
        operation = call.operation = self._operation(call)
        self.permit(call, operation)
        call.query = query_of(self.target(call), operation.query)
        if operation.body is not None:
            await self._take_content(call.request)
        call.content, call.body = content_of(call.request, operation, self._max_body)
        return await self.perform(call, operation)

    async def _take_content(self, request: Request) -> None:
        if isinstance(request, BasicRequest) and (body := request.body) is not None:
            most = min(self._max_body, request.site.limits.body)
            if isinstance(body.length, int) and body.length > most:
                raise too_large(most)
            request.content = BytesIO(await collect(body, most, lambda: too_large(most)))

    def target(self, call: Call) -> bytes:
        """The target that parameters are read of."""
        return call.request.uri

    def refusal(self, found: Found, method: bytes) -> ProxyError:
        """The error for a method that is not supported."""
        return MethodNotAllowed(_allowed(found), message="method not allowed")

    def _operation(self, call: Call) -> Operation:
        found = self._table.find([segment.decode("utf-8", "replace") for segment in call.request.postpath or ()])
        if found is None:
            raise NotFound()
        call.path = found.names
        method = call.request.method
        operation = found.operations.get(b"GET" if method == b"HEAD" else method)
        call.action = attempted(found, method) if operation is None else operation.action
        if operation is not None:
            return operation
        if method == b"OPTIONS":
            call.action = _OPTIONS.action
            call.fields.append((b"Allow", b", ".join(_allowed(found))))
            return _OPTIONS
        raise self.refusal(found, method)

    def _failed(self, reason: Failure) -> ProxyError:
        error = reason.value
        if isinstance(error, ProxyError):
            return error
        if isinstance(error, ClientLeft):
            return BadRequest("the client left before its body was here")
        self._log.failure("a call failed", reason)
        return InternalError()

    def _answer(self, call: Call, left: list[bool], result: Any) -> Deferred[None] | None:
        error = result if isinstance(result, ProxyError) else None
        self._note(call, error)
        if left:
            return None
        if error is not None:
            send_error(call.request, error, call.fields)
        elif isinstance(result, Streamed):
            return stream(call.request, result, call.fields)
        elif call.operation is not None:
            status = call.status or (204 if result is None else call.operation.status)
            send(call.request, status, result, call.fields)
        return None


async def _nothing(call: Call) -> None:
    return None


_OPTIONS = Operation(_nothing, action="options")
"""The answer of every path to OPTIONS; C{Allow} names the methods (RFC 9110 section 9.3.7)."""


def _allowed(found: Found) -> tuple[bytes, ...]:
    names = {*found.operations, b"OPTIONS"}
    if b"GET" in names:
        names.add(b"HEAD")
    return tuple(sorted(names))


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The reference's C{error}, a C{code}, and, where there is more detail, C{description}."""

    error: str
    code: str
    description: str = ""


class ProblemDetails(msgspec.Struct):
    """The same as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    code: str


def problem(error: ProxyError) -> ErrorBody:
    """The body of an error."""
    return ErrorBody(mask(error.message), error.code, mask(error.description))


def problem_details(error: ProxyError) -> ProblemDetails:
    """The body of an error for clients that accept RFC 9457."""
    return ProblemDetails(
        f"urn:llmproxy:error:{error.code}",
        HTTPStatus(error.status).phrase,
        error.status,
        mask(f"{error.message}: {error.description}" if error.description else error.message),
        error.code,
    )


def send_error(request: Request, error: ProxyError, fields: Fields = ()) -> None:
    """Write an error in the shape that the client asks for."""
    wants_details = _accepts_problem_details(request.getHeader(b"accept"))
    value: msgspec.Struct = problem_details(error) if wants_details else problem(error)
    kind = b"application/problem+json" if wants_details else b"application/json"
    send(request, error.status, value, (*fields, (b"Vary", b"Accept"), *error.fields), kind)


def send(request: Request, status: int, value: Any, fields: Fields = (), kind: bytes = b"application/json") -> None:
    """Write an answer."""
    request.setResponseCode(status, reason_of(status))
    for name, content in (*_FIXED, *fields):
        request.setHeader(name, content)
    if status != 204:
        body = msgspec.json.encode(value) + b"\n"
        request.setHeader(b"Content-Type", kind)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        if request.method != b"HEAD":
            request.write(body)
    request.finish()


def stream(request: Request, answer: Streamed, fields: Fields = ()) -> Deferred[None] | None:
    """Begin an answer that has no length; see L{Streaming.start}."""
    request.setResponseCode(200, reason_of(200))
    for name, content in (*_FIXED, *fields):
        request.setHeader(name, content)
    request.setHeader(b"Content-Type", answer.kind)
    request.setHeader(b"Content-Disposition", b'attachment; filename="%b"' % answer.name.encode("ascii"))
    if request.method == b"HEAD":
        request.finish()
        return None
    return Streaming(request, answer.pieces).start()


def _accepts_problem_details(accept: Any) -> bool:
    # Only where it is named: clients that accept anything get the shape of the reference.
    for one in (accept or b"").lower().split(b","):
        kind, *parameters = (part.strip() for part in one.split(b";"))
        if kind == b"application/problem+json":
            return not any(part.replace(b" ", b"") in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000") for part in parameters)
    return False
