"""
HTTP/1.1 request heads out of bytes, strictly; no I/O.

llhttp parses the fields: it refuses folded lines, bare CR or LF, control characters, white space before the
colon, and two or malformed lengths. It gets a request line of ours in place of the client's, because it knows
only some methods, and what it accepts in a target is not what we do: that line is read here.

Bodies are counted by us (L{llmproxy.core.chunked}): httptools does not say where in its input a message ended, and
what follows one that is being answered must not be parsed yet.
"""

from __future__ import annotations

import re
from functools import lru_cache

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ..errors import ClientError
from ..message import Field
from .notable import Notable, section_of

CHUNKED = -1
"""The length of a body that comes in chunks."""

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VISIBLE = bytes(byte for byte in range(0x21, 0x7F) if byte != 0x23)
_LINES = {b"HTTP/1.1": b"PUT / HTTP/1.1", b"HTTP/1.0": b"PUT / HTTP/1.0"}
_VERSION = re.compile(rb"HTTP/([0-9])\.[0-9]")
# RFC 3986 section 3.2.2 and RFC 9110 section 7.2: no user information, and a port of digits only.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[-.~!$&'()*+,;=:\w]+\]|[-.~!$&'()*+,;=%\w]*)(?::[0-9]*)?")
_MAX_HOST = 512
_ABSOLUTE = re.compile(rb"(https?)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)


class Refusal(ClientError):
    """
    A request, or a connection, that is refused before any resource knows of it.

    @ivar detail: what was wrong, for the log and the client; never a part of the request.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(message=detail)
        self.status = status
        self.code = code
        self.detail = detail


def malformed(detail: str) -> Refusal:
    """A message that is not HTTP, or could be read in two ways."""
    return Refusal(400, "malformed_request", detail)


class Head:
    """
    The head of one request.

    @ivar target: in origin form, or C{*}.
    @ivar length: bytes of the body, 0 where there is none, or L{CHUNKED}.
    @ivar keep_alive: the client will use the connection again.
    @ivar expects: it waits for C{100 Continue}.
    @ivar upgrade: it asks for another protocol.
    """

    __slots__ = ("decisive", "expects", "fields", "keep_alive", "length", "method", "target", "upgrade", "version")

    method: bytes
    target: bytes
    version: bytes
    # httptools asks for each of these whenever a parser is made: what is not there costs it an exception.
    on_message_begin = None
    on_url = None
    on_headers_complete = None
    on_body = None
    on_message_complete = None
    on_chunk_header = None
    on_chunk_complete = None

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.decisive: list[Field] = []
        self.length = 0
        self.keep_alive = True
        self.expects = False
        self.upgrade = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp, which leaves white space at the end of values."""
        self.fields.append((name, value.rstrip()))

    def find_decisive(self) -> None:
        """Fill in C{decisive}."""
        notable = Notable(self.fields)
        self.fields = section_of(self.fields, notable)
        self.decisive = notable.decisive


def read_head(data: bytes, target_limit: int, fields_limit: int) -> Head:
    """
    Read a whole head.

    @param data: from the request line to the empty line, both included.
    @param target_limit: bytes of the target.
    @param fields_limit: how many fields there may be.
    @raise Refusal: with the answer to the client.
    """
    end = data.find(b"\r\n")
    head = Head()
    parts = data[:end].split(b" ")
    if len(parts) != 3:
        raise malformed("request line")
    head.method, head.target, head.version = method, target, version = parts
    line = _LINES.get(version)
    if line is None:
        head.version = _other_version(version)
        line = _LINES[head.version]
    if not method.isalpha() and (not method or method.translate(None, TOKEN)):
        raise malformed("method")
    if len(target) > target_limit:
        raise target_too_long()
    if not target or target.translate(None, VISIBLE):
        raise malformed("request target")
    try:
        HttpRequestParser(head).feed_data(line + data[end:])
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        raise _field_fault(head, error) from None
    if len(head.fields) > fields_limit:
        raise fields_too_large("too many header fields")
    head.find_decisive()
    _decide(head)
    return head


def read_fields(section: bytes) -> list[Field]:
    """
    Read a trailer section.

    @param section: the lines, each with its CRLF.
    @raise Refusal: also for fields that must not stand in trailers, RFC 9110 section 6.5.1.
    """
    head = Head()
    try:
        HttpRequestParser(head).feed_data(b"PUT / HTTP/1.1\r\n" + section + b"\r\n")
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        raise _field_fault(head, error) from None
    head.find_decisive()
    if head.decisive:
        raise malformed("trailer field that decides about framing or routing")
    return head.fields


def target_too_long() -> Refusal:
    return Refusal(414, "target_too_long", "request target is too long")


def fields_too_large(detail: str = "header section is too large") -> Refusal:
    return Refusal(431, "header_too_large", detail)


def content_too_large() -> Refusal:
    return Refusal(413, "content_too_large", "request body is too large")


def too_many_connections() -> Refusal:
    return Refusal(503, "too_many_connections", "too many connections; try again in a moment")


def too_slow(detail: str) -> Refusal:
    return Refusal(408, "request_timeout", detail)


def check_partial(data: bytes, target_limit: int, section_limit: int) -> None:
    """
    Whether what came of a head can still become one: nothing that is wrong has to be waited for.

    @raise Refusal: if it cannot.
    """
    line, separator, section = data.partition(b"\r\n")
    if not separator:
        parts = line.split(b" ", 2)
        if len(parts) > 1 and len(parts[1]) > target_limit:
            raise target_too_long()
        if len(line) > target_limit + 512:
            raise malformed("request line")
    elif len(section) > section_limit:
        raise fields_too_large()
    method = data.split(b" ", 1)[0].rstrip(b"\r")
    if method.translate(None, TOKEN):
        raise malformed("method")
    if data.count(b"\n") != data.count(b"\r\n"):
        raise malformed("bare line feed")


def _other_version(version: bytes) -> bytes:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise malformed("HTTP version")
    if match[1] != b"1":
        raise Refusal(505, "version_not_supported", "HTTP version not supported")
    # RFC 9110 section 2.5: a higher minor version is taken for the highest one that is known.
    return b"HTTP/1.1"


def _field_fault(head: Head, error: HttpParserError) -> Refusal:
    # llhttp refuses a single foreign coding after it has reported the field: RFC 9112 section 6.1 wants 501.
    head.find_decisive()
    for name, value in head.decisive:
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            return _foreign_coding(value)
    return malformed(str(error))


def _foreign_coding(value: bytes) -> Refusal:
    codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
    if b"chunked" in codings[:-1]:
        # RFC 9112 section 6.1: chunked is applied once, and last.
        return malformed("Transfer-Encoding")
    return Refusal(501, "transfer_coding_not_supported", "transfer coding not supported")


def _decide(head: Head) -> None:
    host: bytes | None = None
    for name, value in head.decisive:
        if name == b"host":
            if host is not None:
                raise malformed("repeated Host")
            host = value
        elif name == b"content-length":
            head.length = int(value)
        elif name == b"connection":
            _connection(head, value)
        elif name == b"transfer-encoding":
            _transfer_encoding(head, value)
        elif name == b"expect":
            expect(head, value)
        else:
            head.upgrade = True
    if head.version == b"HTTP/1.0":
        head.keep_alive = head.keep_alive and _asks_to_keep(head)
    check_host(host, head.version)
    if head.target[0] != 0x2F:
        _other_form(head, host)
    elif head.method == b"CONNECT":
        raise no_tunnels()


def _connection(head: Head, value: bytes) -> None:
    if value in (b"keep-alive", b"Keep-Alive"):
        return
    if b"close" in _options(value):
        head.keep_alive = False


def _asks_to_keep(head: Head) -> bool:
    return any(name == b"connection" and b"keep-alive" in _options(value) for name, value in head.decisive)


def _options(value: bytes) -> list[bytes]:
    return [option.strip(b" \t") for option in value.lower().split(b",")]


def _transfer_encoding(head: Head, value: bytes) -> None:
    # RFC 9112 section 6.1: in an HTTP/1.0 message the framing is faulty.
    if head.version == b"HTTP/1.0":
        raise malformed("Transfer-Encoding in HTTP/1.0")
    if value.lower() != b"chunked":
        raise _foreign_coding(value)
    head.length = CHUNKED


def expect(head: Head, value: bytes) -> None:
    if value.lower() != b"100-continue":
        raise Refusal(417, "expectation_failed", "unknown expectation")
    # RFC 9110 section 10.1.1: a 100-continue expectation of an HTTP/1.0 client is ignored.
    head.expects = head.version != b"HTTP/1.0"


def check_host(host: bytes | None, version: bytes) -> None:
    """RFC 9112 section 3.2."""
    if host is None:
        if version == b"HTTP/1.1":
            raise malformed("Host is missing")
    elif len(host) > _MAX_HOST or not _is_host(host):
        raise malformed("Host")


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


def _other_form(head: Head, host: bytes | None) -> None:
    """RFC 9112 section 3.2: authority, asterisk and absolute form."""
    if head.method == b"CONNECT":
        raise no_tunnels()
    if head.target == b"*":
        if head.method != b"OPTIONS":
            raise malformed("request target")
        return
    match = _ABSOLUTE.fullmatch(head.target)
    if match is None:
        raise malformed("request target")
    scheme, authority, rest = match.groups()
    if host is None or not authority or _bare(authority, scheme) != _bare(host, scheme):
        raise malformed("request target names another host")
    if not rest and head.method == b"OPTIONS":
        head.target = b"*"
    else:
        head.target = rest if rest[:1] == b"/" else b"/" + rest


def no_tunnels() -> Refusal:
    return Refusal(501, "method_not_supported", "CONNECT is not supported")


def _bare(authority: bytes, scheme: bytes) -> bytes:
    port = b":443" if scheme.lower() == b"https" else b":80"
    return authority.lower().removesuffix(port).removesuffix(b":")
