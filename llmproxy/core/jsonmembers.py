"""
A scan of JSON for a few members of its objects, fed bytes that are cut anywhere.

Objects that stand alone, one a line, behind each other, in an array or behind the C{data:} of an event are documents
alike. Nothing is checked and nothing else is kept, so that memory is bounded whatever the size of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

LONGEST_KEPT = 16 * 1024
"""Bytes of a member that is looked for; of a longer one nothing is kept."""

_LONGEST_NAME = 64

_QUOTE, _BACKSLASH, _COLON, _COMMA, _OPEN, _CLOSE, _ARRAY, _ARRAY_END = b'"\\:,{}[]'

_OUTSIDE = re.compile(rb"[^{]*")
_BETWEEN = re.compile(rb'[^"{}\[\],:]*')
_TEXT = re.compile(rb'[^"\\]*')
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
        self.reset()

    def reset(self) -> None:
        """Begin anew: what was open is given up."""
        self._nodes: list[Tree] = []
        self._path: list[bytes] = []
        self._depth = 0
        self._in_text = self._escaped = self._naming = False
        self._name = b""
        self._within: Tree | None = None
        self._kept: bytearray | None = None

    def feed(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            begin = at
            if self._in_text:
                at = self._text(data, at)
            elif self._depth:
                at = self._inside(data, at)
            elif self._nodes:
                at = self._between(data, at)
            else:
                at = self._outside(data, at)
            if self._kept is not None:
                self._keep(data[begin:at])

    def _outside(self, data: bytes, at: int) -> int:
        end = _end(_OUTSIDE, data, at)
        if end < len(data):
            self._nodes.append(self._wanted)
            self._naming = True
        return end + 1

    def _between(self, data: bytes, at: int) -> int:
        """In an object that is looked into: up to what has a meaning there, or that."""
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
            # It begins with the colon.
            self._found(b".".join([*self._path, self._name]).decode("ascii"), bytes(kept[1:]).strip())
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
        end = _end(_PASSED, data, at)
        if end == len(data):
            return end
        if data[end] == _QUOTE:
            self._in_text = True
        else:
            self._depth += 1 if data[end] in (_OPEN, _ARRAY) else -1
        return end + 1

    def _text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        end = _end(_TEXT, data, at)
        if self._naming and not self._depth and len(self._name) <= _LONGEST_NAME:
            self._name += data[at : min(end + (data[end : end + 1] == b"\\"), at + _LONGEST_NAME + 1)]
        if end == len(data):
            return end
        self._escaped = data[end] == _BACKSLASH
        self._in_text = self._escaped
        return end + 1

    def _keep(self, piece: bytes) -> None:
        kept = self._kept
        if kept is None or len(kept) + len(piece) > LONGEST_KEPT:
            self._kept = None
        else:
            kept += piece


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where a pattern ends that can match nothing, too."""
    return pattern.match(data, at).end()  # type: ignore[union-attr]
