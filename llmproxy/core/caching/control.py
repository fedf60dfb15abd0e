"""C{Cache-Control} of a request or a response: RFC 9111 section 5.2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen

from ..fields import split_list

Names = frozenset[bytes]

LONGEST = 2**31
"""Seconds; RFC 9111 section 1.2.2: a number that is too large counts as this one."""

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_WHITE = b" \t"
_REMEMBERED_LENGTH = 256


@frozen
class CacheControl:
    """
    The directives; durations in seconds.

    @ivar no_cache_fields: the names of C{no-cache="..."} in lower case, where no unqualified one stands beside it.
    @ivar private_fields: the same of C{private="..."}.
    @ivar max_stale: L{LONGEST} for the form without a number.
    @ivar malformed: a member was no directive at all, so that a restriction may have been lost.
    @ivar conflicting: one directive came with different numbers; RFC 9111 section 4.2.1 lets it count as stale.
    """

    no_store: bool = False
    no_cache: bool = False
    no_cache_fields: Names = frozenset()
    private: bool = False
    private_fields: Names = frozenset()
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    min_fresh: int | None = None
    max_stale: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None
    malformed: bool = False
    conflicting: bool = False


NOTHING = CacheControl()

_FLAGS = {
    b"no-store": "no_store",
    b"public": "public",
    b"must-revalidate": "must_revalidate",
    b"proxy-revalidate": "proxy_revalidate",
    b"must-understand": "must_understand",
    b"immutable": "immutable",
    b"only-if-cached": "only_if_cached",
}

_NUMBERS = {
    b"max-age": "max_age",
    b"s-maxage": "s_maxage",
    b"min-fresh": "min_fresh",
    b"max-stale": "max_stale",
    b"stale-while-revalidate": "stale_while_revalidate",
    b"stale-if-error": "stale_if_error",
}

_QUALIFIED = {b"no-cache": "no_cache", b"private": "private"}

_INVALID = {"min_fresh": LONGEST}
"""What a number counts as that is none: the meaning that lets the cache do least. Otherwise 0."""


def parse(lines: Sequence[bytes]) -> CacheControl:
    """
    The directives of all C{Cache-Control} lines of a message.

    Names are compared without regard to case, both forms of an argument are understood (RFC 9111
    section 5.2), unknown directives are ignored (section 5.2.3).
    """
    if not lines:
        return NOTHING
    if len(lines) == 1 and len(lines[0]) <= _REMEMBERED_LENGTH:
        return _parse_one(lines[0])
    return interpret(member for line in lines for member in members(line))


@lru_cache(maxsize=1024)
def _parse_one(line: bytes) -> CacheControl:
    return interpret(members(line))


def interpret(directives: Iterator[tuple[bytes, bytes | None]]) -> CacheControl:
    """
    Make L{CacheControl} of names in lower case with their arguments; the name C{b""} marks a malformed member.
    """
    found: dict[str, Any] = {}
    for name, argument in directives:
        if name in _FLAGS:
            found[_FLAGS[name]] = True
        elif name in _NUMBERS:
            _note_number(found, _NUMBERS[name], argument)
        elif name in _QUALIFIED:
            _note_qualified(found, _QUALIFIED[name], argument)
        elif not name:
            found["malformed"] = True
    for stronger in _QUALIFIED.values():
        if found.get(stronger):
            found.pop(stronger + "_fields", None)
    return CacheControl(**found)


def _note_number(found: dict[str, Any], name: str, argument: bytes | None) -> None:
    if argument is None and name == "max_stale":
        seconds: int | None = LONGEST
    else:
        seconds = delta_seconds(argument or b"")
        if seconds is None:
            seconds = _INVALID.get(name, 0)
    if found.setdefault(name, seconds) != seconds:
        found["conflicting"] = True


def _note_qualified(found: dict[str, Any], name: str, argument: bytes | None) -> None:
    names = frozenset(field.strip(_WHITE).lower() for field in (argument or b"").split(b",")) - {b""}
    if names:
        found[name + "_fields"] = names.union(found.get(name + "_fields", ()))
    else:
        found[name] = True


def delta_seconds(text: bytes) -> int | None:
    """RFC 9111 section 1.2.2; C{None} if it is no number of seconds."""
    if not text.isdigit():
        return None
    return int(text) if len(text) < 11 and int(text) < LONGEST else LONGEST


def members(line: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """
    The directives of one line: the name in lower case, and the argument without its quotes.

    What is no directive comes with the name C{b""}.
    """
    for part in split_list(line):
        text = part.strip(_WHITE)
        if not text:
            continue
        name, equals, argument = text.partition(b"=")
        if not _is_token(name):
            yield b"", None
        elif not equals:
            yield name.lower(), None
        else:
            yield from _with_argument(name.lower(), argument)


def _with_argument(name: bytes, argument: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    if not argument.startswith(b'"'):
        yield name, argument
    elif len(argument) > 1 and argument.endswith(b'"') and not argument.endswith(b'\\"'):
        yield name, argument[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    else:
        yield b"", None


def _is_token(name: bytes) -> bool:
    return bool(name) and _TOKEN.issuperset(name)
