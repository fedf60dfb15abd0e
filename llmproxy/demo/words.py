"""Words of the demo upstream: an echo, counted in words, the same for the same question."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from typing import Any

DIMENSIONS = 16
"""Numbers of an embedding where the request does not say."""


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return " ".join(part for part in parts if isinstance(part, str))


def last_user_text(messages: Any) -> str:
    """What the user said last."""
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def words(texts: Iterable[str]) -> int:
    """The demo's tokens."""
    return sum(len(text.split()) for text in texts)


def all_texts(messages: Any) -> list[str]:
    return [text_of(message.get("content")) for message in messages if isinstance(message, dict)]


def answer(text: str) -> str:
    return f"You said: {text}" if text else "You said nothing."


def pieces(text: str) -> list[str]:
    """The same text in the chunks of a stream: a word each, with the space before it."""
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


def identity(prefix: str, *seeds: str) -> str:
    """An id that is the same for the same request."""
    return prefix + hashlib.sha256("\0".join(seeds).encode()).hexdigest()[:24]


def embedding(text: str, dimensions: int) -> list[float]:
    """Numbers from -1 to 1 that depend on the text only, each exact as a 32 bit float."""
    digest = hashlib.shake_256(text.encode()).digest(2 * dimensions)
    return [number / 32768 for number in struct.unpack(f"<{dimensions}h", digest)]
