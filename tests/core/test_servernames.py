"""Tests for L{llmproxy.core.servernames}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.servernames import by_name, chosen
from tests.tables import row


class ServerNamesTests(SynchronousTestCase):
    def test_chosen(self) -> None:
        """The exact name, then the one for all names at its place, then the first."""
        names = by_name(
            [(("a.example", "*.b.example"), "first"), (("*.a.example", "A.EXAMPLE", "x.b.example"), "second")]
        )
        for asked, expected in (
            ("a.example", "first"),
            ("A.Example.", "first"),
            ("x.a.example", "second"),
            ("x.b.example", "second"),
            ("y.b.example", "first"),
            ("x.y.b.example", "default"),
            ("b.example", "default"),
            ("other", "default"),
            ("", "default"),
            (None, "default"),
        ):
            with row(self, asked):
                self.assertEqual(chosen(names, asked, "default"), expected)
