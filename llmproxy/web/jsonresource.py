"""Resources that speak JSON: what is asked is validated before it is acted on, what fails is said in one shape."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec
from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ..errors import (
    BadRequest,
    ContentTooLarge,
    InternalError,
    MethodNotAllowed,
    ProxyError,
    UnsupportedMediaType,
)

MAX_BODY = 64 * 1024
"""Bytes; the longest body that makes sense is a project with a key of some kilobytes."""


@define(eq=False, slots=True)
class Call:
    """
    One request to one operation.

    @ivar body: an instance of the operation's body type, C{None} where it has none.
    @ivar details: what the operation found worth noting, for whoever keeps a record of calls; no secrets.
    """

    request: Any
    body: Any = None
    details: dict[str, object] = field(factory=dict)


@frozen
class Operation:
    """
    What one method of one resource does.

    @ivar respond: its result is sent as JSON, C{None} as 204. A L{ProxyError} becomes the answer.
    @ivar body: what the request's content must be; C{None} ignores it.
    @ivar action: what a record of calls names it.
    """

    respond: Callable[[Call], Coroutine[Deferred[Any], Any, Any]]
    body: type[msgspec.Struct] | None = None
    status: int = 200
    action: str = ""


class JsonResource(Resource):
    """
    Works with C{twisted.web}'s own request as with ours: it uses C{content}, C{getHeader},
    C{setResponseCode}, C{setHeader}, C{write}, C{finish} and C{notifyFinish}.

    A client that leaves does not stop what was begun: a change is made whole, with all who have to
    know of it; only its answer goes nowhere.

    @param operations: by method; C{HEAD} comes with C{GET}.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, operations: Mapping[bytes, Operation], *, max_body: int = MAX_BODY) -> None:
        super().__init__()
        self._operations = operations
        self._max_body = max_body

    def authorize(self, request: Any) -> None:
        """Called before anything else; raise a L{ProxyError} to refuse."""

    def finished(self, call: Call, operation: Operation | None, error: ProxyError | None) -> None:
        """Called once a call, when its answer is known and before it is sent."""

    def refusal(self, method: bytes) -> ProxyError:
        """What a method is answered with that is not supported."""
        error = MethodNotAllowed(self.allowed())
        error.message = "method not allowed"
        return error

    def allowed(self) -> tuple[bytes, ...]:
        """The supported methods, for C{Allow}."""
        names = set(self._operations)
        if b"GET" in names:
            names.add(b"HEAD")
        return tuple(sorted(names))

    def render(self, request: Any) -> int:
        left: list[bool] = []
        request.notifyFinish().addErrback(lambda _: left.append(True))
        call = Call(request)
        operation: Operation | None = None
        try:
            self.authorize(request)
            operation = self._operation(request.method)
            if operation.body is not None:
                call.body = _content(request, operation.body, self._max_body)
        except ProxyError as error:
            self._answer(call, operation, left, error)
            return NOT_DONE_YET
        responding = Deferred.fromCoroutine(operation.respond(call))
        responding.addErrback(self._failed)
        responding.addCallback(lambda result: self._answer(call, operation, left, result))
        responding.addErrback(lambda reason: self._log.failure("an answer could not be sent", reason))
        return NOT_DONE_YET

    def _operation(self, method: bytes) -> Operation:
        operation = self._operations.get(b"GET" if method == b"HEAD" else method)
        if operation is None:
            raise self.refusal(method)
        return operation

    def _failed(self, reason: Failure) -> ProxyError:
        error = reason.value
        if isinstance(error, ProxyError):
            return error
        self._log.failure("a call failed", reason)
        return InternalError()

    def _answer(self, call: Call, operation: Operation | None, left: list[bool], result: Any) -> None:
        error = result if isinstance(result, ProxyError) else None
        try:
            self.finished(call, operation, error)
        except Exception:
            # Whoever keeps a record of calls does not decide what is answered.
            self._log.failure("a call could not be recorded")
        if left:
            return
        if error is not None:
            send(call.request, error.status, problem(error), error.fields)
        elif operation is not None:
            send(call.request, 204 if result is None else operation.status, result)


def problem(error: ProxyError) -> dict[str, object]:
    """The body of an error: the reference's C{error}, C{code} and, where there is more to say, C{description}."""
    body: dict[str, object] = {"error": error.message, "code": error.code}
    if error.description:
        body["description"] = error.description
    return body


def send(request: Any, status: int, value: Any, fields: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Write an answer. Nothing that this API says may be kept by a cache or taken for a page."""
    request.setResponseCode(status)
    for name, content in ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"), *fields):
        request.setHeader(name, content)
    if status != 204:
        body = msgspec.json.encode(value) + b"\n"
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Content-Length", b"%d" % len(body))
        if request.method != b"HEAD":
            request.write(body)
    request.finish()


def _content(request: Any, wanted: type[msgspec.Struct], max_body: int) -> msgspec.Struct:
    _require_json(request.getHeader(b"content-type"))
    content = request.content.read(max_body + 1) if request.content is not None else b""
    if len(content) > max_body:
        raise ContentTooLarge(f"at most {max_body} bytes are accepted")
    try:
        return msgspec.json.decode(content, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(_words(error), message="invalid request body") from None


def _require_json(content_type: Any) -> None:
    # A client that says nothing is believed: the reference never asked. A page in a browser cannot say nothing.
    if content_type is None:
        return
    text = content_type if isinstance(content_type, str) else content_type.decode("latin-1")
    kind, _, parameters = text.lower().partition(";")
    kind = kind.strip()
    if not (kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))):
        raise UnsupportedMediaType("expected application/json")
    charset = parameters.strip().replace(" ", "").replace('"', "")
    if charset.startswith("charset=") and charset != "charset=utf-8":
        raise UnsupportedMediaType("expected UTF-8")


def _words(error: Exception) -> str:
    # msgspec names the place and the expected type, never the value.
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
