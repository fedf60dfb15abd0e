"""The resources C{/health}, C{/live} and C{/ready}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.web.server import NOT_DONE_YET

from .. import __version__
from ..errors import ProxyError
from .readonly import ReadOnlyResource

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.server import Request

    from ..interfaces import IHealthCheck


DRAINING = "The proxy is draining: running requests end, new ones are refused"


def _answer(request: Request, status: int, content_type: bytes, body: bytes) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type)
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


class Health(ReadOnlyResource):
    """The process answers: a constant and the time, without a look at any dependency."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock

    def render_GET(self, request: Request) -> bytes:
        now = datetime.fromtimestamp(self._clock(), timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
        body = msgspec.json.encode({"status": "ok", "timestamp": now, "version": __version__})
        return _answer(request, 200, b"application/json", body)


class Live(ReadOnlyResource):
    """The process runs."""

    def render_GET(self, request: Request) -> bytes:
        return _answer(request, 200, b"text/plain; charset=utf-8", b"alive\n")


class Ready(ReadOnlyResource):
    """
    Whether traffic should come here: every dependency works, and the process is not draining.

    200 C{ready}, or 503 and a JSON object that names what is not, for the operator.

    @param draining: whether the process has begun to stop.
    @param warnings: sentences that follow C{ready}, a line each: what works worse, and is no reason to stay away.
    """

    def __init__(
        self,
        checks: Sequence[IHealthCheck],
        draining: Callable[[], bool],
        warnings: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        super().__init__()
        self._checks = checks
        self._draining = draining
        self._warnings = warnings

    def render_GET(self, request: Request) -> int | bytes:
        if self._draining():
            return self._not_ready(request, {"proxy": DRAINING})
        problems: dict[str, str] = {}
        checking: Deferred[Any] = gatherResults([_checked(check, problems) for check in self._checks])
        request.notifyFinish().addErrback(lambda _: checking.cancel())
        checking.addCallback(self._respond, request, problems).addErrback(lambda _: None)
        return NOT_DONE_YET

    def _respond(self, result: object, request: Request, problems: dict[str, str]) -> None:
        if problems:
            body = self._not_ready(request, problems)
        else:
            lines = "".join(f"warning: {each}\n" for each in self._warnings())
            body = _answer(request, 200, b"text/plain; charset=utf-8", f"ready\n{lines}".encode())
        request.write(body)
        request.finish()

    def _not_ready(self, request: Request, problems: dict[str, str]) -> bytes:
        request.setHeader(b"Retry-After", b"5")
        return _answer(
            request, 503, b"application/json", msgspec.json.encode({"status": "not ready", "problems": problems})
        )


def _checked(check: IHealthCheck, problems: dict[str, str]) -> Deferred[None]:
    def failed(reason: Failure) -> None:
        problems[check.name] = _sentence(reason.value)

    outcome: Deferred[None] = check.check()
    outcome.addErrback(failed)
    return outcome


def _sentence(error: Any) -> str:
    """The message of an error, for an operator."""
    if isinstance(error, ProxyError):
        return error.description or error.message
    return str(error) or type(error).__name__
