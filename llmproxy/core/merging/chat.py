"""
OpenAI's chats and completions, and those of who speaks as it does.

Parts are C{chat.completion.chunk} objects (platform.openai.com/docs/api-reference/chat/streaming) and
C{text_completion} objects, read 2026-11-30. What compatible servers do otherwise is borne: a call of a tool without
an index, or each with the index 0; its name in every part; the usage in every part; Azure's part with filter results
and no id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .parts import add, add_text, items, latest, mapping, number, settled

_FIRST = frozenset({"id", "created", "model", "object", "system_fingerprint"})
"""What is the same in all parts, unless it is empty."""

_APART = frozenset({"choices", "obfuscation"})
"""What is read on its own, and what is there to hide the length of a part."""

_OBJECTS = {"chat.completion.chunk": "chat.completion"}


class Chat:
    kind: ClassVar[str] = "chat.completion"

    def __init__(self) -> None:
        self._answer: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        return isinstance(part.get("choices"), list)

    @property
    def is_whole(self) -> bool:
        return bool(self._choices) and all(each.is_finished for each in self._choices.values())

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        answer = self._answer
        for member in _FIRST & part.keys():
            if not answer.get(member):
                answer[member] = part[member]
        latest(answer, part, _FIRST | _APART)
        for choice in items(part.get("choices")):
            if isinstance(choice, dict):
                self._choices.setdefault(number(choice.get("index")), _Choice()).take(choice)

    def answer(self) -> Any:
        answer = dict(self._answer)
        if answer.get("usage", 0) is None:
            # Where nobody asked for it: a plain call would have it, but nothing is known of it.
            del answer["usage"]
        if isinstance(answer.get("object"), str):
            answer["object"] = _OBJECTS.get(answer["object"], answer["object"])
        answer["choices"] = [{"index": at, **self._choices[at].answer()} for at in sorted(self._choices)]
        return answer


class _Choice:
    def __init__(self) -> None:
        self._said: dict[str, Any] = {}
        self._message: dict[str, Any] | None = None
        self._calls = _Calls()

    @property
    def is_finished(self) -> bool:
        return bool(self._said.get("finish_reason"))

    def take(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._message = self._message or {}
            self._take(self._message, delta)
        if isinstance(choice.get("text"), str):
            add_text(self._said, "text", choice["text"])
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict):
            kept = self._said.get("logprobs")
            self._said["logprobs"] = kept = kept if isinstance(kept, dict) else {}
            add(kept, logprobs)
        elif "logprobs" in choice:
            self._said.setdefault("logprobs", None)
        latest(self._said, choice, frozenset({"index", "delta", "text", "logprobs"}))

    def _take(self, message: dict[str, Any], delta: Mapping[str, Any]) -> None:
        content, calls = delta.get("content"), delta.get("tool_calls")
        if isinstance(content, list) or isinstance(message.get("content"), list):
            message["content"] = _with_parts(message.get("content"), content)
        elif isinstance(content, str) or "content" in delta:
            add(message, {"content": content})
        self._calls.take(items(calls))
        add(message, {name: each for name, each in delta.items() if name not in ("content", "tool_calls")})

    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = settled(self._said)
        if self._message is not None:
            message = {"role": "assistant", "content": None, **settled(self._message)}
            calls = self._calls.answer()
            answer["message"] = {**message, "tool_calls": calls} if calls else message
        return answer


class _Calls:
    """Calls of tools, each by its index or, where that says nothing, by its id."""

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []
        self._at: dict[int, dict[str, Any]] = {}

    def take(self, parts: list[Any]) -> None:
        for part in parts:
            if isinstance(part, dict):
                add(self._call(part), {name: each for name, each in part.items() if name != "index"})

    def _call(self, part: Mapping[str, Any]) -> dict[str, Any]:
        at, known_as = part.get("index"), part.get("id")
        call = self._at.get(at) if type(at) is int else (self._calls[-1] if self._calls else None)
        if call is None or self._is_another(call, known_as, part):
            call = {}
            self._calls.append(call)
            if type(at) is int:
                self._at[at] = call
        return call

    @staticmethod
    def _is_another(call: Mapping[str, Any], known_as: Any, part: Mapping[str, Any]) -> bool:
        named = mapping(part.get("function")).get("name")
        return bool(known_as and named and call.get("id") and call["id"] != known_as)

    def answer(self) -> list[Any]:
        calls: list[Any] = settled(self._calls)
        return calls


def _with_parts(content: Any, more: Any) -> list[Any]:
    """Content in parts, as Mistral's thinking models give it: what is of the same type goes on."""
    parts = content if isinstance(content, list) else []
    if content is not parts and content:
        parts = [{"type": "text", "text": settled(content)}]
    for each in [{"type": "text", "text": more}] if isinstance(more, str) else items(more):
        last = parts[-1] if parts else None
        if isinstance(last, dict) and isinstance(each, dict) and last.get("type") == each.get("type"):
            _go_on(last, each)
        else:
            parts.append(each)
    return parts


def _go_on(last: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, list) and isinstance(last.get(name), list):
            last[name] = _with_parts(last[name], value)
        else:
            add(last, {name: value})
