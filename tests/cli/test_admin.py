"""C{llmproxy admin}, over the API and on the database itself."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result
from sqlalchemy import text

from llmproxy.cli.main import cli

from ..store.databases import opened
from .api import CommandTestCase


class ApiTests(CommandTestCase):
    def test_create(self) -> None:
        """The token is printed once, and opens what the role allows."""
        made = self.said("admin", "create", "alice", "--role", "auditor", "--duration", "1d")
        self.assertEqual((made["role"], made["expires_at"]), ("auditor", "2023-11-15T22:13:20.250000Z"))
        allowed = self.ask("GET", "/self", headers={"Authorization": f"Bearer {made['token']}"})
        self.assertEqual(allowed.json["name"], "alice")
        shown = self.invoke("admin", "create", "bob", "--role", "owner").stdout
        self.assertRegex(shown, r"(?m)^Token +llmproxy_admin_\S{43}$")
        self.assertRegex(shown, r"(?m)^Expires +never$")

    def test_list(self) -> None:
        """The list shows who may do what, and, if asked, who might once; never a token."""
        token = self.said("admin", "create", "alice", "--role", "auditor")["token"]
        self.invoke("admin", "create", "bob", "--role", "operator")
        self.assertEqual(self.invoke("admin", "revoke", "bob").exit_code, 0)
        shown = self.invoke("admin", "list").stdout
        self.assertIn("alice", shown)
        self.assertNotIn("bob", shown)
        self.assertIn("bob", self.invoke("admin", "list", "--all").stdout)
        self.assertNotIn(token, self.invoke("admin", "list", "--all", "--json").stdout)

    def test_revoke(self) -> None:
        """One is revoked by name or by id; of several, none if one is not there."""
        alice = self.said("admin", "create", "alice", "--role", "auditor")
        self.said("admin", "create", "bob", "--role", "auditor")
        result = self.invoke("admin", "revoke", "bob", "carol")
        self.assertEqual((result.exit_code, result.stderr), (3, "Error: there is no admin 'carol'\n"))
        self.assertEqual(self.invoke("admin", "revoke", "bob", alice["id"]).exit_code, 0)
        self.assertEqual(self.said("admin", "list"), [])

    def test_refused(self) -> None:
        """What cannot be is said before anybody is asked; what the server refuses, in its words."""
        for arguments, code, words in (
            (("create", "a b", "--role", "owner"), 2, "matching regex"),
            (("create", "anonymous", "--role", "owner"), 2, "audit log"),
            (("create", "a", "--role", "root"), 2, "'root' is not one of"),
            (("create", "a"), 2, "--role"),
            (("create", "a", "--role", "owner", "--duration", "1s"), 2, "at least a minute"),
        ):
            result = self.invoke("admin", *arguments)
            self.assertEqual(result.exit_code, code, result.output)
            self.assertIn(words, result.stderr)
        self.assertEqual(self.asked, [])
        self.said("admin", "create", "alice", "--role", "auditor")
        result = self.invoke("admin", "create", "alice", "--role", "owner")
        self.assertEqual(result.exit_code, 6)
        self.assertIn("an admin with this name exists already", result.stderr)


class DirectTests(CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.mktemp()
        self.there = opened(self, self.path)

    def direct(self, *arguments: str, **env: str | None) -> Result:
        clean = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "MANAGEMENT_TOKEN", "ENCRYPTION_KEY"))
        return CliRunner().invoke(cli, ["admin", *arguments], env=clean | env)

    def admins(self) -> list[Any]:
        return self.successResultOf(self.there.admins.list())

    def test_direct(self) -> None:
        """The first admin is made where no proxy runs, and no management token is known."""
        result = self.direct("create", "alice", "--role", "owner", "--direct", "--json", DATABASE_PATH=self.path)
        self.assertEqual(result.exit_code, 0, result.output)
        [admin] = self.admins()
        self.assertEqual((admin.name, admin.role), ("alice", "owner"))
        self.assertNotIn(json.loads(result.stdout)["token"], repr(admin))
        self.assertIn("alice", self.direct("list", "--database", self.path).stdout)
        self.assertEqual(self.direct("create", "alice", "--role", "owner", "--database", self.path).exit_code, 6)
        self.assertEqual(self.direct("revoke", "alice", "--database", self.path).exit_code, 0)
        self.assertIsNotNone(self.admins()[0].revoked_at)
        self.assertEqual(self.direct("revoke", "alice", "--database", self.path).exit_code, 3)

    def test_noted(self) -> None:
        """What is done without a proxy is in the audit log too, which stays whole."""
        made = self.direct("create", "alice", "--role", "owner", "--database", self.path, "--json")
        self.direct("create", "alice", "--role", "owner", "--database", self.path)
        self.direct("revoke", "alice", "--database", self.path)
        query = text("SELECT action, actor, metadata FROM audit_events WHERE action <> 'audit.open' ORDER BY timestamp")
        noted = self.successResultOf(self.there.read(lambda connection: connection.execute(query).all()))
        self.assertEqual([row[:2] for row in noted], [("admin.create", "system"), ("admin.revoke", "system")])
        self.assertIn('"admin_name":"alice"', noted[0][2])
        self.assertNotIn(json.loads(made.stdout)["token"], repr(noted))
        verified = CliRunner().invoke(cli, ["audit", "verify", "--database", self.path], env={"AUDIT_LOG_FILE": ""})
        self.assertEqual(verified.exit_code, 0, verified.output)

    def test_no_tables(self) -> None:
        """A database without our tables is not written into; what to do is said."""
        result = self.direct("list", "--database", self.mktemp())
        self.assertEqual(result.exit_code, 1)
        self.assertIn("it has no tables of llmproxy", result.stderr)
