"""Tests for L{llmproxy.usage}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.usage import UNKNOWN, Usage


class UsageTests(SynchronousTestCase):
    def test_known(self) -> None:
        """0 is known; a model alone says nothing of what was used."""
        self.assertFalse(UNKNOWN.is_known)
        self.assertFalse(Usage(served_model="m").is_known)
        for usage in (Usage(input_tokens=0), Usage(output_tokens=0), Usage(seconds=0.0), Usage(images=0)):
            self.assertTrue(usage.is_known)
