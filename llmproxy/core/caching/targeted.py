"""C{CDN-Cache-Control}: what upstream tells caches in front of it and nobody else, RFC 9213."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .control import CacheControl, interpret

FIELD = b"cdn-cache-control"

_KEY = re.compile(rb"[a-z*][a-z0-9_\-.*]*")
_INTEGER = re.compile(rb"-?[0-9]{1,15}(?![0-9.])")
_BARE = re.compile(
    rb"-?[0-9]{1,12}\.[0-9]{1,3}(?![0-9.])"
    rb"|[A-Za-z*][A-Za-z0-9:/!#$%&'*+\-.^_`|~]*"
    rb"|:[A-Za-z0-9+/=]*:"
)
_STRING = re.compile(rb'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BOOLEAN = re.compile(rb"\?([01])")
_NUMBERED = frozenset((b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error"))

Value = bytes | int | bool | None


def parse_targeted(lines: Sequence[bytes]) -> CacheControl | None:
    """
    The directives, or C{None} where the field counts as absent.

    RFC 9213 section 2.1: a field that is empty or is no Dictionary (RFC 8941) is ignored, and so are parameters.
    """
    text = b", ".join(lines).strip(b" ")
    if not text:
        return None
    try:
        directives = dict(_Reader(text).dictionary())
    except ValueError:
        return None
    return interpret(_as_directives(directives))


def _as_directives(directives: dict[bytes, Value]) -> Iterator[tuple[bytes, bytes | None]]:
    for name, value in directives.items():
        if isinstance(value, bool):
            if value:
                yield name, None
        elif isinstance(value, int):
            yield name, b"%d" % value
        else:
            # RFC 9213 section 2.1: max-age and its like are Integers; another type is an error in the value.
            yield name, b"" if name in _NUMBERED else value


class _Reader:
    """RFC 8941 section 4.2.2, as far as directives of caches need it."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    def dictionary(self) -> Iterator[tuple[bytes, Value]]:
        while True:
            key = self._match(_KEY)
            yield key, self._member()
            self._skip(b" \t")
            if self._at == len(self._text):
                return
            self._expect(b",")
            self._skip(b" \t")

    def _member(self) -> Value:
        value: Value = True
        if self._peek() == b"=":
            self._at += 1
            if self._peek() == b"(":
                self._inner_list()
                value = None
            else:
                value = self._item()
        self._parameters()
        return value

    def _inner_list(self) -> None:
        self._expect(b"(")
        self._skip(b" ")
        while self._peek() != b")":
            self._item()
            self._parameters()
            if self._peek() not in (b" ", b")"):
                raise ValueError("not a list")
            self._skip(b" ")
        self._at += 1

    def _parameters(self) -> None:
        while self._peek() == b";":
            self._at += 1
            self._skip(b" ")
            self._match(_KEY)
            if self._peek() == b"=":
                self._at += 1
                self._item()

    def _item(self) -> Value:
        start = self._peek()
        if start == b'"':
            return re.sub(rb"\\(.)", rb"\1", self._match(_STRING, 1))
        if start == b"?":
            return self._match(_BOOLEAN, 1) == b"1"
        integer = _INTEGER.match(self._text, self._at)
        if integer is not None:
            self._at = integer.end()
            return int(integer[0])
        return self._match(_BARE)

    def _match(self, pattern: re.Pattern[bytes], group: int = 0) -> bytes:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError("not a dictionary")
        self._at = match.end()
        return match[group]

    def _peek(self) -> bytes:
        return self._text[self._at : self._at + 1]

    def _expect(self, byte: bytes) -> None:
        if self._peek() != byte:
            raise ValueError("not a dictionary")
        self._at += 1

    def _skip(self, bytes_: bytes) -> None:
        while self._peek() and self._peek() in bytes_:
            self._at += 1
