"""The emulation of twisted.web's request: its parts are made when a resource uses them."""

from __future__ import annotations

import time
from email import message_from_bytes
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.web.http import datetimeToString, parse_qs
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from ..core.caching.dates import date_field
from ..core.reasons import reason_of
from ..net.twistedinternals import parses_forms
from .requestids import id_fields

if TYPE_CHECKING:
    from email.message import Message

    from ..message import Field, Fields
    from .contracts import IServerSite


class EmulatedRequest(Request):
    """
    A L{Request} without twisted.web's channel below it. Few resources use more than a handful of its parts.

    @ivar raw_fields: the header section in wire order.
    @ivar secure: the connection is TLS.
    @ivar content: the body as a file, where a resource gets it whole.
    """

    content: Any = None
    site: IServerSite  # type: ignore[assignment]
    transport: Any
    raw_fields: list[Field]
    secure: bool

    @cached_property
    def path(self) -> bytes:  # type: ignore[override]
        return self.uri.partition(b"?")[0]

    @cached_property
    def prepath(self) -> list[bytes]:  # type: ignore[override]
        return []

    @cached_property
    def sitepath(self) -> list[bytes]:
        return []

    @cached_property
    def postpath(self) -> list[bytes]:  # type: ignore[override]
        return [unquote_to_bytes(segment) for segment in self.path[1:].split(b"/")]

    @cached_property
    def notifications(self) -> list[Any]:  # type: ignore[override]
        return []

    @cached_property
    def _adapterCache(self) -> dict[Any, Any]:  # type: ignore[override]
        return {}

    @cached_property
    def requestHeaders(self) -> Headers:  # type: ignore[override]
        headers = Headers()
        for name, value in self.raw_fields:
            headers.addRawHeader(name, value)
        return headers

    @cached_property
    def responseHeaders(self) -> Headers:  # type: ignore[override]
        return Headers()

    @cached_property
    def cookies(self) -> list[bytes]:  # type: ignore[override]
        return []

    @cached_property
    def received_cookies(self) -> dict[bytes, bytes]:  # type: ignore[override]
        pairs = [
            pair.lstrip().partition(b"=")
            for line in self.requestHeaders.getRawHeaders(b"Cookie") or ()
            for pair in line.split(b";")
        ]
        return {name: value for name, equals, value in pairs if equals}

    @cached_property
    def args(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]
        args: dict[bytes, list[bytes]] = parse_qs(self.uri.partition(b"?")[2], 1)
        if self.method == b"POST" and self.content is not None and parses_forms(self.site):
            args.update(self._form())
        return args

    def _form(self) -> dict[bytes, list[bytes]]:
        content_type = self.requestHeaders.getRawHeaders(b"Content-Type", [b""])[0]
        header = b"MIME-Version: 1.0\r\nContent-Type: %b\r\n\r\n" % content_type
        kind = message_from_bytes(header).get_content_type() if content_type else ""
        self.content.seek(0)
        form: dict[bytes, list[bytes]] = {}
        if kind == "application/x-www-form-urlencoded":
            form = parse_qs(self.content.read(), 1)
        elif kind == "multipart/form-data":
            form = _parts(message_from_bytes(header + self.content.read()))
        self.content.seek(0)
        return form

    @cached_property
    def client(self) -> Any:
        return self.transport.getPeer()

    @cached_property
    def host(self) -> Any:
        return self.transport.getHost()

    def isSecure(self) -> bool:
        return bool(self.secure or self._forceSSL)

    # -- the response

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """With the registered phrase, which Twisted does not know of every status."""
        super().setResponseCode(code, message or reason_of(code))

    def ordinary_fields(self) -> Fields:
        """The head of a response as twisted.web makes it of C{responseHeaders} and what else a resource has set."""
        headers = self.responseHeaders
        contentless = self.code in (204, 304)
        if (
            self.defaultContentType is not None
            and not contentless
            and not headers.hasHeader(b"Content-Type")
            and headers.getRawHeaders(b"Content-Length", [b""])[0] != b"0"
        ):
            headers.setRawHeaders(b"Content-Type", [self.defaultContentType])
        if self.lastModified is not None and not headers.hasHeader(b"Last-Modified"):
            headers.setRawHeaders(b"Last-Modified", [datetimeToString(self.lastModified)])
        if self.etag is not None:
            headers.setRawHeaders(b"ETag", [self.etag])
        if self.cookies:
            headers.setRawHeaders(b"Set-Cookie", self.cookies)
        fields = [(name, value) for name, values in headers.getAllRawHeaders() for value in values]
        if not headers.hasHeader(b"Date"):
            fields.insert(0, date_field(time.time() // 1))
        fields += [
            field for field in id_fields(self.site.request_id(self.raw_fields)) if not headers.hasHeader(field[0])
        ]
        return fields

    def take_notifications(self) -> list[Any]:
        """The Deferreds of C{notifyFinish}; each fires once."""
        waiting: list[Any] = self.__dict__.pop("notifications", [])
        return waiting


def _parts(message: Message) -> dict[bytes, list[bytes]]:
    """The parts of a form by their names, as twisted.web has them."""
    if not message.is_multipart():
        raise ValueError("a form of several parts has none")
    form: dict[bytes, list[bytes]] = {}
    for part in message.get_payload():
        name: Any = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        if name:
            form.setdefault(name.encode(), []).append(part.get_payload(decode=True))  # type: ignore[union-attr, arg-type]
    return form
