"""
Names of models in JSON, changed as its bytes flow, cut anywhere; every other byte passes as it came.

Documents are objects that stand alone, one a line, in an array or behind the C{data:} of an event. What is held is one
text of a member that is looked for, within a bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .jsonmembers import Tree, decoded_name, tree_of

IN_REQUESTS = tree_of(["model"])
IN_ANSWERS = tree_of(["model", "message.model", "response.model"])
"""Beside the one at the top those in events of Anthropic's Messages and OpenAI's Responses."""

LONGEST = 2048
"""Bytes of a text that is held; a longer one is no name of a model."""

_LONGEST_NAME = 64
_QUOTE, _BACKSLASH, _COLON, _COMMA, _OPEN, _CLOSE, _ARRAY, _ARRAY_END = b'"\\:,{}[]'
_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_NEXT = re.compile(rb'["{}\[\],:]')
_NEXT_WITHIN = re.compile(rb'["{}\[\]]')
_LINE_END = re.compile(rb"(\r\n|\n|\r)")


class ModelRename:
    """
    @param wanted: the members that are looked into, see L{llmproxy.core.jsonmembers.tree_of}.
    @param renamed: takes a name, and gives another one; C{None} leaves it.
    @param is_stream: the bytes are a stream of events, each of which begins anew (HTML, section 9.2.6).
    """

    __slots__ = (
        "_depth",
        "_escaped",
        "_held",
        "_in_text",
        "_is_blank",
        "_is_stream",
        "_name",
        "_naming",
        "_nodes",
        "_reading_name",
        "_renamed",
        "_wanted",
    )

    def __init__(self, wanted: Tree, renamed: Callable[[str], str | None], *, is_stream: bool = False) -> None:
        self._wanted = wanted
        self._renamed = renamed
        self._is_stream = is_stream
        self._is_blank = True
        self._held: bytearray | None = None
        self._reset()

    def feed(self, data: bytes) -> bytes:
        """What goes on."""
        out: list[bytes] = []
        if not self._is_stream:
            self._scan(data, out)
            return b"".join(out)
        for at, piece in enumerate(_LINE_END.split(data)):
            if at % 2:
                if self._is_blank:
                    out.append(self.end())
                self._pass(piece, out)
                self._is_blank = True
            elif piece:
                self._is_blank = False
                self._scan(piece, out)
        return b"".join(out)

    def end(self) -> bytes:
        """What is held of a text that has no end; what comes begins anew."""
        held, self._held = self._held, None
        self._reset()
        return bytes(held or b"")

    def _reset(self) -> None:
        self._nodes: list[Tree] = []
        self._depth = 0
        self._in_text = self._escaped = self._naming = self._reading_name = False
        self._name = b""

    def _pass(self, piece: bytes, out: list[bytes]) -> None:
        held = self._held
        if held is None:
            out.append(piece)
            return
        held += piece
        if len(held) > LONGEST:
            self._held = None
            out.append(bytes(held))

    def _scan(self, data: bytes, out: list[bytes]) -> None:
        at, size = 0, len(data)
        while at < size:
            begin = at
            if self._in_text:
                at = self._text(data, at)
                self._pass(data[begin:at], out)
                if not self._in_text and self._held is not None:
                    written, self._held = bytes(self._held), None
                    out.append(self._rewritten(written))
            else:
                at = self._between(data, at, out)

    def _between(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Up to what has a meaning, and that."""
        if self._nodes:
            found = (_NEXT_WITHIN if self._depth else _NEXT).search(data, at)
            end = -1 if found is None else found.start()
        else:
            end = data.find(b"{", at)
        if end < 0:
            out.append(data[at:])
            return len(data)
        byte = data[end]
        if byte == _QUOTE:
            out.append(data[at:end])
            self._begin_text()
            self._pass(b'"', out)
        else:
            out.append(data[at : end + 1])
            self._mark(byte)
        return end + 1

    def _begin_text(self) -> None:
        self._in_text = True
        self._reading_name = self._naming and not self._depth
        if self._reading_name:
            self._name = b""
        elif not self._depth and self._nodes[-1].get(self._name, self) is None:
            self._held = bytearray()

    def _mark(self, byte: int) -> None:
        if not self._nodes:
            self._nodes.append(self._wanted)
            self._naming = True
        elif self._depth:
            self._depth += 1 if byte in (_OPEN, _ARRAY) else -1
        elif byte == _COLON:
            self._naming = False
        elif byte == _COMMA:
            self._naming, self._name = True, b""
        elif byte in (_OPEN, _ARRAY):
            self._open(byte)
        elif byte == _CLOSE:
            self._nodes.pop()
            self._naming, self._name = False, b""

    def _open(self, byte: int) -> None:
        within: Any = self._nodes[-1].get(self._name)
        if byte == _OPEN and within is not None and not self._naming:
            self._nodes.append(within)
            self._naming, self._name = True, b""
        else:
            self._depth = 1

    def _text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._read(data[at : at + 1])
            return at + 1
        found = _TEXT.match(data, at)
        end = at if found is None else found.end()
        if end == len(data):
            self._read(data[at:end])
            return end
        self._escaped = data[end] == _BACKSLASH
        self._read(data[at : end + self._escaped])
        self._in_text = self._escaped
        if not self._in_text and self._reading_name and _BACKSLASH in self._name:
            self._name = decoded_name(self._name)
        return end + 1

    def _read(self, piece: bytes) -> None:
        if self._reading_name and len(self._name) <= _LONGEST_NAME:
            self._name += piece[: _LONGEST_NAME + 1]

    def _rewritten(self, written: bytes) -> bytes:
        try:
            name = json.loads(written)
        except ValueError:
            return written
        other = self._renamed(name)
        return written if other is None else json.dumps(other, ensure_ascii=False).encode("utf-8", "surrogatepass")
