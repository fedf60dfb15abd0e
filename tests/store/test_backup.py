"""Backups of SQLite."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.backup import MAGIC, copy_sqlite, new_file

from .databases import opened, project


class NewFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.mkdir(self.mktemp())
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "backup")

    def write(self, text: str, force: bool = False) -> None:
        with new_file(self.path, force) as partial, open(partial, "w") as file:
            self.assertFalse(not force and os.path.exists(self.path))
            file.write(text)

    def content(self) -> str:
        with open(self.path) as file:
            return file.read()

    def test_written(self) -> None:
        """Nobody else can read it, and nothing is left beside it."""
        self.write("whole")
        self.assertEqual((self.content(), os.listdir(self.directory)), ("whole", ["backup"]))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_there_already(self) -> None:
        """What is there is not replaced, unless asked for."""
        self.write("first")
        self.assertRaises(FileExistsError, self.write, "second")
        self.assertEqual(self.content(), "first")
        self.write("third", force=True)
        self.assertEqual((self.content(), os.listdir(self.directory)), ("third", ["backup"]))

    def test_came_meanwhile(self) -> None:
        """Nor what somebody puts there while it is written."""

        def write() -> None:
            with new_file(self.path, False), open(self.path, "w") as other:
                other.write("other")

        self.assertRaises(FileExistsError, write)
        self.assertEqual((self.content(), os.listdir(self.directory)), ("other", ["backup"]))

    def test_failed(self) -> None:
        """What failed leaves nothing, and what was there stays."""
        self.write("first")

        def fail() -> None:
            with new_file(self.path, True):
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual((self.content(), os.listdir(self.directory)), ("first", ["backup"]))


class CopyTests(SynchronousTestCase):
    def test_in_use(self) -> None:
        """A database that is open and has its last writes in the log is copied whole, into one file."""
        path = self.mktemp()
        database = opened(self, path)
        self.successResultOf(database.projects.create(project()))
        target, pages = self.mktemp(), []
        with open(target, "w"):
            pass
        copy_sqlite(path, target, lambda done, total: pages.append((done, total)))
        self.assertEqual(pages[-1][0], pages[-1][1])
        with closing(sqlite3.connect(target)) as connection:
            self.assertEqual(connection.execute("SELECT id FROM projects").fetchall(), [("p1",)])
        self.assertFalse(os.path.exists(target + "-wal"))
        with open(target, "rb") as file:
            self.assertEqual(file.read(16), MAGIC)
        self.assertEqual(self.successResultOf(opened(self, target).projects.get("p1")), project())
