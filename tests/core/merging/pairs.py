"""Golden pairs: a stream, and what a plain call would have answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from llmproxy.core.merging import merged
from llmproxy.core.merging.reading import AWS, EVENT_STREAM, LINES

SSE, NDJSON, AWS_EVENTS = EVENT_STREAM, b"application/x-ndjson", AWS
assert NDJSON in LINES


@frozen
class Pair:
    media_type: bytes
    stream: bytes
    plain: Any
    kind: str


def data(documents: Iterable[Any], *, done: bool = True) -> bytes:
    """Events without names, as OpenAI and Gemini give them."""
    events = b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in documents)
    return events + (b"data: [DONE]\n\n" if done else b"")


def named(events: Iterable[tuple[str, Any]]) -> bytes:
    """Events with names."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(each).encode()) for name, each in events)


def typed(*documents: dict[str, Any]) -> bytes:
    """Events that have their type for a name, as Anthropic and Responses give them."""
    return named((str(each["type"]), each) for each in documents)


def lines(*documents: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in documents)


class PairsMixin:
    """What holds of every pair; a test case has it beside its own."""

    PAIRS: dict[str, Pair]

    def test_pairs(self: Any) -> None:
        """A stream is merged into the answer that a plain call would have given."""
        for name, pair in self.PAIRS.items():
            found = merged(pair.stream, pair.media_type)
            self.assertEqual(found.content, pair.plain, name)
            self.assertEqual(found.kind, pair.kind, name)
            self.assertTrue(found.is_whole, name)
