"""
Cohere's chats: those of version 2 in events, of version 1 in lines, the last of which has the whole answer.

docs.cohere.com/v2/docs/streaming, read 2026-11-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .parts import Indexed, add, add_text, mapping, settled, word

_LISTS = {"content": "content", "tool-call": "tool_calls", "citation": "citations"}
"""What its events are called, and where what they say belongs."""

_KINDS = frozenset(
    {
        "message-start",
        "message-end",
        "tool-plan-delta",
        "tool-call-delta",
        *(f"{name}-{step}" for name in _LISTS for step in ("start", "end")),
        "content-delta",
    }
)


class CohereChat:
    kind: ClassVar[str] = "cohere.chat"

    def __init__(self) -> None:
        self.is_whole = False
        self._answer: dict[str, Any] = {}
        self._message: dict[str, Any] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        return word(part.get("type")) in _KINDS

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        kind = word(part.get("type"))
        said, _, step = kind.rpartition("-")
        delta = mapping(part.get("delta"))
        message = mapping(delta.get("message"))
        if "id" in part:
            self._answer.setdefault("id", part["id"])
        if kind == "message-start":
            self._message = {name: each for name, each in message.items() if each not in ([], "")}
        elif kind == "message-end":
            self._answer.update(delta)
            self.is_whole = True
        elif said == "tool-plan":
            add_text(self._message, "tool_plan", message.get("tool_plan"))
        elif said in _LISTS and step != "end":
            name = _LISTS[said]
            kept = self._message.get(name)
            if not isinstance(kept, Indexed):
                kept = self._message[name] = Indexed()
            add(kept.at(part.get("index")), mapping(message.get(name)))

    def answer(self) -> Any:
        return {**self._answer, "message": settled(self._message)}


class CohereLines:
    kind: ClassVar[str] = "cohere.chat"

    def __init__(self) -> None:
        self.is_whole = False
        self._said: dict[str, Any] = {}
        self._whole: Mapping[str, Any] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        return part.get("event_type") in ("stream-start", "text-generation", "stream-end")

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        kind = part.get("event_type")
        if kind == "stream-start":
            self._said.update({name: each for name, each in part.items() if name not in ("event_type", "is_finished")})
        elif kind == "text-generation":
            add_text(self._said, "text", part.get("text"))
        elif kind == "stream-end":
            self._whole = mapping(part.get("response"))
            self.is_whole = True

    def answer(self) -> Any:
        return {**settled(self._said), **self._whole}
