"""Tests for L{llmproxy.identity.sealed}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.identity.sealed import Sealed

from ..tables import row


class SealedTests(SynchronousTestCase):
    def test_round_trip(self) -> None:
        """What another process with the same secret has sealed is opened, as what it was for alone."""
        sealed = Sealed(b"secret").seal("a", ["canary", 1])
        self.assertEqual(Sealed(b"secret").open("a", sealed), ["canary", 1])
        self.assertNotIn("canary", sealed)
        self.assertIsNone(Sealed(b"secret").open("b", sealed))
        self.assertIsNone(Sealed(b"other").open("a", sealed))
        self.assertNotEqual(Sealed(b"secret").seal("a", ["canary", 1]), sealed)

    def test_changed(self) -> None:
        sealed = Sealed(b"secret").seal("a", 1)
        for text in ("", "x", sealed[:-1], "A" + sealed[1:], sealed + "A", "é", "A" * 9000, "=" * 40, "\0"):
            with row(text[:20]):
                found = None if text == sealed else Sealed(b"secret").open("a", text)
                self.assertIsNone(found)
