"""Tests for L{llmproxy.core.models}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.models import LONGEST, named, named_in


class NamedTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A name is one as it is written."""
        for value in ("gpt-4o", "org/model:0", "x" * LONGEST):
            self.assertEqual(named(value), value, value)

    def test_no_names(self) -> None:
        """What callers invent is no key of anything: too long, or no text."""
        for value in (None, 5, "a\x00", "x" * (LONGEST + 1)):
            self.assertEqual(named(value), "", value)

    def test_json(self) -> None:
        """As it is written in JSON; what is none, or no text, is no name."""
        for written, expected in ((b'"m\\u00e9"', "m\u00e9"), (b"1", ""), (b'"m', ""), (b"\xff", ""), (b"", "")):
            self.assertEqual(named_in(written), expected, written)
