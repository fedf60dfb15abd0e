"""
Runs of OpenAI's assistants: the run as it was at last, with the messages and steps that it made.

platform.openai.com/docs/api-reference/assistants-streaming/events, read 2026-11-30. A plain call answers with the run
alone; what it made is fetched later, and stands here in C{messages} and C{steps}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .parts import Indexed, add, items, mapping, settled

_LAST = frozenset(
    f"thread.run.{ending}"
    for ending in ("completed", "incomplete", "failed", "cancelled", "expired", "requires_action")
)


class Run:
    kind: ClassVar[str] = "thread.run"

    def __init__(self) -> None:
        self.is_whole = False
        self._answer: dict[str, Any] = {}
        self._messages: dict[Any, dict[str, Any]] = {}
        self._steps: dict[Any, dict[str, Any]] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        return name.startswith("thread.")

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        if name.startswith("thread.message."):
            _note(self._messages, name, part)
        elif name.startswith("thread.run.step."):
            _note(self._steps, name, part)
        elif name.startswith("thread.run."):
            self._answer = dict(part)
            self.is_whole = name in _LAST
        elif name == "error":
            self._answer["error"] = part.get("error", dict(part))
            self.is_whole = True

    def answer(self) -> Any:
        answer = dict(self._answer)
        if self._messages:
            answer["messages"] = [settled(each) for each in self._messages.values()]
        if self._steps:
            answer["steps"] = [settled(each) for each in self._steps.values()]
        return answer


def _note(kept: dict[Any, dict[str, Any]], name: str, part: Mapping[str, Any]) -> None:
    known_as = part.get("id") if isinstance(part.get("id"), str) else ""
    if not name.endswith(".delta"):
        # Each says all that there is by then.
        kept[known_as] = dict(part)
        return
    target = kept.setdefault(known_as, {"id": known_as})
    _add(target, mapping(part.get("delta")))


def _add(target: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if isinstance(value, list):
            indexed = target.get(name)
            if not isinstance(indexed, Indexed):
                indexed = target[name] = Indexed.of(indexed)
            for place, each in enumerate(items(value)):
                if isinstance(each, dict):
                    _add(indexed.at(each.get("index", place)), {**each, "index": None})
                else:
                    indexed[max(indexed, default=-1) + 1] = each
        elif isinstance(value, dict):
            inner = target.get(name)
            if not isinstance(inner, dict) or isinstance(inner, Indexed):
                inner = target[name] = {}
            _add(inner, value)
        elif name != "index":
            add(target, {name: value})
