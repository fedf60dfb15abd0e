"""Tests for L{llmproxy.core.models}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.models import LONGEST, named


class NamedTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A name is one as it is written."""
        for value in ("gpt-4o", "org/model:0", "x" * LONGEST):
            self.assertEqual(named(value), value, value)

    def test_no_names(self) -> None:
        """What callers invent is no key of anything: too long, or no text."""
        for value in (None, 5, "a\x00", "x" * (LONGEST + 1)):
            self.assertEqual(named(value), "", value)
