"""Tests for L{llmproxy.providers.usage}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.usage import UNKNOWN, Usage, count, model_among, remainder, total


class UsageTests(SynchronousTestCase):
    def test_known(self) -> None:
        """0 is known; a model alone says nothing of what was used."""
        self.assertFalse(UNKNOWN.is_known)
        self.assertFalse(Usage(served_model="m").is_known)
        for usage in (Usage(input_tokens=0), Usage(output_tokens=0), Usage(seconds=0.0), Usage(images=0)):
            self.assertTrue(usage.is_known)

    def test_count(self) -> None:
        """A whole number that is not negative."""
        for value, expected in ((0, 0), (7, 7), (-1, None), (True, None), (1.0, None), ("1", None), (2**53, None)):
            self.assertEqual(count({"n": value}, "n"), expected)
        self.assertIsNone(count(None, "n"))

    def test_sums(self) -> None:
        """Of what is known; of nothing known there is none."""
        self.assertEqual((total(1, None, 2), total(None), total()), (3, None, None))
        self.assertEqual((remainder(5, 5), remainder(5, 6), remainder(None, 1)), (0, None, None))

    def test_model(self) -> None:
        """The first that is a name."""
        self.assertEqual(model_among({"a": 1, "b": "x\n", "c": "m"}, ("a", "b", "c")), "m")
        self.assertEqual(model_among({}, ("a",)), "")
