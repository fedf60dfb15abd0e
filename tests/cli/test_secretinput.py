"""Where secrets come from."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import Fault
from llmproxy.cli.secretinput import MAX_SECRET, read_secret_file, secret_of_options

from ..tables import row


class SecretTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        Path(self.path).write_text(" from-file \n")
        self.patch(sys, "stdin", io.StringIO("from-stdin\n"))
        self.stderr = io.StringIO()

    def secret(self, value: str | None, path: str | None = None) -> str:
        with contextlib.redirect_stderr(self.stderr):
            return secret_of_options(value, path, "SOME_SECRET_KEY", "api-key", "Upstream API key")

    def test_sources(self) -> None:
        """A file goes before the option, the option before the environment; white space around it is none of it."""
        self.patch(sys.modules["os"], "environ", {"SOME_SECRET_KEY": "from-env"})
        self.assertEqual(self.secret("-", self.path), "from-file")
        self.assertEqual(self.secret("-"), "from-stdin")
        self.assertEqual(self.secret(None), "from-env")
        self.assertEqual(self.stderr.getvalue(), "")

    def test_on_the_command_line(self) -> None:
        """It is taken, and its owner told who else can see it; the words do not repeat it."""
        self.assertEqual(self.secret("sk-canary"), "sk-canary")
        self.assertIn("--api-key-file", self.stderr.getvalue())
        self.assertNotIn("canary", self.stderr.getvalue())

    def test_nobody_to_ask(self) -> None:
        """In a script that gives none, the ways to give one are told, and nothing waits."""
        for value in (None, ""):
            with row(value):
                error = self.assertRaises(Fault, self.secret, value)
            self.assertIn("--api-key-file", error.message)
            self.assertIn("SOME_SECRET_KEY", error.message)

    def test_files_that_hold_none(self) -> None:
        """One that is not there, empty, no text or something else entirely is an error, not an empty secret."""
        for content, words in (
            (b" \n", "holds no secret"),
            (b"a\nb\n", "expected one"),
            (b"\xff", "not text"),
            (b"x" * (MAX_SECRET + 1), "longer"),
        ):
            Path(self.path).write_bytes(content)
            with row(content):
                self.assertIn(words, self.assertRaises(Fault, read_secret_file, self.path).message)
        self.assertIn("cannot be read", self.assertRaises(Fault, read_secret_file, self.mktemp()).message)
        sys.stdin.read()
        self.assertIn("standard input", self.assertRaises(Fault, read_secret_file, "-").message)
