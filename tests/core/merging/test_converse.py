"""Bedrock's ConverseStream, merged."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged
from tests.providers.vendoranswers import aws_event

from .pairs import AWS_EVENTS, Pair, PairsMixin


def message(kind: str, **said: Any) -> bytes:
    name = kind.encode()
    header = b"\x0b:event-type\x07" + len(name).to_bytes(2, "big") + name
    return aws_event(json.dumps({**said, "p": "abcd"}).encode(), b"\x0d:message-type\x07\x00\x05event" + header)


def delta(at: int, **said: Any) -> bytes:
    return message("contentBlockDelta", contentBlockIndex=at, delta=said)


PAIRS = {
    "text, thoughts and a tool": Pair(
        AWS_EVENTS,
        message("messageStart", role="assistant")
        + delta(0, reasoningContent={"text": "H"})
        + delta(0, reasoningContent={"text": "m"})
        + delta(0, reasoningContent={"signature": "s"})
        + delta(1, text="Hé")
        + delta(1, text="y")
        + message("contentBlockStart", contentBlockIndex=2, start={"toolUse": {"toolUseId": "t", "name": "f"}})
        + delta(2, toolUse={"input": '{"a"'})
        + delta(2, toolUse={"input": ":1}"})
        + message("contentBlockStop", contentBlockIndex=2)
        + message("messageStop", stopReason="tool_use")
        + message("metadata", usage={"inputTokens": 1}, metrics={"latencyMs": 2}),
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
                        {"text": "Héy"},
                        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
                    ],
                }
            },
            "stopReason": "tool_use",
            "usage": {"inputTokens": 1},
            "metrics": {"latencyMs": 2},
        },
        "converse",
    ),
}


class ConverseTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """Input of a tool that is cut stays a text; an exception stands beside what was said."""
        tool = message("contentBlockStart", contentBlockIndex=0, start={"toolUse": {"name": "f"}})
        stream = tool + delta(0, toolUse={"input": '{"a'}) + message("throttlingException", message="m")
        found = merged(stream, AWS_EVENTS)
        self.assertEqual(
            found.content,
            {
                "output": {"message": {"role": "assistant", "content": [{"toolUse": {"name": "f", "input": '{"a'}}]}},
                "error": {"type": "throttlingException", "message": "m", "p": "abcd"},
            },
        )
        self.assertFalse(found.is_whole)
