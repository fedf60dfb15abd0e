"""C{llmproxy encryption}."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.store.secrets import Cipher

from ..store.databases import KEY, opened, project

NEW = bytes(reversed(range(32)))
SECRET = "sk-upstream-canary-key-0001"


def text(key: bytes) -> str:
    return b64encode(key).decode()


class EncryptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        database = opened(self, self.path, key=None)
        self.successResultOf(database.projects.create(project()))

    def run_(self, name: str, *arguments: str, key: bytes | None = None, old: bytes | None = None) -> Result:
        env: Any = {
            "DATABASE_PATH": self.path,
            "ENCRYPTION_KEY": text(key) if key else None,
            "ENCRYPTION_KEY_OLD": text(old) if old else None,
        }
        result = CliRunner().invoke(cli, ["encryption", name, *arguments], env=env, catch_exceptions=False)
        for secret in (SECRET, text(KEY), text(NEW)):
            self.assertNotIn(secret, result.output + result.stderr)
        return result

    def worked(self, *arguments: str, **keys: bytes) -> str:
        result = self.run_(*arguments, **keys)  # type: ignore[arg-type]
        self.assertEqual(result.exit_code, 0, result.stderr)
        return result.output

    def keys(self, key: bytes) -> list[str]:
        return [
            each.api_keys["openai"][0]
            for each in self.successResultOf(opened(self, self.path, key=key).projects.list())
        ]

    def test_life(self) -> None:
        """From no encryption to a key, and from that to the next; what is how is shown at each step."""
        self.assertIn("not encrypted", self.worked("status"))
        self.assertIn("1 upstream keys were encrypted", self.worked("migrate", key=KEY))
        self.assertIn(f"key {Cipher(KEY).id}, ENCRYPTION_KEY", self.worked("status", key=KEY))
        self.assertIn("0 upstream keys", self.worked("rotate", key=KEY))
        self.assertIn("ENCRYPTION_KEY_OLD", self.worked("status", key=NEW, old=KEY))
        self.assertIn("1 upstream keys", self.worked("rotate", key=NEW, old=KEY))
        found = json.loads(self.worked("status", "--json", key=NEW))
        self.assertEqual(found["upstream_keys"], {Cipher(NEW).id: 1})
        self.assertEqual(self.keys(NEW), [SECRET])

    def test_wrong_key(self) -> None:
        """A key that opens nothing changes nothing, and the status says that it does not."""
        self.worked("migrate", key=KEY)
        result = self.run_("rotate", key=NEW)
        self.assertEqual((result.exit_code, "p1" in result.stderr), (1, True))
        result = self.run_("status", key=NEW)
        self.assertEqual((result.exit_code, "which is not configured" in result.output), (1, True))
        self.assertEqual(self.keys(KEY), [SECRET])

    def test_no_key(self) -> None:
        """Without a key there is nothing to encrypt with."""
        for name in ("migrate", "rotate"):
            result = self.run_(name)
            self.assertEqual((result.exit_code, "ENCRYPTION_KEY is not set" in result.stderr), (1, True), name)
