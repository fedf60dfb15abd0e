"""What quickstart keeps."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.datadirectory import DataDirectory
from llmproxy.errors import ConfigError


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


class DataDirectoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        self.data = DataDirectory(self.path)
        self.data.make()

    def test_for_its_owner_alone(self) -> None:
        """Nobody else can read the directory or a secret in it, whatever the umask is."""
        self.addCleanup(os.umask, os.umask(0))
        other = DataDirectory(self.mktemp())
        other.make()
        other.keep("token", "sk-x")
        self.assertEqual((mode(other.path), mode(other.file("token"))), (0o700, 0o600))

    def test_a_directory_that_was_there_stays_as_it_is(self) -> None:
        """Pointing it at the home directory locks nobody out."""
        os.chmod(self.path, 0o755)
        self.data.make()
        self.assertEqual(mode(self.path), 0o755)

    def test_made_once(self) -> None:
        """The second start has the secrets of the first; a file that was never finished is made again."""
        self.assertEqual(self.data.kept("token", lambda: "one"), "one")
        self.assertEqual(self.data.kept("token", lambda: "two"), "one")
        Path(self.data.file("token")).write_text("")
        self.assertEqual(self.data.kept("token", lambda: "three"), "three")

    def test_a_readable_file_is_closed_when_rewritten(self) -> None:
        """A secret is not written into a file that others can read."""
        self.data.keep("token", "one")
        os.chmod(self.data.file("token"), 0o644)
        self.data.keep("token", "two")
        self.assertEqual(mode(self.data.file("token")), 0o600)

    def test_what_cannot_be_used_is_told(self) -> None:
        """A file where the directory should be, a link or a directory where a secret should be: one line each."""
        Path(self.data.file("file")).write_text("x")
        self.assertRaises(ConfigError, DataDirectory(self.data.file("file")).make)
        os.mkdir(self.data.file("token"))
        error = self.assertRaises(ConfigError, self.data.kept, "token", lambda: "x")
        self.assertIn("cannot be read: Is a directory", str(error))
        os.symlink("/nowhere/else", self.data.file("link"))
        self.assertIn("cannot be written", str(self.assertRaises(ConfigError, self.data.keep, "link", "x")))
        Path(self.data.file("bytes")).write_bytes(b"\xff")
        self.assertIn("is not text", str(self.assertRaises(ConfigError, self.data.kept, "bytes", lambda: "x")))
