"""How two vendors want to be talked to: the body of a request, and the text of what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import frozen

Message = dict[str, str]
"""C{role} and C{content}."""

MAX_TOKENS = 1024
"""What Anthropic's API must be told, where nothing was said."""


@frozen
class Wishes:
    """
    @ivar temperature: C{None} is the API's own.
    @ivar max_tokens: C{None} is the API's own limit.
    """

    model: str
    system: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True


class Shape(Protocol):
    path: str

    def body(self, messages: Sequence[Message], wishes: Wishes) -> dict[str, Any]:
        """What is sent."""

    def text_of_event(self, event: Any) -> str:
        """The text in one event of a stream, C{""} if there is none in it."""

    def text_of_answer(self, answer: Any) -> str:
        """The text of an answer that came in one piece."""


class OpenAI:
    """Chat completions, as OpenAI and most others have them."""

    path = "/v1/chat/completions"

    def body(self, messages: Sequence[Message], wishes: Wishes) -> dict[str, Any]:
        system = [{"role": "system", "content": wishes.system}] if wishes.system else []
        return {"model": wishes.model, "messages": [*system, *messages], "stream": wishes.stream} | _given(wishes)

    def text_of_event(self, event: Any) -> str:
        return "".join(_text(_member(choice, "delta"), "content") for choice in _list(event, "choices"))

    def text_of_answer(self, answer: Any) -> str:
        return "".join(_text(_member(choice, "message"), "content") for choice in _list(answer, "choices"))


class Anthropic:
    """Messages, as Anthropic has them."""

    path = "/v1/messages"

    def body(self, messages: Sequence[Message], wishes: Wishes) -> dict[str, Any]:
        system = {"system": wishes.system} if wishes.system else {}
        found = {"model": wishes.model, "messages": [*messages], "stream": wishes.stream, **system} | _given(wishes)
        found.setdefault("max_tokens", MAX_TOKENS)
        return found

    def text_of_event(self, event: Any) -> str:
        return _text(_member(event, "delta"), "text") if _text(event, "type") == "content_block_delta" else ""

    def text_of_answer(self, answer: Any) -> str:
        return "".join(_text(block, "text") for block in _list(answer, "content"))


SHAPES: dict[str, Shape] = {"openai": OpenAI(), "anthropic": Anthropic()}


def _given(wishes: Wishes) -> dict[str, Any]:
    values = {"temperature": wishes.temperature, "max_tokens": wishes.max_tokens}
    return {name: value for name, value in values.items() if value is not None}


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any, name: str) -> list[Any]:
    found = _member(value, name)
    return found if isinstance(found, list) else []


def _text(value: Any, name: str) -> str:
    found = _member(value, name)
    return found if isinstance(found, str) else ""
