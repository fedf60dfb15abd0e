"""Tests for L{llmproxy.management.admins}."""

from __future__ import annotations

from llmproxy.core.admintokens import is_well_formed
from llmproxy.core.tokens import token_hash
from llmproxy.errors import BadRequest, DuplicateAdmin, NotFound
from llmproxy.management.admins import AdminRules

from ..store.databases import NOW
from .world import RulesTestCase


class AdminRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.rules = AdminRules(self.clock.seconds, self.database.admins)

    def test_create(self) -> None:
        """An admin is stored without the token, and is found by it."""
        for name, lifetime, ends in (("ada", None, None), ("bob", 60.0, NOW + 60)):
            admin, secret = self.done(self.rules.create(name, "operator", lifetime))
            self.assertTrue(is_well_formed(secret), name)
            self.assertEqual(
                (admin.name, admin.role, admin.expires_at), (name, "operator", ends), (name, lifetime, ends)
            )
            found = self.successResultOf(self.database.admins.by_hash(token_hash(secret.encode())))
            self.assertEqual(found, admin, (name, lifetime, ends))
            self.assertNotIn(secret, repr(admin))

    def test_names(self) -> None:
        """A name is one admin's, until they are revoked, and never one of the audit log's own."""
        taken = DuplicateAdmin.message
        admin, _ = self.done(self.rules.create("ada", "owner"))
        self.refused(DuplicateAdmin, taken, self.rules.create("ada", "auditor"))
        for name in ("management_api", "Anonymous", "SYSTEM", "admin"):
            self.refused(DuplicateAdmin, taken, self.rules.create(name, "owner"))
        self.done(self.rules.revoke(admin.id))
        self.done(self.rules.create("ada", "auditor"))

    def test_revoke(self) -> None:
        """A second time changes nothing."""
        admin, _ = self.done(self.rules.create("ada", "owner"))
        self.done(self.rules.revoke(admin.id))
        self.clock.advance(1)
        self.done(self.rules.revoke(admin.id))
        self.assertEqual(self.done(self.rules.get(admin.id)).revoked_at, NOW)
        self.assertEqual([each.id for each in self.done(self.rules.list())], [admin.id])

    def test_nobody(self) -> None:
        """An id that nobody has is said so."""
        self.refused(NotFound, "admin not found", self.rules.get("a0"))

    def test_bounds(self) -> None:
        """A name that is taken for more than a name, or a time beyond ten years, is nobody's."""
        for name in ("", "-a", "a b", "a/b", "ada\n", "a" * 65, "\u0430da"):
            self.refused(BadRequest, "invalid name", self.rules.create(name, "owner"))
        for lifetime in (0.0, -1.0, 10 * 525_600 * 60 + 1.0):
            self.refused(BadRequest, "invalid duration", self.rules.create("ada", "owner", lifetime))
        self.done(self.rules.create("a" * 64, "owner", 10 * 525_600 * 60.0))
