"""Chats of Cohere, merged."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import NDJSON, SSE, Pair, PairsMixin, lines, typed


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    placed = {} if index is None else {"index": index}
    return {"type": kind, **placed, "delta": {"message": message}}


_USAGE = {"tokens": {"input_tokens": 3, "output_tokens": 2}}
_END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _USAGE}}
_WHOLE = {"text": "Hey", "finish_reason": "COMPLETE", "meta": {"billed_units": {}}}

PAIRS = {
    "text": Pair(
        SSE,
        typed(
            {
                "id": "c",
                **event("message-start", role="assistant", content=[], tool_plan="", tool_calls=[], citations=[]),
            },
            event("content-start", 0, content={"type": "text", "text": ""}),
            event("content-delta", 0, content={"text": "He"}),
            event("content-delta", 0, content={"text": "y"}),
            event("citation-start", 0, citations={"start": 0, "end": 3}),
            {"type": "citation-end", "index": 0},
            {"type": "content-end", "index": 0},
            _END,
        ),
        {
            "id": "c",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "Hey"}],
                "citations": [{"start": 0, "end": 3}],
            },
            "finish_reason": "COMPLETE",
            "usage": _USAGE,
        },
        "cohere.chat",
    ),
    "tools": Pair(
        SSE,
        typed(
            {"id": "c", **event("message-start", role="assistant")},
            event("tool-plan-delta", tool_plan="I "),
            event("tool-plan-delta", tool_plan="will"),
            event(
                "tool-call-start",
                0,
                tool_calls={"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}},
            ),
            event("tool-call-delta", 0, tool_calls={"function": {"arguments": "{}"}}),
            {"type": "tool-call-end", "index": 0},
            _END,
        ),
        {
            "id": "c",
            "message": {
                "role": "assistant",
                "tool_plan": "I will",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            "finish_reason": "COMPLETE",
            "usage": _USAGE,
        },
        "cohere.chat",
    ),
    "version 1": Pair(
        NDJSON,
        lines(
            {"event_type": "stream-start", "is_finished": False, "generation_id": "g"},
            {"event_type": "text-generation", "is_finished": False, "text": "He"},
            {"event_type": "text-generation", "is_finished": False, "text": "y"},
            {"event_type": "stream-end", "is_finished": True, "response": _WHOLE},
        ),
        {"generation_id": "g", **_WHOLE},
        "cohere.chat",
    ),
}


class CohereTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """What was said is there."""
        stream = lines({"event_type": "text-generation", "text": "He"})
        self.assertEqual(merged(stream, NDJSON).content, {"text": "He"})
        found = merged(PAIRS["text"].stream.partition(b"event: citation-start")[0], SSE)
        self.assertEqual(found.content["message"]["content"], [{"type": "text", "text": "Hey"}])
        self.assertFalse(found.is_whole)
