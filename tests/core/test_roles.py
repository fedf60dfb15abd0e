"""Who may do what with the management API."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.roles import PERMISSIONS, ROLES, may, roles_with


class RoleTests(SynchronousTestCase):
    def test_table(self) -> None:
        """An owner does everything; an operator keeps projects, tokens and the cache; an auditor only looks."""
        allowed = {role: {each for each in PERMISSIONS if may(role, each)} for role in ROLES}
        self.assertEqual(allowed["owner"], set(PERMISSIONS))
        self.assertEqual(
            allowed["operator"],
            {
                "project.read",
                "project.write",
                "token.read",
                "token.write",
                "breaker.read",
                "cache.read",
                "cache.purge",
                "config.read",
                "document.read",
                "exchange.read",
                "exchange.cut",
                "live.read",
                "person.read",
                "person.write",
                "session.own",
                "sink.read",
                "sink.redeliver",
                "sink.test",
                "upstream.read",
                "upstream.drain",
                "usage.read",
            },
        )
        looking = {each for each in PERMISSIONS if each.endswith(".read")}
        self.assertEqual(allowed["auditor"], looking | {"session.own"})

    def test_unknown(self) -> None:
        """A permission that was misspelt allows nobody anything."""
        self.assertRaises(KeyError, may, "owner", "project.wriet")

    def test_named(self) -> None:
        """A refusal can say which roles it takes."""
        self.assertEqual(roles_with("audit.read"), ("owner", "auditor"))
