"""Tests for L{llmproxy.config.secretvalues}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.document import compose
from llmproxy.config.problems import Problems
from llmproxy.config.secretvalues import secret_value
from llmproxy.errors import ConfigError

CANARY = "sk-canary-0123456789"


class SecretValueTests(SynchronousTestCase):
    def read(self, text: str, **env: str) -> str | None:
        self.problems = Problems("apis.yaml")
        item = compose(f"key: {text}\n", self.problems, env)
        assert item is not None
        return secret_value(item.mapping()["key"])

    def refused(self, text: str, **env: str) -> str:
        self.assertIsNone(self.read(text, **env))
        error = self.assertRaises(ConfigError, self.problems.fail)
        self.assertEqual(len(error.problems), 1)
        self.assertNotIn("canary", str(error))
        return str(error)

    def file(self, content: str) -> str:
        path = os.path.abspath(self.mktemp())
        Path(path).write_text(content)
        return path

    def test_named(self) -> None:
        """A variable, or a file: which a variable may name too, as everywhere in the environment."""
        path = self.file(f"  {CANARY}\n")
        for text, env in (
            ("${KEY}", {"KEY": CANARY}),
            ("'${KEY}'", {"KEY": f" {CANARY}\n"}),
            (f"file:{path}", {}),
            ("file:${WHERE}", {"WHERE": path}),
            ("${KEY}", {"KEY": f"file:{path}"}),
        ):
            self.assertEqual(self.read(text, **env), CANARY, text)

    def test_written(self) -> None:
        """A key itself does not stand in the file, nor a part of one or a default; nothing of it is shown."""
        for text in (CANARY, "${KEY:-" + CANARY + "}", "sk-${KEY}", "${KEY}-canary", "$${KEY}", "[a]", "{a: b}", "''"):
            self.assertIn("expected ${VARIABLE} or file:/path", self.refused(text, KEY=CANARY), text)

    def test_not_there(self) -> None:
        """What is missing is named."""
        self.assertIn("the environment variable KEY is not set", self.refused("${KEY}"))
        self.assertIn("the file '/nowhere/key' cannot be read: No such file", self.refused("file:/nowhere/key"))
        self.assertIn("expected a key, and it is empty", self.refused(f"file:{self.file(' ')}"))

    def test_no_key(self) -> None:
        """What cannot stand in a header field is refused here, unseen."""
        for content in (f"{CANARY}\nX-Evil: 1", f"{CANARY} b", f"{CANARY}ü"):
            self.assertIn("(it is not shown)", self.refused(f"file:{self.file(content)}"))
        self.assertIn("longer than any secret", self.refused(f"file:{self.file(CANARY * 1000)}"))
        path = self.file("")
        Path(path).write_bytes(b"\xff\xfe canary")
        self.assertIn("is not text", self.refused(f"file:{path}"))
