"""Tests for L{llmproxy.providers.usage}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.usage import count, model_among, remainder, total


class ReadingTests(SynchronousTestCase):
    def test_count(self) -> None:
        """A whole number that is not negative."""
        for value, expected in ((0, 0), (7, 7), (-1, None), (True, None), (1.0, None), ("1", None), (2**53, None)):
            self.assertEqual(count({"n": value}, "n"), expected, (value, expected))
        self.assertIsNone(count(None, "n"))

    def test_sums(self) -> None:
        """Of what is known; of nothing known there is none."""
        self.assertEqual((total(1, None, 2), total(None), total()), (3, None, None))
        self.assertEqual((remainder(5, 5), remainder(5, 6), remainder(None, 1)), (0, None, None))

    def test_model(self) -> None:
        """The first that is a name."""
        self.assertEqual(model_among({"a": 1, "b": "x\n", "c": "m"}, ("a", "b", "c")), "m")
        self.assertEqual(model_among({}, ("a",)), "")
