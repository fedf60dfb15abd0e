"""
HTTP/1.1 responses out of bytes, strictly; no I/O.

llhttp does the parsing and refuses what could be read in two ways: both framings, two lengths, bad
chunks, folded lines, bare CR or LF. What it would let pass is refused here: foreign transfer
codings, versions other than 1.0 and 1.1, control characters in the reason, framing fields in
trailers. Anything after the end is not read, and ends the connection: the response before it is whole.
"""

from __future__ import annotations

from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from twisted.web.iweb import UNKNOWN_LENGTH

from ..apisettings import HEAD_LIMIT
from ..core.fields import HOP_BY_HOP, list_members
from ..errors import UpstreamProtocolError
from ..message import Field

LARGE = 256 * 1024
"""Bytes of a body that is passed on as it is read, rather than as the parser copies it."""

_KNOWN_REASONS = frozenset({b"", b"OK", b"Created", b"Bad Request", b"Not Found", b"Too Many Requests"})
_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte != 9)


class ResponseReader:
    """
    Reads the responses of one connection, one after another.

    After each L{feed}: C{interims} holds the 1xx responses that came (take them), C{headed} says
    that the final head is there, C{content} is what came of the body in this feed, C{complete}
    that the response has ended.

    @ivar size: how many bytes the last feed had.
    @ivar version: minor version of HTTP/1.
    @ivar length: of the content; L{UNKNOWN_LENGTH} for chunked and for one that ends with the connection.
    @ivar bodiless: the response has no content: RFC 9112 section 6.3, the first rule.
    @ivar until_close: the content ends with the connection.
    @ivar switched: what follows the head is another protocol, and is the content.
    @ivar keep_alive: the connection may be used again once the response is complete.
    """

    __slots__ = (
        "_chunks",
        "_framed",
        "_large",
        "_limit",
        "_may_switch",
        "_overhead",
        "_parser",
        "_to_head",
        "bodiless",
        "complete",
        "content",
        "fields",
        "headed",
        "interims",
        "keep_alive",
        "length",
        "reason",
        "size",
        "status",
        "switched",
        "touched",
        "trailers",
        "until_close",
        "version",
    )
    __deletable__ = ("_parser",)

    def __init__(self, limit: int = HEAD_LIMIT) -> None:
        self._limit = limit
        self._to_head = False
        self._chunks: list[bytes] = []
        self._new_parser()
        self.begin(False)

    def _new_parser(self) -> None:
        self._parser: Any = HttpResponseParser(self)
        # An interim response may say `Connection: close`; what follows a final one is refused in on_message_begin.
        self._parser.set_dangerous_leniencies(lenient_keep_alive=True)

    def begin(self, to_head: bool, may_switch: bool = False) -> None:
        """
        Get ready for the response to one request.

        @param to_head: the request is a HEAD.
        @param may_switch: it asks for another protocol.
        """
        if self._to_head:
            self._new_parser()
        self._to_head = to_head
        self._may_switch = may_switch
        self.switched = False
        self._overhead = 0
        self._framed = self._large = False
        self.interims: list[tuple[int, bytes, list[Field]]] = []
        self.touched = self.headed = self.complete = False
        self.bodiless = self.until_close = self.keep_alive = False
        self.status = 0
        self.version = 1
        self.reason = b""
        self.fields: list[Field] = []
        self.trailers: list[Field] = []
        self.length: int | object = UNKNOWN_LENGTH
        self.content = b""

    def feed(self, data: bytes) -> None:
        """
        @raise UpstreamProtocolError: for what is not an acceptable response; the connection cannot be used any more.
        """
        self.touched = True
        self.size = len(data)
        self._overhead += self.size
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if not self.switched:
                raise UpstreamProtocolError("upstream switched protocols unasked") from None
            self._parser = _Unparsed(self._chunks)
            if upgrade.args[0] < len(data):
                self._chunks.append(data[upgrade.args[0] :])
        except HttpParserError as error:
            if not self.complete:
                raise _fault(error) from error
            # RFC 9112 section 9.2: what follows a whole response is none, and this is the connection's last one.
            self.keep_alive = False
        if self._overhead > self._limit and not self.complete and (self._framed or not self.headed):
            raise UpstreamProtocolError("upstream's header section is too large")
        chunks = self._chunks
        if not chunks:
            self.content = b""
        else:
            self.content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
        if self._large and not self.complete:
            self._large = False
            self._parser = _Passing(self, self._chunks, self.length - len(self.content))  # type: ignore[operator]

    def passed(self, *, more: bool) -> None:
        """All of a large body is here; C{more} of whatever follows it was not read."""
        self.complete = True
        self._new_parser()
        if more:
            # As in L{feed}.
            self.keep_alive = False

    def end(self) -> bool:
        """The connection was closed in order: whether that completes the response."""
        if self.until_close and not self.complete:
            self.complete = True
        return self.complete

    def release(self) -> None:
        """Break the cycle between this and its parser."""
        del self._parser

    # -- called by the parser

    def on_message_begin(self) -> None:
        if self.complete:
            raise UpstreamProtocolError("upstream sent more than its response")
        self.reason = b""
        self.fields = []

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        value = value.rstrip()
        if not self.headed:
            self.fields.append((name, value))
            return
        lowered = name.lower()
        if lowered == b"transfer-encoding":
            raise UpstreamProtocolError("upstream sent framing in its trailers")
        if lowered not in HOP_BY_HOP:
            self.trailers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.reason not in _KNOWN_REASONS and self.reason.translate(None, _CONTROLS) != self.reason:
            raise UpstreamProtocolError("upstream's status line has control characters")
        if self._overhead > self._limit and _size(self.fields) > self._limit:
            raise UpstreamProtocolError("upstream's header section is too large")
        if status < 200:
            self._interim(status)
        else:
            self._final(status)

    def _interim(self, status: int) -> None:
        if status == 101 and self._may_switch and self._parser.should_upgrade():
            self.status = status
            self.switched = self.headed = self.until_close = True
            return
        if status < 100 or status == 101:
            raise UpstreamProtocolError("upstream switched protocols unasked" if status == 101 else "no such status")
        self._overhead = 0
        self.interims.append((status, self.reason, self.fields))

    def _final(self, status: int) -> None:
        self.status = status
        self.keep_alive = self._parser.should_keep_alive()
        connection = self._frame()
        if connection or not self.keep_alive:
            version = self._parser.get_http_version()
            if version not in ("1.1", "1.0"):
                raise UpstreamProtocolError("upstream does not speak HTTP/1.1")
            self.version = 0 if version == "1.0" else 1
            # RFC 9112 section 6.1: chunks in HTTP/1.0 are a faulty framing, read but trusted no further.
            self.keep_alive = self.keep_alive and not (self._framed and version == "1.0")
        self.headed = True
        self._overhead = 0
        self._large = not self._framed and not self.until_close and self.length >= LARGE  # type: ignore[operator]
        if status == 204 or status == 304 or self._to_head:
            self.bodiless = True
            self.length = 0
            self.until_close = self._large = False
            if self._to_head:
                # llhttp waits for the content, which never comes: what there is to read has been read.
                self.keep_alive = _persists(self.version, self.fields)
                self.complete = True

    def _frame(self) -> bool:
        """Find the framing; whether there is a C{Connection} field."""
        connection = framed = False
        for name, value in self.fields:
            size = len(name)
            if size == 14:
                if name.lower() == b"content-length":
                    self.length = int(value)
                    framed = True
            elif size == 17:
                if name.lower() == b"transfer-encoding":
                    if framed or value.lower() != b"chunked":
                        raise UpstreamProtocolError("upstream used an unknown transfer coding")
                    framed = self._framed = True
            elif size == 10 and name.lower() == b"connection":
                connection = True
        self.until_close = not framed
        return connection

    def on_body(self, data: bytes) -> None:
        if self.complete:
            raise UpstreamProtocolError("upstream sent more than its response")
        self._overhead = 0
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        if self.headed and not self.switched:
            self.complete = True


class _Unparsed:
    """In the place of the parser, once a connection has switched to another protocol."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.feed_data = chunks.append


class _Passing:
    """
    In the place of the parser, for the rest of a large body whose length is known: there is nothing to be found in it,
    and the parser would copy it.
    """

    def __init__(self, reader: ResponseReader, chunks: list[bytes], left: int) -> None:
        self._reader = reader
        self._chunks = chunks
        self._left = left

    def feed_data(self, data: bytes) -> None:
        left, self._left = self._left, self._left - len(data)
        if self._left > 0:
            self._chunks.append(data)
        else:
            self._chunks.append(data[:left] if self._left else data)
            self._reader.passed(more=self._left < 0)


def _size(fields: list[Field]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in fields)


def _persists(version: int, fields: list[Field]) -> bool:
    """RFC 9112 section 9.3."""
    options = list_members(fields, b"connection")
    return b"close" not in options and (version == 1 or b"keep-alive" in options)


def _fault(error: HttpParserError) -> UpstreamProtocolError:
    cause = error.__context__
    if isinstance(cause, UpstreamProtocolError):
        return cause
    return UpstreamProtocolError("upstream's response is malformed")
