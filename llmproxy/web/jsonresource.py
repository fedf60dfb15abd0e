"""Resources that speak JSON: one error shape, strict input, answers that may take their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from twisted.python.failure import Failure

MOST_BYTES = 64 * 1024
"""Of a request body; no management request needs more."""

S = TypeVar("S")


class ApiFault(Exception):
    """
    What a JSON resource answers instead of a result.

    @ivar extra: further members of the body.
    @ivar fields: further header fields.
    """

    def __init__(self, status: int, error: str, code: str = "", *, fields: Any = (), **extra: str) -> None:
        super().__init__(status, error)
        self.status = status
        self.body: dict[str, Any] = {"error": error, **({"code": code} if code else {}), **extra}
        self.fields = tuple(fields)


class Answer:
    """A status beside a value; C{None} is no content."""

    def __init__(self, status: int, value: Any = None, **fields: str) -> None:
        self.status = status
        self.value = value
        self.fields = tuple((name.replace("_", "-"), text) for name, text in fields.items())


def read_json(request: Any, form: type[S]) -> S:
    """
    The body of a request as C{form}, a L{msgspec.Struct}.

    @raise ApiFault: 400, 413 or 415.
    """
    content_type = (request.getHeader(b"content-type") or b"application/json").split(b";")[0].strip().lower()
    if content_type != b"application/json":
        raise ApiFault(415, "expected Content-Type: application/json", "unsupported_media_type")
    content = request.content.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ApiFault(413, f"at most {MOST_BYTES} bytes are read", "content_too_large")
    try:
        return msgspec.json.decode(content, type=form)
    except msgspec.ValidationError as error:
        raise ApiFault(400, "invalid request body", "invalid_request", description=str(error)) from None
    except msgspec.DecodeError:
        raise ApiFault(400, "invalid request body", "invalid_request", description="not valid JSON") from None


class JsonResource(Resource):
    """
    Methods named C{on_GET}, C{on_POST} … are coroutines that return a value, an L{Answer}, or raise an L{ApiFault}.
    """

    isLeaf = True
    _log = Logger()

    def render(self, request: Any) -> int:
        method = request.method.decode("latin-1")
        action = getattr(self, f"on_{'GET' if method == 'HEAD' else method}", None)
        running: Deferred[Any] = Deferred.fromCoroutine(self._run(action, request))
        request.notifyFinish().addErrback(lambda _: running.cancel())
        running.addCallback(self._write, request)
        running.addErrback(self._gone)
        return NOT_DONE_YET

    def allowed(self) -> list[str]:
        """The methods that there are."""
        methods = [name[3:] for name in dir(self) if name.startswith("on_")]
        return sorted([*methods, "HEAD"] if "GET" in methods else methods)

    def admit(self, request: Any) -> None:
        """Raise an L{ApiFault} for whom this is not."""

    async def _run(self, action: Any, request: Any) -> Answer:
        try:
            self.admit(request)
            if action is None:
                raise ApiFault(
                    405, "method not allowed", "method_not_allowed", fields=[("Allow", ", ".join(self.allowed()))]
                )
            result = await _awaited(action(request))
        except ApiFault as fault:
            answer = Answer(fault.status, fault.body)
            answer.fields = fault.fields
            return answer
        except Exception:
            self._log.failure("{method} {path} failed", method=request.method, path=request.path)
            return Answer(500, {"error": "internal server error", "code": "internal_error"})
        return result if isinstance(result, Answer) else Answer(200, result)

    def _write(self, answer: Answer, request: Any) -> None:
        request.setResponseCode(answer.status)
        for name, text in answer.fields:
            request.setHeader(name, text)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        if answer.status != 204:
            body = msgspec.json.encode(answer.value) + b"\n"
            request.setHeader(b"Content-Type", b"application/json")
            request.setHeader(b"Content-Length", b"%d" % len(body))
            if request.method != b"HEAD":
                request.write(body)
        request.finish()

    def _gone(self, reason: Failure) -> None:
        """Whoever asked has left."""
        reason.trap(CancelledError, ConnectionLost, ConnectionDone)


async def _awaited(result: Coroutine[Any, Any, Any]) -> Any:
    return await result
