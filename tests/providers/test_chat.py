"""Tests for L{llmproxy.providers.chat}, and the shapes of the vendors that have one."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.anthropic import MAX_TOKENS
from llmproxy.providers.chat import Wishes
from llmproxy.providers.registry import SHAPES

ASKED = [{"role": "user", "content": "hi"}]


class BodyTests(SynchronousTestCase):
    def body(self, shape: str, **wishes: Any) -> dict[str, Any]:
        return SHAPES[shape].body(ASKED, Wishes("m", **wishes))

    def test_openai(self) -> None:
        """The instruction is the first message; what was not wished for is not said."""
        self.assertEqual(self.body("openai"), {"model": "m", "messages": ASKED, "stream": True})
        found = self.body("openai", system="s", temperature=0.0, max_tokens=9, stream=False)
        self.assertEqual(found["messages"], [{"role": "system", "content": "s"}, *ASKED])
        self.assertEqual((found["temperature"], found["max_tokens"], found["stream"]), (0.0, 9, False))

    def test_anthropic(self) -> None:
        """The instruction stands by itself, and the limit that the API demands is there."""
        found = self.body("anthropic", system="s")
        self.assertEqual((found["system"], found["messages"], found["max_tokens"]), ("s", ASKED, MAX_TOKENS))
        self.assertNotIn("system", self.body("anthropic"))
        self.assertEqual(self.body("anthropic", max_tokens=5)["max_tokens"], 5)


class TextTests(SynchronousTestCase):
    def test_events(self) -> None:
        """The text of an event, and none where there is none."""
        openai, anthropic = SHAPES["openai"], SHAPES["anthropic"]
        self.assertEqual(openai.text_of_event({"choices": [{"delta": {"content": "a"}}]}), "a")
        delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "b"}}
        self.assertEqual(anthropic.text_of_event(delta), "b")
        for event in (
            {},
            [],
            None,
            {"choices": []},
            {"choices": [{"delta": {}}]},
            {"choices": [None]},
            {"type": "ping"},
        ):
            self.assertEqual((openai.text_of_event(event), anthropic.text_of_event(event)), ("", ""), event)

    def test_answers(self) -> None:
        """The text of an answer that came whole."""
        self.assertEqual(SHAPES["openai"].text_of_answer({"choices": [{"message": {"content": "a"}}]}), "a")
        blocks = {"content": [{"type": "text", "text": "a"}, {"type": "tool_use"}, {"type": "text", "text": "b"}]}
        self.assertEqual(SHAPES["anthropic"].text_of_answer(blocks), "ab")
