"""Tests for L{llmproxy.management.sessions}."""

from __future__ import annotations

from hashlib import sha256

from llmproxy.core.sessions import IDLE
from llmproxy.errors import Forbidden, NotFound
from llmproxy.management.admins import AdminRules
from llmproxy.management.sessions import SessionRules

from .world import RulesTestCase


class SessionRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.rules = SessionRules(self.clock.seconds, sha256(b"token").digest(), self.database.sessions)
        self.ada, _ = self.done(AdminRules(self.clock.seconds, self.database.admins).create("ada", "auditor"))

    def test_listed(self) -> None:
        """Those that have not ended are listed, with who they are."""
        mine, _ = self.done(self.rules.begin(self.ada, False, "203.0.113.7", "a browser"))
        self.clock.advance(1)
        root, _ = self.done(self.rules.begin(None, True, "", ""))
        self.assertEqual(self.done(self.rules.list()), [(root, None), (mine, self.ada)])
        self.assertEqual(self.done(self.rules.list(self.ada.id)), [(mine, self.ada)])
        self.clock.advance(IDLE)
        self.assertEqual(self.done(self.rules.list()), [(root, None)])

    def test_ended(self) -> None:
        """One's own ends, and an owner ends those of others."""
        mine, _ = self.done(self.rules.begin(self.ada, False, "", ""))
        self.refused(Forbidden, "not allowed", self.rules.end(mine.id, "somebody", False))
        self.assertEqual(self.done(self.rules.end(mine.id, self.ada.id, False)), (mine, self.ada))
        self.refused(NotFound, "session not found", self.rules.end(mine.id, self.ada.id, False))
        other, _ = self.done(self.rules.begin(self.ada, False, "", ""))
        self.done(self.rules.end(other.id, "management_token", True))
        self.assertEqual(self.done(self.rules.list()), [])

    def test_all(self) -> None:
        """All of one admin end, or all there are."""
        for admin in (self.ada, self.ada, None):
            self.done(self.rules.begin(admin, False, "", ""))
        self.assertEqual(self.done(self.rules.end_all(self.ada.id)), 2)
        self.assertEqual(self.done(self.rules.end_all(None)), 1)
