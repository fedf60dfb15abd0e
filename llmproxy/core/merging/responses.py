"""
OpenAI's Responses: the last event has the whole answer; where that is missing, it is put together of what came before.

platform.openai.com/docs/api-reference/responses-streaming, read 2026-11-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .parts import Indexed, add_text, items, mapping, number, settled

_LAST = frozenset({"completed", "incomplete", "failed", "cancelled"})

_PARTS = {
    "output_text": "text",
    "refusal": "refusal",
    "reasoning_text": "text",
}
"""What events of a part of an item's content are called, and where their text belongs."""

_ITEMS = {
    "function_call_arguments": "arguments",
    "mcp_call_arguments": "arguments",
    "custom_tool_call_input": "input",
    "code_interpreter_call_code": "code",
    "audio.transcript": "transcript",
}
"""Likewise of an item itself."""

_PREFIX = "response."


class Response:
    kind: ClassVar[str] = "response"

    def __init__(self) -> None:
        self.is_whole = False
        self._response: dict[str, Any] = {}
        self._beside: dict[str, Any] = {}
        self._items = Indexed()

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        kind = part.get("type")
        return isinstance(kind, str) and kind.startswith(_PREFIX)

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        kind = part.get("type")
        if kind == "error":
            self._beside["error"] = {each: value for each, value in part.items() if each != "type"}
            self.is_whole = True
        if not isinstance(kind, str) or not kind.startswith(_PREFIX):
            return
        said, _, step = kind[len(_PREFIX) :].rpartition(".")
        if isinstance(part.get("response"), dict):
            self._response = dict(part["response"])
            self.is_whole = self.is_whole or (not said and step in _LAST)
        elif said == "output_item":
            self._items[number(part.get("output_index"))] = dict(mapping(part.get("item")))
        else:
            self._item(self._items.at(part.get("output_index")), said, step, part)

    def _item(self, item: dict[str, Any], said: str, step: str, part: Mapping[str, Any]) -> None:
        if said == "content_part":
            _list(item, "content")[number(part.get("content_index"))] = dict(mapping(part.get("part")))
        elif said == "reasoning_summary_part":
            _list(item, "summary")[number(part.get("summary_index"))] = dict(mapping(part.get("part")))
        elif said == "reasoning_summary_text":
            summary = _list(item, "summary").at(part.get("summary_index"))
            summary.setdefault("type", "summary_text")
            _say(summary, "text", step, part)
        elif said in _PARTS:
            content = _list(item, "content").at(part.get("content_index"))
            content.setdefault("type", said)
            _say(content, _PARTS[said], step, part)
        elif said == "output_text.annotation" and step == "added":
            content = _list(item, "content").at(part.get("content_index"))
            _longer(content, "annotations", [part.get("annotation")])
        elif said in _ITEMS:
            _say(item, _ITEMS[said], step, part)

    def answer(self) -> Any:
        response = dict(self._response)
        if self._items and not response.get("output"):
            response["output"] = settled(self._items)
        return {**response, **self._beside}


def _list(item: dict[str, Any], name: str) -> Indexed:
    current = item.get(name)
    if not isinstance(current, Indexed):
        current = item[name] = Indexed.of(current)
    return current


def _longer(target: dict[str, Any], name: str, more: list[Any]) -> None:
    current = target.get(name)
    if isinstance(current, list):
        current.extend(more)
    else:
        target[name] = [*more]


def _say(target: dict[str, Any], name: str, step: str, part: Mapping[str, Any]) -> None:
    if step == "delta":
        add_text(target, name, part.get("delta"))
        if part.get("logprobs"):
            _longer(target, "logprobs", items(part["logprobs"]))
    elif step == "done" and isinstance(part.get(name), str):
        target[name] = part[name]
