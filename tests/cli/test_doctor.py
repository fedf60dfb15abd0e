"""C{llmproxy doctor}."""

from __future__ import annotations

import json
import os
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.doctor import CHECKS, command

TOKEN = "f3Kq9-vXw2Zr7Lm1Tn8Bc4Dg6Hj5Ps0Y"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FILE = "default_api: a\napis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"


class DoctorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory, 0o700)

    def doctor(self, *options: str, text: str = FILE, **env: str) -> Result:
        path = os.path.join(self.directory, "apis.yaml")
        Path(path).write_text(text)
        os.chmod(path, 0o600)
        known = ("--config", path, "--database", f"sqlite:///{self.directory}/d.db", "--offline")
        return CliRunner().invoke(
            command, [*known, *options], env={"MANAGEMENT_TOKEN": TOKEN, "ENCRYPTION_KEY": KEY, **env}
        )

    def test_fine(self) -> None:
        """Nothing to mend is status 0."""
        result = self.doctor("--check", "configuration", "--check", "redis")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("ok      ", result.output)
        self.assertIn("Everything is in order.", result.output)
        self.assertEqual(result.output.count("\nredis\n"), 1)
        self.assertNotIn("versions", result.output)

    def test_warnings(self) -> None:
        """Something to mend is status 1, and how is said below it."""
        result = self.doctor("--check", "environment", "--quiet", MANAGMENT_TOKEN="x")
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIn("  warning MANAGMENT_TOKEN is no variable of llmproxy", result.output)
        self.assertIn("          -> did you mean MANAGEMENT_TOKEN?", result.output)
        self.assertIn("no faults, 1 warning.", result.output)
        self.assertNotIn("  ok", result.output)

    def test_faults(self) -> None:
        """What keeps the proxy from starting is status 2; each line that is wrong has its own."""
        result = self.doctor("--check", "configuration", text=FILE + "surprise: 1\nother: 2\n")
        self.assertEqual(result.exit_code, 2, result.output)
        self.assertEqual(result.output.count("  fault "), 2)
        self.assertIn("2 faults, no warnings.", result.output)

    def test_json(self) -> None:
        result = self.doctor("--json", text=FILE + "surprise: 1\n")
        said = json.loads(result.output)
        self.assertEqual((said["status"], list(said["checks"])), (2, list(CHECKS)))
        self.assertEqual(set(said["checks"]["configuration"][0]), {"level", "says", "mend"})

    def test_use(self) -> None:
        """A check that is none, and workers that are no number, are errors of use."""
        self.assertIn("'clok' is not one of", self.doctor("--check", "clok").output)
        self.assertEqual(self.doctor("--workers", "many").exit_code, 2)

    def test_secrets_and_terminals(self) -> None:
        """No secret is shown, and nothing in a file drives the terminal."""
        result = self.doctor(text=FILE + f"'\\e[31m{TOKEN}': 1\n")
        self.assertNotIn(TOKEN, result.output)
        self.assertNotIn("\x1b[31m", result.output)
