"""C{llmproxy migrate}, by the output of the Go program."""

from __future__ import annotations

import os
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.store.schema import HEAD

from ..store.databases import opened, project, token

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
CLEAN = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "ENCRYPTION_KEY", "ENCRYPTION_KEY_FILE", "DB_DRIVER"))


class MigrateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def invoke(self, *arguments: str, **env: str) -> Any:
        return CliRunner().invoke(cli, ["migrate", *arguments, "--db", self.path], env={**CLEAN, **env})

    def said(self, *arguments: str, **env: str) -> str:
        ended = self.invoke(*arguments, **env)
        self.assertEqual(ended.exit_code, 0, ended.output)
        return str(ended.stdout)

    def test_up_and_down(self) -> None:
        """The lines are those that scripts compare with."""
        self.assertEqual(self.said("status"), "Current migration version: 0\n")
        self.assertEqual(self.said("up"), "Migrations applied successfully\n")
        self.assertEqual(self.said("status"), f"Current migration version: {int(HEAD)}\n")
        self.assertEqual(self.said("down", "--yes"), "Migration rolled back successfully\n")
        self.assertNotEqual(self.said("version"), f"Current migration version: {int(HEAD)}\n")
        self.said("up")
        self.assertEqual(self.said("version"), f"Current migration version: {int(HEAD)}\n")

    def test_encrypt(self) -> None:
        """Keys in clear are encrypted; a second time there is nothing to do."""
        database = opened(self, self.path, key=None)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token()))
        self.successResultOf(database.close())
        before = self.said("encrypt-status")
        self.assertIn("API Keys:\n  Encrypted: 0\n  Plaintext: 1\n", before)
        self.assertIn("Tokens:\n  Hashed: 1\n  Plaintext: 0\n", before)
        without = self.invoke("encrypt")
        self.assertEqual(without.exit_code, 1)
        self.assertIn("openssl rand -base64 32", without.stderr)
        done = self.said("encrypt", ENCRYPTION_KEY=KEY)
        self.assertIn("  API keys: 1 encrypted, 0 already encrypted (skipped)\n", done)
        self.assertIn("  Tokens: 0 hashed, 1 already hashed (skipped)\n", done)
        self.assertTrue(done.endswith("\nEncryption migration completed successfully!\n"))
        self.assertIn("API keys: 0 encrypted, 1 already", self.said("encrypt", ENCRYPTION_KEY=KEY))
        self.assertIn("  Encrypted: 1\n  Plaintext: 0\n  All API keys are encrypted", self.said("encrypt-status"))

    def test_nothing_there(self) -> None:
        """What is not there is said, and not made."""
        self.assertEqual(self.invoke("down").exit_code, 1)
        self.assertEqual(self.invoke("encrypt-status").exit_code, 1)
        self.assertFalse(os.path.exists(self.path))

    def test_help(self) -> None:
        """Each has help; only the old name lists them."""
        for name in ("up", "down", "status", "version", "encrypt", "encrypt-status"):
            self.assertIn("Examples", self.invoke(name, "--help").output, name)
        self.assertNotIn("\n  migrate ", CliRunner().invoke(cli, ["--help"]).output)
        old = CliRunner().invoke(cli, ["--help"], prog_name="llm-proxy").output
        for name in ("migrate", "server", "manage", "openai"):
            self.assertIn(f"\n  {name}", old)
