"""Tests for L{llmproxy.usage}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.usage import UNKNOWN, Usage, added


class UsageTests(SynchronousTestCase):
    def test_known(self) -> None:
        """0 is known; a model alone says nothing of what was used."""
        self.assertFalse(UNKNOWN.is_known)
        self.assertFalse(Usage(served_model="m").is_known)
        for usage in (Usage(input_tokens=0), Usage(output_tokens=0), Usage(seconds=0.0), Usage(images=0)):
            self.assertTrue(usage.is_known, usage)

    def test_added(self) -> None:
        """Of two together; what neither says is unknown, and the vendor's own objects are added as they are."""
        one = Usage(
            input_tokens=1, seconds=0.5, served_model="a", raw={"n": 1, "d": {"x": 1}, "type": "tokens", "is": True}
        )
        other = Usage(input_tokens=2, output_tokens=0, raw={"n": 2.5, "d": {"x": 2, "y": 3}, "z": None, "is": True})
        found = added(one, other)
        self.assertEqual((found.input_tokens, found.output_tokens, found.seconds), (3, 0, 0.5))
        self.assertEqual((found.images, found.served_model), (None, "a"))
        self.assertEqual(found.raw, {"n": 3.5, "d": {"x": 3, "y": 3}, "type": "tokens", "is": True, "z": None})
        self.assertEqual(added(UNKNOWN, other), other)
