"""Tests for L{llmproxy.store.presence}; test_database.py has what becomes of changes."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.presence import Presence


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.makedirs(directory := self.mktemp())
        self.path = os.path.join(directory, "d.db")
        for suffix in ("", "-wal", "-shm"):
            Path(self.path + suffix).write_text("x")
        self.presence = Presence(self.path)
        self.presence.remember()

    def test_there(self) -> None:
        """A file that is written to, copied, or found by another directory is the same."""
        Path(self.path).write_text("longer than before")
        Path(self.path + ".copy").write_text("x")
        Path(self.path + "-shm").unlink()
        self.assertTrue(self.presence.is_there())
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("/")
        self.assertTrue(self.presence.is_there())

    def test_gone(self) -> None:
        """It is not when it is removed, moved or replaced, nor without its log; put back, it is."""
        os.rename(self.path, self.path + ".moved")
        self.assertFalse(self.presence.is_there())
        Path(self.path).write_text("x")
        self.assertFalse(self.presence.is_there())
        os.replace(self.path + ".moved", self.path)
        self.assertTrue(self.presence.is_there())
        os.unlink(self.path + "-wal")
        self.assertFalse(self.presence.is_there())

    def test_directory(self) -> None:
        """With its directory it is gone, too."""
        directory = os.path.dirname(self.path)
        os.rename(directory, directory + "2")
        self.assertFalse(self.presence.is_there())

    def test_no_file(self) -> None:
        """What is in no file, or not opened yet, is not missed."""
        memory = Presence(None)
        memory.remember()
        self.assertTrue(memory.is_there())
        self.assertTrue(Presence(self.path + "none").is_there())

    def test_no_log(self) -> None:
        """A file system that has no room for a log has none."""
        os.unlink(self.path + "-wal")
        presence = Presence(self.path)
        presence.remember()
        self.assertTrue(presence.is_there())
