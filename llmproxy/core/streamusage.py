"""
The usage of streamed chats, asked for in the name of a client that has not asked for it, and taken out again.

C{stream_options: {"include_usage": true}} brings one event more, without choices, behind the others
(platform.openai.com/docs/api-reference/chat/create, read on 30 November 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from attrs import frozen

LONGEST = 64 * 1024
"""Bytes of an event that are held until its end; one that tells the usage has less than 2 KiB."""

_ASKED = b'"stream_options":{"include_usage":true}'
_OPTIONS = b'{"include_usage":true}'

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_NAME = re.compile(rb"\s*(%b)\s*:\s*" % _STRING, re.DOTALL)
_PASSED = re.compile(rb'(?:[^"{}\[\]]+|%b)*' % _STRING, re.DOTALL)
_SCALAR = re.compile(rb"%b|[^\s,}\]]+" % _STRING, re.DOTALL)
_COMMA = re.compile(rb"\s*,?")


class _Call(msgspec.Struct):
    stream: Any = None
    stream_options: Any = None


def asked_for_usage(body: bytes) -> bytes | None:
    """
    A body that asks for the usage of a stream, and is otherwise the same, byte for byte.

    @return: C{None} where there is nothing to change: it asks for no stream, or for its usage, or cannot be read.
    """
    try:
        call = msgspec.json.decode(body, type=_Call)
        return _asked(body, call)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _asked(body: bytes, call: _Call) -> bytes | None:
    options = call.stream_options
    if call.stream is not True or not (options is None or isinstance(options, dict)):
        return None
    if options and options.get("include_usage") is True:
        return None
    # The last of several is the one that is read.
    place = _last(body, b"stream_options", 0)
    if place is None:
        at = body.index(b"{") + 1
        return body[:at] + _ASKED + b"," + body[at:]
    if options is None:
        return body[: place.begin] + _OPTIONS + body[place.end :]
    inner = _last(body, b"include_usage", place.begin)
    if inner is not None:
        return body[: inner.begin] + b"true" + body[inner.end :]
    at = place.begin + 1
    return body[:at] + _OPTIONS[1:-1] + (b"," if options else b"") + body[at:]


@frozen
class _Place:
    """Where a value stands."""

    begin: int
    end: int


def _last(body: bytes, name: bytes, at: int) -> _Place | None:
    """
    The last member of this name in the object that begins at or behind C{at}.

    @param body: JSON that has been found to be well-formed.
    """
    found = [place for each, place in _members(body, body.index(b"{", at) + 1) if each == name.decode("ascii")]
    return found[-1] if found else None


def _members(body: bytes, at: int) -> Iterator[tuple[str, _Place]]:
    while (named := _NAME.match(body, at)) is not None:
        end = _end(body, named.end())
        yield msgspec.json.decode(named[1], type=str), _Place(named.end(), end)
        at = _COMMA.match(body, end).end()  # type: ignore[union-attr]


def _end(body: bytes, at: int) -> int:
    """Where the value ends that begins at C{at}."""
    if body[at] not in b"{[":
        return _SCALAR.match(body, at).end()  # type: ignore[union-attr]
    depth, at = 1, at + 1
    while depth:
        at = _PASSED.match(body, at).end()  # type: ignore[union-attr]
        depth += 1 if body[at] in b"{[" else -1
        at += 1
    return at


_MARK = re.compile(rb'"usage"\s*:\s*\{')
_LINE_END = rb"(?:\r\n|\n|\r(?!\n))"
_BLANK = re.compile(_LINE_END * 2)
_LINES = re.compile(_LINE_END)
_CONTEXT = 3
"""Bytes of an empty line that can stand before a cut."""


class _Chunk(msgspec.Struct):
    choices: Any = None
    usage: Any = None


class UsageTaken:
    """
    A stream of events (HTML, section 9.2.6) without the one that tells the usage and nothing else. Every other byte
    passes as it came, an event once it is complete: who reads a stream does nothing with a part of one.
    """

    __slots__ = ("_held", "_is_long", "_line_feed")

    def __init__(self) -> None:
        self._held = b""
        # What is held has passed.
        self._is_long = False
        # Where the last event ended with CR: whether a LF behind it goes the way of that event.
        self._line_feed: bool | None = None

    def feed(self, data: bytes) -> bytes:
        """What goes on."""
        if not self._held and self._line_feed is None and data.endswith(b"\n\n") and not _MARK.search(data):
            return data
        passed: list[bytes] = []
        if self._line_feed is not None and data:
            if data.startswith(b"\n"):
                passed += [b"\n"] * self._line_feed
                data = data[1:]
            self._line_feed = None
        self._split(self._held + data, passed)
        return b"".join(passed)

    def _split(self, data: bytes, passed: list[bytes]) -> None:
        at, begin = max(0, len(self._held) - _CONTEXT), len(self._held) if self._is_long else 0
        while (blank := _BLANK.search(data, at)) is not None:
            at = blank.end()
            event = data[begin:at]
            stays = self._is_long or not _tells_usage(event)
            if stays:
                passed.append(event)
            if at == len(data) and event.endswith(b"\r"):
                self._line_feed = stays
            begin, self._is_long = at, False
        self._held = data[begin:]
        if self._is_long or len(self._held) > LONGEST:
            passed.append(self._held)
            self._held, self._is_long = data[-_CONTEXT:], True

    def end(self) -> bytes:
        """What goes on of an event that has no end."""
        held, self._held = self._held, b""
        return b"" if self._is_long or _tells_usage(held) else held


def _tells_usage(event: bytes) -> bool:
    """Whether an event tells the usage, and has no choice."""
    if len(event) > LONGEST or not _MARK.search(event):
        return False
    data = b"\n".join(line[5:] for line in _LINES.split(event) if line.startswith(b"data:"))
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return chunk.choices == [] and isinstance(chunk.usage, dict)
