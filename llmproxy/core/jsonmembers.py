"""
A scan of JSON for a few members of its objects, fed bytes that are cut anywhere.

Objects that stand alone, one a line, behind each other, in an array or behind the C{data:} of an event are documents
alike. Nothing is checked and nothing else is kept, so that memory is bounded whatever the size of the document. So is
time: what of a value is not looked into is passed over at once, and a scan that needs too many steps for the bytes it
was given is given up, which no JSON of an API comes near to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from .nesting import passed_over

LONGEST_KEPT = 16 * 1024
"""Bytes of a member that is looked for; of a longer one nothing is kept."""

_LONGEST_NAME = 64
_LONGEST_ESCAPED = 6 * _LONGEST_NAME
"""Each letter of a name can be an escape (RFC 8259 section 7)."""

_STEPS_OF_ESCAPES = 4
"""What it counts for to decode such a name."""

_BYTES_A_STEP = 8
"""A step takes half a microsecond. Answers of vendors have one for 20 bytes and more."""

_MOST_STEPS = 6144
"""Steps that can be saved for later: all that a turn of the reactor may take at once, whatever came before it."""

_STEPS_A_TURN = 4
"""Steps that come with each piece, however short: a cut costs some."""

_AT_ONCE = 64
"""Brackets of a value that are passed one by one; what is longer is passed over in blocks."""

_STEPS_OF_BLOCKS, _BYTES_OF_BLOCKS = 32, 128
"""What that counts for: so many steps, and one more for so many bytes."""

_LARGE = 4096
"""Bytes of a piece that may be within one value."""

_STEPS_OF_FOUND = 1
"""What is done with a member that was found."""

_QUOTE, _BACKSLASH, _COLON, _COMMA, _OPEN, _CLOSE, _ARRAY, _ARRAY_END = b'"\\:,{}[]'

_BETWEEN = re.compile(rb'[^"{}\[\],:]*')
_MEMBER = re.compile(
    rb'[\s,]{0,16}"([^"\\]{0,%d})"\s*:\s*(?:("[^"\\]*(?:\\.[^"\\]*)*"|[-+.\w]{1,64})\s{0,16}(?=[,}])|([{\[]))?'
    % _LONGEST_NAME,
    re.DOTALL,
)
"""
The name of a member; and its value, if it is a text, a number or a word that is there whole, or else the bracket that
opens it.
"""
_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_PASSED = re.compile(rb'(?:[^"{}\[\]]+|"[^"\\]*(?:\\.[^"\\]*)*")*', re.DOTALL)
"""What can be passed over at once within a value: no byte of it can be read in two ways."""

Tree = dict[bytes, Any]
"""By name: C{None} for a member that is kept, another tree for an object that is looked into."""


def tree_of(paths: Iterable[str]) -> Tree:
    """@param paths: members from the top, with dots between; none is the beginning of another."""
    root: Tree = {}
    for path in paths:
        *outer, last = path.encode("ascii").split(b".")
        node = root
        for name in outer:
            node = node.setdefault(name, {})
        node[last] = None
    return root


class JsonMembers:
    """
    @param wanted: what is looked for; see L{tree_of}.
    @param found: called with the path and the JSON of each such member, as it was written, at its end.
    """

    __slots__ = (
        "_depth",
        "_escaped",
        "_found",
        "_in_text",
        "_kept",
        "_left",
        "_name",
        "_naming",
        "_nodes",
        "_path",
        "_wanted",
        "_within",
    )

    def __init__(self, wanted: Tree, found: Callable[[str, bytes], object]) -> None:
        self._wanted = wanted
        self._found = found
        self._left = _MOST_STEPS
        self.reset()

    def reset(self) -> None:
        """Begin anew: what was open is forgotten. A scan that was given up remains so."""
        self._nodes: list[Tree] = []
        self._path: list[bytes] = []
        self._depth = 0
        self._in_text = self._escaped = self._naming = False
        self._name = b""
        self._within: Tree | None = None
        self._kept: bytearray | None = None

    @property
    def is_given_up(self) -> bool:
        """Whether it has come to bytes that would take too long, so that nothing is found any more."""
        return self._left < 0

    def feed(self, data: bytes) -> None:
        if self._left < 0:
            return
        size = len(data)
        self._left = min(self._left + size // _BYTES_A_STEP, _MOST_STEPS) + _STEPS_A_TURN
        at = self._passed(data) if size >= _LARGE and (self._depth or self._in_text) else 0
        while at < size:
            begin, kept = at, self._kept
            if self._in_text:
                at = self._text(data, at)
            elif self._depth:
                at = self._inside(data, at)
            elif self._nodes:
                at = self._between(data, at)
            else:
                at = self._outside(data, at)
            if kept is not None and self._kept is not None:
                self._keep(data[begin:at])
            self._left -= 1
            if self._left < 0:
                self.reset()
                return

    def _passed(self, data: bytes) -> int:
        """How much of a large piece is passed over at once, as within a vector or a picture: all or nothing."""
        at = 0
        if not self._in_text:
            at, self._depth, self._in_text = passed_over(data, 0, self._depth, len(data))
        elif not (self._escaped or self._naming or _QUOTE in data or _BACKSLASH in data):
            at = len(data)
        if self._kept is not None:
            self._keep(data[:at])
        return at

    def _outside(self, data: bytes, at: int) -> int:
        begin = data.find(_OPEN, at)
        if begin < 0:
            return len(data)
        self._nodes.append(self._wanted)
        self._naming = True
        return begin + 1

    def _between(self, data: bytes, at: int) -> int:
        """In an object that is looked into: up to what has a meaning there, or that."""
        member = _MEMBER.match(data, at) if self._naming else None
        if member is not None:
            self._member(*member.groups())
            return member.end()
        end = _end(_BETWEEN, data, at)
        if end > at:
            return end
        byte = data[at]
        if byte == _QUOTE:
            self._in_text = True
            if self._naming:
                self._name = b""
        elif byte == _COLON:
            self._begin_value()
        elif byte == _COMMA:
            self._end_value()
        elif byte == _CLOSE:
            self._end_value()
            self._nodes.pop()
            del self._path[-1:]
            self._naming = False
        elif byte in (_OPEN, _ARRAY):
            self._open(byte)
        return at + 1

    def _member(self, name: bytes, value: bytes | None, bracket: bytes | None) -> None:
        self._name = name
        if value is None:
            self._begin_value()
            if bracket is not None:
                if self._kept is not None:
                    self._kept += bracket
                self._open(bracket[0])
        elif self._nodes[-1].get(name, self) is None and len(value) <= LONGEST_KEPT:
            self._tell(value)

    def _tell(self, written: bytes) -> None:
        self._left -= _STEPS_OF_FOUND
        self._found(b".".join([*self._path, self._name]).decode("ascii"), written)

    def _begin_value(self) -> None:
        self._naming = False
        node = self._nodes[-1]
        if self._name in node:
            self._within = node[self._name]
            if self._within is None:
                self._kept = bytearray()

    def _end_value(self) -> None:
        kept, self._kept, self._within = self._kept, None, None
        if kept is not None:
            self._tell(bytes(kept).strip())
        self._naming = True

    def _open(self, byte: int) -> None:
        within, self._within = self._within, None
        if byte == _OPEN and within is not None:
            self._nodes.append(within)
            self._path.append(self._name)
            self._naming = True
        else:
            self._depth = 1

    def _inside(self, data: bytes, at: int) -> int:
        """In a value that is not looked into."""
        depth, size, passed = self._depth, len(data), 0
        while passed < _AT_ONCE:
            passed += 1
            end = _end(_PASSED, data, at)
            if end == size:
                at = end
                break
            at, byte = end + 1, data[end]
            if byte == _QUOTE:
                self._in_text = True
                break
            depth += 1 if byte in (_OPEN, _ARRAY) else -1
            if not depth:
                # What follows is a name: nothing has to be ended where nothing is kept.
                self._naming = self._kept is None
                break
        else:
            begin = at
            at, depth, self._in_text = passed_over(data, begin, depth)
            self._left -= _STEPS_OF_BLOCKS + (at - begin) // _BYTES_OF_BLOCKS
        self._depth = depth
        self._left -= passed // 2
        return at

    def _text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._read(data, at, at + 1)
            return at + 1
        end = _end(_TEXT, data, at)
        if end == len(data):
            self._read(data, at, end)
            return end
        self._escaped = self._in_text = data[end] == _BACKSLASH
        self._read(data, at, end + self._escaped)
        if not self._in_text and _BACKSLASH in self._name and self._naming and not self._depth:
            self._left -= _STEPS_OF_ESCAPES
            self._name = decoded_name(self._name)
        return end + 1

    def _read(self, data: bytes, at: int, end: int) -> None:
        """More of a text, which may be a name."""
        if self._naming and not self._depth and len(self._name) <= _LONGEST_ESCAPED:
            self._name += data[at : min(end, at + _LONGEST_ESCAPED + 1)]

    def _keep(self, piece: bytes) -> None:
        kept = self._kept
        if kept is None or len(kept) + len(piece) > LONGEST_KEPT:
            self._kept = None
        else:
            kept += piece


def decoded_name(name: bytes) -> bytes:
    """The name of a member without its escapes, as every parser has it."""
    try:
        return str(json.loads(b'"' + name + b'"')).encode("utf-8", "surrogatepass")
    except ValueError:
        return name


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where a pattern ends that can match nothing, too."""
    return pattern.match(data, at).end()  # type: ignore[union-attr]
