"""
Gemini's C{streamGenerateContent}, in events or in one array, and its Interactions.

ai.google.dev/api/generate-content and ai.google.dev/api/interactions-api, read 2026-11-30. Every part of a stream is
an answer of its own, whose texts go on. A text is joined with the one before it if both are thoughts or neither is; a
signature ends its part. Vertex AI gives the arguments of a call in pieces where it is asked to: C{partialArgs}, each
with a path and a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from .parts import Indexed, add, add_text, added, inner, items, latest, mapping, number, settled

_APART = frozenset({"index", "content", "citationMetadata", "logprobsResult"})
_TEXT = frozenset({"text", "thought", "thoughtSignature"})
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,4})\]|\['([^']*)'\]")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")


class GenerateContent:
    kind: ClassVar[str] = "generateContent"

    def __init__(self) -> None:
        self._answer: dict[str, Any] = {}
        self._candidates: dict[int, _Candidate] = {}
        self._is_blocked = False

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        if isinstance(part.get("candidates"), list):
            return "choices" not in part
        return "usageMetadata" in part or "promptFeedback" in part

    @property
    def is_whole(self) -> bool:
        candidates = self._candidates.values()
        return self._is_blocked or (bool(candidates) and all(each.is_finished for each in candidates))

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        latest(self._answer, part, frozenset({"candidates"}))
        self._is_blocked = self._is_blocked or bool(mapping(part.get("promptFeedback")).get("blockReason"))
        self._is_blocked = self._is_blocked or "error" in part
        for each in items(part.get("candidates")):
            if isinstance(each, dict):
                self._candidates.setdefault(number(each.get("index")), _Candidate("index" in each)).take(each)

    def answer(self) -> Any:
        answer = dict(self._answer)
        if self._candidates:
            answer["candidates"] = [self._candidates[at].answer(at) for at in sorted(self._candidates)]
        return answer


class _Candidate:
    def __init__(self, has_index: bool) -> None:
        self._has_index = has_index
        self._said: dict[str, Any] = {}
        self._content: dict[str, Any] | None = None
        self._parts: list[dict[str, Any]] = []
        self._goes_on = False

    @property
    def is_finished(self) -> bool:
        return bool(self._said.get("finishReason"))

    def take(self, candidate: Mapping[str, Any]) -> None:
        latest(self._said, candidate, _APART)
        for name in ("citationMetadata", "logprobsResult"):
            if isinstance(candidate.get(name), dict):
                add(inner(self._said, name), candidate[name])
        content = candidate.get("content")
        if isinstance(content, dict):
            self._content = self._content or {}
            latest(self._content, content, frozenset({"parts"}))
            for part in items(content.get("parts")):
                if isinstance(part, dict):
                    self._part(part)

    def _part(self, part: Mapping[str, Any]) -> None:
        last = self._parts[-1] if self._parts else None
        call = part.get("functionCall")
        if last is not None and self._goes_on and isinstance(call, dict):
            self._call(inner(last, "functionCall"), call)
        elif isinstance(call, dict) and ("willContinue" in call or "partialArgs" in call):
            self._parts.append({**part, "functionCall": {}})
            self._call(self._parts[-1]["functionCall"], call)
        elif last is not None and _is_one_text(last, part):
            add_text(last, "text", part.get("text"))
            if "thoughtSignature" in part:
                last["thoughtSignature"] = part["thoughtSignature"]
        else:
            self._parts.append(dict(part))

    def _call(self, call: dict[str, Any], more: Mapping[str, Any]) -> None:
        self._goes_on = more.get("willContinue") is True
        for name, value in more.items():
            if name not in ("willContinue", "partialArgs", "args"):
                call.setdefault(name, value)
        arguments = inner(call, "args")
        latest(arguments, mapping(more.get("args")))
        for each in items(more.get("partialArgs")):
            _set(arguments, mapping(each))

    def answer(self, at: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"index": at} if self._has_index else {}
        if self._content is not None:
            # A text that says nothing stands for the end of a stream.
            parts = [each for each in self._parts if each != {"text": ""}] if len(self._parts) > 1 else self._parts
            answer["content"] = {"parts": settled(parts), **self._content} if parts else self._content
        return {**answer, **settled(self._said)}


def _is_one_text(last: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    if "text" not in last or "text" not in part or "thoughtSignature" in last:
        return False
    return last.keys() <= _TEXT and part.keys() <= _TEXT and bool(last.get("thought")) == bool(part.get("thought"))


def _set(arguments: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Put a piece of the arguments of a call where its path leads."""
    name = next((each for each in _VALUES if each in piece), None)
    path = piece.get("jsonPath")
    steps: list[str | int] = []
    for field, at, quoted in _STEP.findall(path) if isinstance(path, str) else ():
        steps.append(int(at) if at else field or quoted)
    if name is None or not steps or not isinstance(steps[0], str):
        return
    place: dict[Any, Any] = arguments
    for step, following in pairwise(steps):
        inner = place.get(step)
        if not isinstance(inner, dict):
            inner = place[step] = Indexed() if isinstance(following, int) else {}
        place = inner
    if name == "stringValue":
        add_text(place, steps[-1], piece[name])  # type: ignore[arg-type]
    else:
        place[steps[-1]] = None if name == "nullValue" else piece[name]


class Interaction:
    kind: ClassVar[str] = "interaction"

    def __init__(self) -> None:
        self.is_whole = False
        self._interaction: dict[str, Any] = {}
        self._outputs = Indexed()

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        kind = part.get("event_type", name)
        return isinstance(kind, str) and kind.startswith(("interaction.", "content.", "step."))

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        kind, at = part.get("event_type", name), part.get("index")
        latest(self._interaction, mapping(part.get("interaction")))
        if kind in ("interaction.complete", "interaction.completed"):
            self.is_whole = True
        elif kind in ("content.start", "step.start"):
            latest(self._outputs.at(at), mapping(part.get("content", part.get("step"))))
        elif kind in ("content.delta", "step.delta"):
            self._delta(self._outputs.at(at), mapping(part.get("delta")))
        elif "error" in part:
            self._interaction["error"] = part["error"]
            self.is_whole = True

    @staticmethod
    def _delta(output: dict[str, Any], delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "thought_summary":
            output["summary"] = added(output.get("summary"), [delta.get("content")])
        elif kind == "thought_signature":
            add_text(output, "signature", delta.get("signature"))
        else:
            output.setdefault("type", kind)
            add(output, {name: each for name, each in delta.items() if name != "type"})

    def answer(self) -> Any:
        answer = dict(self._interaction)
        if self._outputs and not answer.get("outputs"):
            answer["outputs"] = settled(self._outputs)
        return answer
