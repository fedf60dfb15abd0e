"""
Rules over header sections: which fields end here, which go on, what one says.

A section is a sequence of C{(name, value)} pairs in wire order; every function takes one pass over it
and makes no dictionary. Names are given in lower case and compared without regard to case.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ..message import Field, Fields

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
"""Fields of one connection, RFC 9110 sections 7.6.1, 7.8, 11.7 and 10.1.4; RFC 9112 section 6.1."""

END_TO_END = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"age",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"etag",
        b"expires",
        b"host",
        b"location",
        b"retry-after",
        b"set-cookie",
        b"vary",
        b"via",
        b"www-authenticate",
        b"x-request-id",
    }
)
"""
Fields that C{Connection} cannot take away.

RFC 9110 section 7.6.1: a sender must not name a field that is meant for every recipient. One that
does wants the next hop to see another message than this one.
"""

CLIENT_ADDRESS_FIELDS = frozenset(
    {
        b"cf-connecting-ip",
        b"cf-ipcountry",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"forwarded",
        b"true-client-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-envoy-external-address",
        b"x-forwarded-client-cert",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-original-forwarded-for",
        b"x-real-ip",
    }
)
"""Fields that tell upstream who and where the client is."""

CR, LF, NUL = b"\r\n\0"
"""As numbers: a search for one is ten times as fast as for C{bytes} (L{llmproxy.core.targets})."""

_MOST_NAMES = 2048
_LONGEST_NAME = 64


class Names(dict[bytes, bytes]):
    """
    What is made of names, by how they are written: a look into a dictionary costs half of C{bytes.lower}, and what
    comes out has its hash already.

    Bounded, whatever names clients think of.
    """

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: bytes) -> bytes:
        made = self._make(name)
        if len(name) <= _LONGEST_NAME:
            if len(self) >= _MOST_NAMES:
                self.clear()
            self[name] = made
        return made


LOWER = Names(bytes.lower)
"""C{LOWER[name]} is C{name} in lower case."""

MEDIA_TYPES = Names(lambda value: value.partition(b";")[0].strip(b" \t").lower())
"""The media type that a C{Content-Type} names, in lower case."""

_PLAIN_OPTIONS = frozenset({b"keep-alive", b"close", b"Keep-Alive", b"Close", b""})


def forwardable(fields: Fields) -> list[Field]:
    """The fields that go on to the next hop."""
    lower, hop_by_hop = LOWER, HOP_BY_HOP
    kept = [pair for pair in fields if lower[pair[0]] not in hop_by_hop]
    return kept if len(kept) == len(fields) else without_named(kept, fields)


def without_named(kept: list[Field], fields: Fields, keep: Collection[bytes] = END_TO_END) -> list[Field]:
    """
    What is left of C{kept} without what C{Connection} names, RFC 9110 section 7.6.1.

    @param fields: the section as it came.
    @param keep: names that stay all the same.
    """
    options = b",".join(values(fields, b"connection"))
    if options in _PLAIN_OPTIONS:
        return kept
    named = {option for option in _members(options) if option not in keep}
    return without(kept, named) if named else kept


def without(fields: Fields, names: Collection[bytes]) -> list[Field]:
    """All but the fields of these names."""
    lower = LOWER
    return [pair for pair in fields if lower[pair[0]] not in names]


def first(fields: Fields, name: bytes) -> bytes | None:
    """The value of the first field of this name."""
    length = len(name)
    for candidate, value in fields:
        if len(candidate) == length and candidate.lower() == name:
            return value
    return None


def values(fields: Fields, name: bytes) -> list[bytes]:
    """The values of all fields of this name, a line each."""
    length = len(name)
    return [value for candidate, value in fields if len(candidate) == length and candidate.lower() == name]


def list_members(fields: Fields, name: bytes) -> list[bytes]:
    """
    The members of a list-based field over all its lines, in lower case, without parameters' meaning.

    RFC 9110 section 5.6.1: empty members do not count. A comma inside of quotes does not part members.
    """
    return [member for value in values(fields, name) for member in _members(value)]


def _members(value: bytes) -> Iterator[bytes]:
    parts = split_list(value) if b'"' in value else value.split(b",")
    for part in parts:
        member = part.strip(b" \t").lower()
        if member:
            yield member


def split_list(line: bytes) -> Iterator[bytes]:
    """RFC 9110 section 5.6.1: members of a list-based field as they are; a comma inside of quotes parts nothing."""
    if b'"' not in line:
        yield from line.split(b",")
        return
    start, quoted, escaped = 0, False, False
    for at, byte in enumerate(line):
        if escaped:
            escaped = False
        elif quoted and byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            quoted = not quoted
        elif byte == 0x2C and not quoted:
            yield line[start:at]
            start = at + 1
    yield line[start:]
