"""Answers of Gemini, merged."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged, merged_array

from .pairs import SSE, Pair, PairsMixin, data

_USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}


def chunk(*parts: dict[str, Any], finish: str | None = None, index: int | None = 0, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return {"candidates": [candidate], "modelVersion": "g", "responseId": "r", **more}


def plain(*parts: dict[str, Any], finish: str = "STOP", usage: Any = _USAGE) -> dict[str, Any]:
    return chunk(*parts, finish=finish, usageMetadata=usage)


_CALL = {"functionCall": {"name": "f", "args": {"city": "Bonn"}, "id": "c"}}
_BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}, "modelVersion": "g"}
_CHUNKS = [chunk({"text": "Hé"}), chunk({"text": "llo"}), chunk({"text": ""}, finish="STOP", usageMetadata=_USAGE)]
_ARGUMENTS: list[dict[str, Any]] = [
    {"functionCall": {"name": "f", "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$.city", "stringValue": "Bo"}], "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$.city", "stringValue": "nn"}], "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$.days[1].of", "numberValue": 2}], "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$['is it']", "boolValue": True}], "willContinue": True}},
    {"functionCall": {"partialArgs": [{"jsonPath": "$.no", "nullValue": None}], "willContinue": True}},
    {"functionCall": {}},
]

PAIRS = {
    "text": Pair(SSE, data(_CHUNKS, done=False), plain({"text": "Héllo"}), "generateContent"),
    "thoughts": Pair(
        SSE,
        data(
            [
                chunk({"text": "Let ", "thought": True}),
                chunk({"text": "me", "thought": True}),
                chunk({"text": "4"}),
                chunk({"text": "2", "thoughtSignature": "c2ln"}),
                chunk({"text": "."}, finish="STOP", usageMetadata=_USAGE),
            ],
            done=False,
        ),
        plain({"text": "Let me", "thought": True}, {"text": "42", "thoughtSignature": "c2ln"}, {"text": "."}),
        "generateContent",
    ),
    "calls, code and pictures": Pair(
        SSE,
        data(
            [
                chunk({"text": "a"}),
                chunk(_CALL),
                chunk(_CALL, {"executableCode": {"language": "PYTHON", "code": "1"}}),
                chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, {"text": "b"}),
                chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, finish="STOP", usageMetadata=_USAGE),
            ],
            done=False,
        ),
        plain(
            {"text": "a"},
            _CALL,
            _CALL,
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            {"text": "b"},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        ),
        "generateContent",
    ),
    "arguments in pieces": Pair(
        SSE,
        data([*(chunk(each) for each in _ARGUMENTS), chunk(finish="STOP", usageMetadata=_USAGE)], done=False),
        plain(
            {
                "functionCall": {
                    "name": "f",
                    "args": {"city": "Bonn", "days": [{"of": 2}], "is it": True, "no": None},
                }
            }
        ),
        "generateContent",
    ),
    "several candidates, usage in each": Pair(
        SSE,
        data(
            [
                chunk({"text": "a"}, usageMetadata={**_USAGE, "candidatesTokenCount": 1}),
                chunk({"text": "b"}, index=1),
                chunk({"text": "A"}, finish="STOP", usageMetadata=_USAGE),
                chunk({"text": "B"}, index=1, finish="MAX_TOKENS"),
            ],
            done=False,
        ),
        {
            **plain(),
            "candidates": [
                chunk({"text": "aA"}, finish="STOP")["candidates"][0],
                chunk({"text": "bB"}, index=1, finish="MAX_TOKENS")["candidates"][0],
            ],
        },
        "generateContent",
    ),
    "blocked": Pair(SSE, data([_BLOCKED], done=False), _BLOCKED, "generateContent"),
    "interaction": Pair(
        SSE,
        data(
            [
                {"event_type": "interaction.created", "interaction": {"id": "i", "status": "in_progress"}},
                {"event_type": "content.start", "index": 0, "content": {"type": "thought"}},
                {
                    "event_type": "content.delta",
                    "index": 0,
                    "delta": {"type": "thought_summary", "content": {"type": "text", "text": "Hm"}},
                },
                {"event_type": "content.delta", "index": 0, "delta": {"type": "thought_signature", "signature": "s"}},
                {"event_type": "content.start", "index": 1, "content": {"type": "text"}},
                {"event_type": "content.delta", "index": 1, "delta": {"type": "text", "text": "He"}},
                {"event_type": "content.delta", "index": 1, "delta": {"type": "text", "text": "y"}},
                {"event_type": "content.stop", "index": 1},
                {
                    "event_type": "interaction.completed",
                    "interaction": {"id": "i", "status": "completed", "usage": {"total_tokens": 3}},
                },
            ]
        ),
        {
            "id": "i",
            "status": "completed",
            "usage": {"total_tokens": 3},
            "outputs": [
                {"type": "thought", "summary": [{"type": "text", "text": "Hm"}], "signature": "s"},
                {"type": "text", "text": "Hey"},
            ],
        },
        "interaction",
    ),
}


class GeminiTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_array(self) -> None:
        """An array of parts, as it comes without C{alt=sse}, is a stream too."""
        found = merged_array(json.dumps(_CHUNKS, indent=1))
        assert found is not None
        self.assertEqual((found.content, found.is_whole), (plain({"text": "Héllo"}), True))

    def test_array_cut(self) -> None:
        """Cut anywhere, it has the parts that were whole, and says that it is not."""
        text = json.dumps(_CHUNKS)
        found = merged_array(text[: text.index("llo") + 2])
        assert found is not None
        self.assertEqual(found.content["candidates"][0]["content"]["parts"], [{"text": "Hé"}])
        self.assertFalse(found.is_whole)

    def test_other_arrays(self) -> None:
        """Any other array is a document and no stream."""
        for text in ("[]", "[1,2]", '[{"a":1}]', "{}", "", '[{"choices":[]}]'):
            self.assertIsNone(merged_array(text), text)

    def test_no_room_for_indexes(self) -> None:
        """A path into an array makes no more room than what it is given."""
        part = {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a[9999]", "numberValue": 1}]}}
        found = merged(data([chunk(part)]), SSE).content
        self.assertEqual(found["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], {"a": [1]})

    def test_error_in_interaction(self) -> None:
        """An error stands beside what there was."""
        events = [
            {"event_type": "interaction.created", "interaction": {"id": "i"}},
            {"event_type": "error", "error": {}},
        ]
        self.assertEqual(merged(data(events), SSE).content, {"id": "i", "error": {}})
