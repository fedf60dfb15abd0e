"""
Field sections of HTTP/2: HPACK (RFC 7541), and what makes a message malformed (RFC 9113 sections 8.2 and 8.3).

What we send is encoded without a table: each field is a literal, so that nothing has to be searched, kept for each
connection or guarded from guessing (RFC 7541 section 7.1); it costs about the bytes that HTTP/1.1 would send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from ...message import Field, Fields
from .frames import ConnectionFault, ErrorCode

OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})

NO_TABLE = b"\x20"
"""A size update that ends the table: RFC 7541 section 6.3. It stands before the first section."""

_SIZE_UPDATES = 2
"""RFC 7541 section 4.2: more of them change nothing. Each is a byte of no size, and would cost time."""

_SHORT = 80
"""Bytes of a value below which its literal is worth keeping."""

_NEVER_INDEXED = frozenset({b"set-cookie", b"proxy-authenticate", b"www-authenticate"})
_COMMON = frozenset(
    {
        *(b":method", b":scheme", b":authority", b"accept", b"accept-encoding", b"content-type", b"user-agent", b"via"),
        *(b"content-length", b"te"),
    }
)
"""Fields of a request that are no secrets."""
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_NAME = bytes(byte for byte in range(0x21, 0x7F) if not 0x41 <= byte <= 0x5A and byte != 0x3A)
_BAD_VALUE = re.compile(rb"[\r\n\0]|(?:\A|\x01)[ \t]|[ \t](?:\x01|\Z)")
"""RFC 9113 section 8.2.1, in values that are joined by what no value ends with."""


class Malformed(Exception):
    """A section that no message may have: RFC 9113 section 8.1.1."""


# -- encoding


def encode(section: Iterable[Field]) -> bytes:
    """@param section: names in lower case, pseudo-fields first."""
    return b"".join([(_known if len(value) < _SHORT else _literal)(name, value) for name, value in section])


def encode_request(section: Iterable[Field]) -> bytes:
    """
    L{encode}, for what may be secret: such fields are kept in no memory, and no other hop may put them in a table, RFC
    7541 section 7.1.3.
    """
    return b"".join(
        [
            _unknown(name, value) if name not in _COMMON else (_known if len(value) < _SHORT else _literal)(name, value)
            for name, value in section
        ]
    )


def _unknown(name: bytes, value: bytes) -> bytes:
    return _secret_prefix(name) + _integer(len(value), 7, 0) + value


@lru_cache(1024)
def _secret_prefix(name: bytes) -> bytes:
    index = _NAMES.get(name)
    return b"\x10" + _integer(len(name), 7, 0) + name if index is None else _integer(index, 4, 0x10)


def _literal(name: bytes, value: bytes) -> bytes:
    indexed = _INDEXED.get((name, value))
    if indexed is not None:
        return indexed
    return _prefix(name) + _integer(len(value), 7, 0) + value


_known = lru_cache(1024)(_literal)


@lru_cache(1024)
def _prefix(name: bytes) -> bytes:
    first = 0x10 if name in _NEVER_INDEXED else 0
    index = _NAMES.get(name)
    if index is not None:
        return _integer(index, 4, first)
    return bytes((first,)) + _integer(len(name), 7, 0) + name


def _integer(value: int, bits: int, first: int) -> bytes:
    """RFC 7541 section 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((first | value,))
    out = bytearray((first | limit,))
    value -= limit
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_STATIC = list(enumerate(HeaderTable.STATIC_TABLE, 1))
_NAMES = {name: index for index, (name, _) in reversed(_STATIC)}
_INDEXED = {(name, value): bytes((0x80 | index,)) for index, (name, value) in _STATIC if value}


# -- decoding


def decode(decoder: Decoder, block: bytes) -> list[Field]:
    """
    A whole section in wire order.

    @raise ConnectionFault: the table is lost, and with it all later sections.
    """
    _check_size_updates(block)
    try:
        return decoder.decode(block, raw=True)  # type: ignore[return-value]
    except OversizedHeaderListError:
        raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header section is too large") from None
    except (HPACKError, IndexError) as error:
        raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header compression") from error


def _check_size_updates(block: bytes) -> None:
    at = found = 0
    while at < len(block) and block[at] & 0xE0 == 0x20:
        found += 1
        if found > _SIZE_UPDATES:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header compression")
        more = block[at] & 0x1F == 0x1F
        at += 1
        while more and at < len(block):
            more = block[at] & 0x80 != 0
            at += 1


# -- what may not be


def check_request(section: Fields) -> int | None:
    """
    The announced length of the content, or C{None}.

    @raise Malformed: see RFC 9113 section 8.1.1.
    """
    pseudo: dict[bytes, bytes] = {}
    regular = False
    for name, value in section:
        if name[:1] != b":":
            regular = True
        elif regular or name in pseudo or name not in _PSEUDO:
            raise Malformed("pseudo-field")
        else:
            pseudo[name] = value
    tunnel = pseudo.get(b":method") == b"CONNECT"
    required = 0 if tunnel else 1
    if b":method" not in pseudo or any((name in pseudo) != required for name in (b":scheme", b":path")):
        raise Malformed("pseudo-fields that must be there are missing, or others are there")
    if not tunnel and not pseudo[b":path"]:
        raise Malformed("empty :path")
    return _check_fields(section)


def check_response(section: Fields) -> tuple[int, int | None]:
    """
    The status, and the announced length of the content or C{None}.

    @raise Malformed: see RFC 9113 sections 8.1.1 and 8.3.2.
    """
    status = section[0][1] if section and section[0][0] == b":status" else b""
    if len(status) != 3 or not status.isdigit() or status < b"100":
        raise Malformed(":status")
    if any(name[:1] == b":" for name, _ in section[1:]):
        raise Malformed("pseudo-field")
    return int(status), _check_fields(section)


def check_trailers(section: Fields) -> None:
    """@raise Malformed: RFC 9113 section 8.1: no pseudo-fields."""
    if any(name[:1] == b":" for name, _ in section):
        raise Malformed("pseudo-field in trailers")
    _check_fields(section)


def _check_fields(section: Fields) -> int | None:
    length: int | None = None
    for name, value in section:
        if not name or name[name[:1] == b":" :].translate(None, _NAME):
            raise Malformed("field name")
        if name in OF_CONNECTIONS or (name == b"te" and value.lower() != b"trailers"):
            raise Malformed("field of a connection")
        if name == b"content-length":
            length = _length(value, length)
    if _BAD_VALUE.search(b"\x01".join([value for _, value in section])):
        raise Malformed("field value")
    return length


def _length(value: bytes, before: int | None) -> int:
    # More digits than any content has are no number that is worth its time.
    if not value.isdigit() or len(value) > 19 or before not in (None, int(value)):
        raise Malformed("Content-Length")
    return int(value)
