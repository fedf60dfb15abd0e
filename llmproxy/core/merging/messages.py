"""
Anthropic's Messages.

docs.anthropic.com/en/docs/build-with-claude/streaming, read 2026-11-30. What a delta is called says what it adds to;
one of a kind that is not known here adds its members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from .parts import Indexed, add, add_text, inner_list, items, latest, mapping, number, settled, word

_KINDS = frozenset(
    "message_start content_block_start content_block_delta content_block_stop message_delta message_stop".split()
)


class Message:
    kind: ClassVar[str] = "message"

    def __init__(self) -> None:
        self.is_whole = False
        self._message: dict[str, Any] = {}
        self._blocks = Indexed(keeps_index=True)
        self._inputs: dict[int, dict[str, Any]] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        return word(part.get("type")) in _KINDS

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        kind, at = part.get("type"), number(part.get("index"))
        if kind == "message_start":
            self._message = dict(mapping(part.get("message")))
            self._blocks.update(enumerate(items(self._message.get("content"))))
        elif kind == "content_block_start":
            self._blocks[at] = dict(mapping(part.get("content_block")))
        elif kind == "content_block_delta":
            self._delta(at, mapping(part.get("delta")))
        elif kind == "message_delta":
            latest(self._message, mapping(part.get("delta")))
            latest(self._message, {name: each for name, each in part.items() if name not in ("type", "delta")})
        elif kind == "message_stop":
            self.is_whole = True
        elif kind == "error":
            self._message["error"] = part.get("error")
            self.is_whole = True

    def _delta(self, at: int, delta: Mapping[str, Any]) -> None:
        block, kind = self._blocks.at(at), delta.get("type")
        if kind == "input_json_delta":
            add_text(self._inputs.setdefault(at, {}), "json", delta.get("partial_json"))
        elif kind == "citations_delta":
            inner_list(block, "citations").append(delta.get("citation"))
        else:
            add(block, {name: each for name, each in delta.items() if name != "type"})

    def answer(self) -> Any:
        for at, written in self._inputs.items():
            text = settled(written).get("json", "")
            if text:
                self._blocks.at(at)["input"] = _read(text)
        message = dict(self._message)
        if self._blocks or "content" in message:
            message["content"] = settled(self._blocks)
        return message


def _read(text: str) -> Any:
    """What is written there; a text that is cut stays one."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
