"""The shape of a chat with a vendor's API: the body of a request, and the text of what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import frozen

Message = dict[str, str]
"""C{role} and C{content}."""


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


class ChatShape(Protocol):
    """@ivar path: where requests go."""

    @property
    def path(self) -> str: ...

    def body(self, messages: Sequence[Message], wishes: Wishes) -> dict[str, Any]:
        """What is sent."""

    def text_of_event(self, event: Any) -> str:
        """The text in one event of a stream, C{""} if there is none in it."""

    def text_of_answer(self, answer: Any) -> str:
        """The text of an answer that came in one piece."""


def limits_of(wishes: Wishes) -> dict[str, Any]:
    """The limits that were wished for, by the names that OpenAI and Anthropic share."""
    values = {"temperature": wishes.temperature, "max_tokens": wishes.max_tokens}
    return {name: value for name, value in values.items() if value is not None}


def member(value: Any, name: str) -> Any:
    """A member of an object; C{None} of anything else."""
    return value.get(name) if isinstance(value, dict) else None


def items(value: Any, name: str) -> list[Any]:
    """A member that is a list; an empty one where it is none."""
    found = member(value, name)
    return found if isinstance(found, list) else []


def text(value: Any, name: str) -> str:
    """A member that is text; C{""} where it is none."""
    found = member(value, name)
    return found if isinstance(found, str) else ""
