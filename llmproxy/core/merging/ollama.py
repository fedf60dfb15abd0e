"""
Lines of Ollama's chats and generations, and the events of llama.cpp's own completions: the last one has the counts.

github.com/ollama/ollama/blob/main/docs/api.md and llama.cpp's server, read 2026-11-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .parts import add, add_text, mapping, settled

_TEXTS = ("response", "thinking", "content")


class Generation:
    kind: ClassVar[str] = "generation"

    def __init__(self) -> None:
        self.is_whole = False
        self._last: Mapping[str, Any] = {}
        self._said: dict[str, Any] = {}
        self._message: dict[str, Any] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        if type(part.get("done")) is bool:
            return "message" in part or "response" in part
        return type(part.get("stop")) is bool and isinstance(part.get("content"), str)

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        if "error" in part:
            self._said["error"] = part["error"]
            self.is_whole = True
            return
        self._last = part
        self.is_whole = part.get("done") is True or part.get("stop") is True
        for member in _TEXTS:
            add_text(self._said, member, part.get(member))
        if isinstance(part.get("tokens"), list):
            self._said.setdefault("tokens", []).extend(part["tokens"])
        add(self._message, mapping(part.get("message")))

    def answer(self) -> Any:
        answer = {**self._last, **settled(self._said)}
        if self._message:
            answer["message"] = settled(self._message)
        return answer
