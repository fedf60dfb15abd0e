"""Tests for L{llmproxy.management.versions}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import PreconditionFailed
from llmproxy.management.versions import required_version

from ..tables import row


class VersionTests(SynchronousTestCase):
    def test_any(self) -> None:
        """Who names no version changes what is there."""
        self.assertIsNone(required_version(None, 7))

    def test_met(self) -> None:
        """One of those that are named is what the store has to find."""
        for wanted in ({7}, {6, 7}, [7]):
            self.assertEqual(required_version(wanted, 7), 7, wanted)

    def test_not_met(self) -> None:
        """Others match nothing, and no version is not any version."""
        for wanted in ({6}, set[int](), {77, -7}):
            with row(wanted):
                self.assertRaises(PreconditionFailed, required_version, wanted, 7)
