"""The bytes of an error, in the shape that the client knows how to read."""

from __future__ import annotations

import msgspec
from attrs import frozen

from ..core.masking import mask
from ..errors import ProxyError
from .registry import BY_NAME


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
        """What a client gets to know of C{error}, secrets masked."""
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


def render(error: ProxyError, dialect: str, request_id: str, description: str | None = None) -> bytes:
    """
    The body of an error response, JSON.

    @param dialect: C{"proxy"} is the reference's C{{"error", "description", "code"}}; the others are what the
        SDK of that vendor makes its own exceptions of.
    @param description: in place of the error's own.
    """
    said = mask(error.description if description is None else description)
    provider = BY_NAME.get(dialect)
    if provider is None or provider.error_body is None:
        return ErrorResponse(mask(error.message), error.code, said).encode() + b"\n"
    return msgspec.json.encode(provider.error_body(error.status, error.code, _words(error, said), request_id)) + b"\n"


def event(error: ProxyError, dialect: str) -> bytes:
    """
    The same as a message of a WebSocket, for APIs whose protocol has one; C{b""} for others.

    The proxy's own is OpenAI's.
    """
    provider = BY_NAME.get("openai" if dialect == "proxy" else dialect)
    if provider is None or provider.error_event is None:
        return b""
    return msgspec.json.encode(provider.error_event(error.status, error.code, _words(error, mask(error.description))))


def _words(error: ProxyError, description: str) -> str:
    message = mask(error.message)
    return f"{message}: {description}" if description else message
