"""
Bedrock's C{ConverseStream}, whose parts are known by the names of their messages.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html, read 2026-11-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from .parts import Indexed, add, inner, inner_list, mapping, settled

_KINDS = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop"})


class Converse:
    kind: ClassVar[str] = "converse"

    def __init__(self) -> None:
        self.is_whole = False
        self._answer: dict[str, Any] = {}
        self._message: dict[str, Any] = {"role": "assistant"}
        self._blocks = Indexed()

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        return name in _KINDS

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        at = part.get("contentBlockIndex")
        if name == "messageStart":
            self._message["role"] = part.get("role")
        elif name == "contentBlockStart":
            add(self._blocks.at(at), mapping(part.get("start")))
        elif name == "contentBlockDelta":
            self._delta(self._blocks.at(at), mapping(part.get("delta")))
        elif name == "messageStop":
            self._answer.update({each: value for each, value in part.items() if each != "p"})
            self.is_whole = True
        elif name == "metadata":
            self._answer.update({each: value for each, value in part.items() if each != "p"})
        elif name.endswith("Exception"):
            self._answer["error"] = {"type": name, **part}

    @staticmethod
    def _delta(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
        for name, value in delta.items():
            if name == "reasoningContent" and isinstance(value, dict):
                reasoning = inner(block, name)
                add(reasoning if "redactedContent" in value else inner(reasoning, "reasoningText"), value)
            elif name == "citation":
                inner_list(inner(block, "citationsContent"), "citations").append(value)
            else:
                add(block, {name: value})

    def answer(self) -> Any:
        content = settled(self._blocks)
        for block in content:
            tool = mapping(block).get("toolUse")
            if isinstance(tool, dict) and isinstance(tool.get("input"), str):
                tool["input"] = _read(tool["input"])
        return {"output": {"message": {**self._message, "content": content}}, **self._answer}


def _read(text: str) -> Any:
    """What is written there; a text that is cut stays one."""
    try:
        return msgspec.json.decode(text) if text else {}
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
