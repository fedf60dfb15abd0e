"""One request for a page and its answer, as bytes: cookies, forms, compression, header fields."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote

from ..bodies import collect
from ..core.cookies import READER, SESSION, VISITOR, cookies_of, own, set_cookie
from ..core.reasons import reason_of
from ..errors import BadRequest, ContentTooLarge
from ..web.api.stocksite import fields_of
from ..web.basicrequest import BasicRequest
from ..web.clientaddress import client_of, peer_of
from ..web.streamed import Streamed, Streaming
from .backend import Browser
from .csrf import is_from_here
from .headers import COMMON, UNKEPT
from .reader import reader_of
from .static import IMMUTABLE
from .visit import Form

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure
    from twisted.web.server import Request

    from ..core.forwarded import TrustedProxies
    from ..message import Field

MAX_BODY = 256 * 1024
"""Bytes of a form: the largest holds a configuration that is pasted."""

MAX_FIELDS = 500
MAX_PARAMETERS = 100
_WORTH_PACKING = 1024


class PageExchange:
    """
    A request for a page, and its answer.

    @ivar base: where the pages are, C{/admin}.
    @ivar path: below the pages, as it came.
    @ivar target: the same with its query.
    @ivar scheme: C{https} where the browser came by TLS, as far as that is known.
    @ivar secret: what forms are tied to: of the session, or of the visitor.
    @ivar fields: of the answer.
    @ivar left: the browser is gone.
    """

    def __init__(self, request: Request, trusted: TrustedProxies | None) -> None:
        self._request = request
        self.left = False
        request.notifyFinish().addErrback(self._gone)
        self.method = request.method.decode("latin-1")
        path, _, query = request.uri.decode("latin-1").partition("?")
        above = request.prepath or []
        self.base = "".join(f"/{quote(segment)}" for segment in above)
        below = path.split("/")[len(above) + 1 :]
        self.path = "".join(f"/{segment}" for segment in below)
        self.target = self.path + (f"?{query}" if query else "")
        self.query = _parameters(query)
        self.form = Form()
        named = ("", "") if trusted is None else trusted.address_named(peer_of(request), fields_of(request))
        self.scheme = named[0] or ("https" if request.isSecure() else "http")
        self.host = named[1] or self.text(b"host")
        self.secure = self.scheme == "https"
        self.cookies = cookies_of(self.text(b"cookie"))
        self.session = own(self.cookies, SESSION, self.secure)
        self.secret = self.session or own(self.cookies, VISITOR, self.secure)
        self.fields: list[Field] = []
        said = unquote(own(self.cookies, READER, self.secure))
        self.has_reader = bool(said)
        self.reader = reader_of(said, self.text(b"accept-language"))
        self.browser = Browser(client_of(request), self.text(b"user-agent"), self.text(b"referer"))

    def _gone(self, reason: Failure) -> None:
        self.left = True

    def text(self, name: bytes) -> str:
        """A field of the request."""
        return (self._request.getHeader(name) or b"").decode("utf-8", "replace")

    def is_from_here(self) -> bool:
        """See L{llmproxy.admin.csrf.is_from_here}."""
        return is_from_here(self.text(b"origin"), self.text(b"sec-fetch-site"), self.scheme, self.host)

    async def take_form(self) -> None:
        """
        Read the form.

        @raise ContentTooLarge: it is longer than any.
        @raise BadRequest: it is none.
        """
        request = self._request
        kind = self.text(b"content-type").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadRequest("expected a form")
        if isinstance(request, BasicRequest) and (body := request.body) is not None:
            if isinstance(body.length, int) and body.length > MAX_BODY:
                raise ContentTooLarge(f"at most {MAX_BODY} bytes are accepted")
            content = await collect(body, MAX_BODY, lambda: ContentTooLarge(f"at most {MAX_BODY} bytes are accepted"))
        else:
            content = request.content.read(MAX_BODY + 1) if request.content is not None else b""
            if len(content) > MAX_BODY:
                raise ContentTooLarge(f"at most {MAX_BODY} bytes are accepted")
        try:
            values = parse_qs(content.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise BadRequest("expected a form in UTF-8") from None
        # A NUL is in no name that anybody types, and PostgreSQL refuses it.
        self.form = Form({name: [each.replace("\0", "") for each in found] for name, found in values.items()})

    def begin_visit(self) -> None:
        """Give a browser that is not signed in what its forms are tied to."""
        self.secret = os.urandom(24).hex()
        self.set_cookie(VISITOR, self.secret, None)

    def set_cookie(self, name: str, value: str, max_age: int | None) -> None:
        """See L{llmproxy.core.cookies.set_cookie}; behind a proxy that is not trusted too it is one of TLS."""
        quoted = quote(value, safe="") if name == READER else value
        secure = self.secure or self.text(b"origin").startswith("https:")
        self.fields.append((b"Set-Cookie", set_cookie(name, quoted, secure=secure, max_age=max_age).encode("ascii")))

    def redirect(self, target: str) -> None:
        self.fields.append((b"Location", target.encode("ascii", "replace")))
        self.send(303, b"text/plain; charset=utf-8", b"")

    def send(self, status: int, kind: bytes, content: bytes) -> None:
        if self.left:
            return
        packed = content
        if len(content) >= _WORTH_PACKING and self._takes_gzip():
            packed = gzip.compress(content, 5, mtime=0)
            self.fields.append((b"Content-Encoding", b"gzip"))
        self._write(status, kind, packed, UNKEPT)

    def send_kept(self, kind: bytes, content: bytes, packed: bytes) -> None:
        if self.left:
            return
        if self._takes_gzip():
            content = packed
            self.fields.append((b"Content-Encoding", b"gzip"))
        kept = ((b"Cache-Control", IMMUTABLE.encode()), (b"Vary", b"Accept-Encoding"))
        self._write(200, kind, content, kept)

    def stream(self, streamed: Streamed, *, is_file: bool) -> Deferred[None] | None:
        """Begin an answer that has no length; see L{Streaming.start}."""
        request = self._request
        self._head(200, streamed.kind, UNKEPT)
        if is_file:
            request.setHeader(b"Content-Disposition", b'attachment; filename="%b"' % streamed.name.encode("ascii"))
        else:
            # nginx in front would keep what there is until there is more.
            request.setHeader(b"X-Accel-Buffering", b"no")
        if request.method == b"HEAD":
            request.finish()
            return None
        return Streaming(request, streamed.pieces).start()

    def _takes_gzip(self) -> bool:
        accepted = (part.strip().partition(";") for part in self.text(b"accept-encoding").lower().split(","))
        return any(
            name.strip() == "gzip" and more.replace(" ", "") not in ("q=0", "q=0.0") for name, _, more in accepted
        )

    def _head(self, status: int, kind: bytes, more: tuple[Field, ...]) -> None:
        request = self._request
        request.setResponseCode(status, reason_of(status))
        for name, value in (*COMMON, *more):
            request.setHeader(name, value)
        for name, value in self.fields:
            request.responseHeaders.addRawHeader(name, value)
        request.setHeader(b"Content-Type", kind)

    def _write(self, status: int, kind: bytes, content: bytes, more: tuple[Field, ...]) -> None:
        request: Any = self._request
        self._head(status, kind, more)
        request.setHeader(b"Content-Length", b"%d" % len(content))
        if request.method != b"HEAD":
            request.write(content)
        request.finish()


def _parameters(query: str) -> dict[str, str]:
    """The first value of each parameter; none of a query that is no form."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value.replace("\0", ""))
    return found
