"""Tests for L{llmproxy.providers.models}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.models import LONGEST
from llmproxy.providers.models import model_in_target, with_model


class ModelInTargetTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Each API has it in a place of its own; most targets name none."""
        for target, model in (
            (b"/openai/deployments/gpt-4o/chat/completions?api-version=1", "gpt-4o"),
            (b"/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"),
            (b"/v1beta/tunedModels/mine:generateContent", "mine"),
            (b"/v1/projects/p/locations/l/publishers/google/models/gemini-x:streamGenerateContent?alt=sse", "gemini-x"),
            (b"/model/anthropic.claude-v2%3A1/invoke", "anthropic.claude-v2:1"),
            (b"/v1/engines/davinci/completions", "davinci"),
            (b"/v1/models/gpt-4o", "gpt-4o"),
            (b"/v1/realtime?model=gpt-realtime&x=1", "gpt-realtime"),
            (b"/v1/realtime?x=1&model=gpt%2Drealtime", "gpt-realtime"),
            (b"/v1/chat/completions", ""),
            (b"/v1/models", ""),
            (b"/v1/models?limit=5", ""),
            (b"/v1/x?q=/models/y", ""),
            (b"/v1/realtime?submodel=x", ""),
        ):
            self.assertEqual(model_in_target(target), model, target)

    def test_no_names(self) -> None:
        """What callers invent is no key of anything: too long, or no text."""
        self.assertEqual(model_in_target(b"/v1/models/" + b"x" * (LONGEST + 1)), "")
        self.assertEqual(model_in_target(b"/v1/models/a%0Ab"), "")


class WithModelTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Exactly the name is replaced, encoded as it has to be."""
        for target, expected in (
            (b"/openai/deployments/gpt-4o/x?api-version=1", b"/openai/deployments/x%2Fy/x?api-version=1"),
            (b"/v1beta/models/gemini-2.5-pro:generateContent", b"/v1beta/models/x%2Fy:generateContent"),
            (b"/v1/realtime?model=gpt%2Drealtime&x=1", b"/v1/realtime?model=x%2Fy&x=1"),
            (b"/v1/x?a=1&model=b", b"/v1/x?a=1&model=x%2Fy"),
            (b"/v1/chat/completions", b"/v1/chat/completions"),
        ):
            self.assertEqual(with_model(target, "x/y"), expected, target)
            if expected != target:
                self.assertEqual(model_in_target(expected), "x/y", target)
