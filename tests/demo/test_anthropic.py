"""Tests for L{llmproxy.demo.anthropic}."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.demo.anthropic import error, message, message_events

ASKED = {"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": "a b"}]}]}


def decoded(event: bytes) -> Any:
    name, data, *_ = event.decode().split("\n")
    values = json.loads(data.removeprefix("data: "))
    assert name == f"event: {values['type']}"
    return values


class MessageTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """A whole message, its words counted."""
        answer = message(ASKED)
        self.assertEqual(answer["content"], [{"type": "text", "text": "You said: a b"}])
        self.assertEqual(
            (answer["usage"], answer["stop_reason"]), ({"input_tokens": 2, "output_tokens": 4}, "end_turn")
        )

    def test_stream(self) -> None:
        """The events of Anthropic's streams in their order; the input is counted first, the output last."""
        events = [decoded(event) for event in message_events(ASKED)]
        kinds = [event["type"] for event in events if event["type"] != "content_block_delta"]
        self.assertEqual(
            kinds,
            ["message_start", "content_block_start", "ping", "content_block_stop", "message_delta", "message_stop"],
        )
        text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
        self.assertEqual(text, "You said: a b")
        self.assertEqual(events[0]["message"]["usage"], {"input_tokens": 2, "output_tokens": 0})
        self.assertEqual(events[-2]["usage"], {"output_tokens": 4})
        self.assertEqual(events[0]["message"]["id"], message(ASKED)["id"])

    def test_error(self) -> None:
        """An error has the shape that Anthropic's SDK raises."""
        self.assertEqual(error("no", "k"), {"type": "error", "error": {"type": "k", "message": "no"}})
