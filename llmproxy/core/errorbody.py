"""The bytes of an error, in the shape that the client knows how to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from attrs import frozen

from ..errors import ProxyError
from ..message import Dialect
from .masking import mask

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@frozen
class ErrorResponse:
    """
    The body of an error answer in the dialect C{proxy}, which is the reference's: C{{"error", "description", "code"}}.

    @ivar error: a sentence for people.
    @ivar code: a word for programs; C{""} for none.
    @ivar description: a further sentence, or C{""}.
    """

    error: str
    code: str = ""
    description: str = ""

    @classmethod
    def of(cls, error: ProxyError) -> ErrorResponse:
        """What a client is told of C{error}, secrets masked."""
        return cls(mask(error.message), error.code, mask(error.description))

    @classmethod
    def parse(cls, body: bytes) -> ErrorResponse:
        """
        Read an answer.

        @raise ValueError: it is none of these.
        """
        try:
            read = msgspec.json.decode(body, type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"no error of the proxy: {error}") from None
        return cls(read.error, read.code, read.description)

    def encode(self) -> bytes:
        """The bytes of the body, JSON."""
        return msgspec.json.encode(self.members())

    def members(self) -> dict[str, str]:
        """Those that say something; C{error} always does."""
        members = {"error": self.error, "code": self.code, "description": self.description}
        return {name: value for name, value in members.items() if value or name == "error"}


class _Body(msgspec.Struct):
    error: str
    code: str = ""
    description: str = ""


def render(error: ProxyError, dialect: Dialect, request_id: str, description: str | None = None) -> bytes:
    """
    The body of an error response, JSON.

    @param dialect: C{"proxy"} is the reference's C{{"error", "description", "code"}}; the others are what the
        SDK of that vendor makes its own exceptions of.
    @param description: in place of the error's own.
    """
    said = mask(error.description if description is None else description)
    return msgspec.json.encode(_SHAPES[dialect](error, said, request_id)) + b"\n"


def event(error: ProxyError, dialect: Dialect) -> bytes:
    """
    The same as an event of a WebSocket, for APIs whose protocol has one; C{b""} for others.

    OpenAI's C{error} of Realtime, which clients of Responses over WebSocket know too (read on 30 November 2026).
    """
    if dialect not in ("openai", "proxy"):
        return b""
    return msgspec.json.encode({"type": "error", "event_id": "event_llmproxy", **_openai(error, error.description, "")})


def _words(error: ProxyError, description: str) -> str:
    message = mask(error.message)
    return f"{message}: {description}" if description else message


def _proxy(error: ProxyError, description: str, request_id: str) -> dict[str, str]:
    return ErrorResponse(mask(error.message), error.code, description).members()


def _openai(error: ProxyError, description: str, request_id: str) -> dict[str, object]:
    kind = _OPENAI_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    return {"error": {"message": _words(error, description), "type": kind, "param": None, "code": error.code}}


def _anthropic(error: ProxyError, description: str, request_id: str) -> dict[str, object]:
    kind = _ANTHROPIC_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": _words(error, description)}, "request_id": request_id}


def _gemini(error: ProxyError, description: str, request_id: str) -> dict[str, object]:
    status = _GEMINI_STATUSES.get(error.status, "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")
    return {"error": {"code": error.status, "message": _words(error, description), "status": status}}


_SHAPES: dict[Dialect, Callable[[ProxyError, str, str], Mapping[str, object]]] = {
    "proxy": _proxy,
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
