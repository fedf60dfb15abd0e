"""A look at the database; servers are looked at in tests/integration."""

from __future__ import annotations

import os
import socket
import sqlite3
import time

from llmproxy.doctor import look_database
from llmproxy.doctor.look_database import (
    can_be_made,
    clock_of_database,
    kind_of,
    located,
    look_at_database,
    nearest,
    newest_record,
    room_of,
)
from llmproxy.store.backend import locate
from llmproxy.store.migrate import migrate
from llmproxy.store.schema import HEAD

from ..tables import row
from .subjects import SubjectTestCase


class DatabaseTests(SubjectTestCase):
    def make(self) -> sqlite3.Connection:
        """A database with our schema, and a connection to it."""
        engine = locate(f"sqlite:///{self.directory}/d.db", 1).engine()
        with engine.begin() as connection:
            migrate(connection)
        engine.dispose()
        raw = sqlite3.connect(f"{self.directory}/d.db")
        self.addCleanup(raw.close)
        return raw

    def test_not_there(self) -> None:
        """A file that is not there is not made."""
        facts = look_at_database(self.subject())
        assert facts.file is not None
        self.assertEqual((facts.file.exists, facts.file.writable, facts.error), (False, True, ""))
        self.assertEqual(os.listdir(self.directory), ["apis.yaml"])

    def test_whole(self) -> None:
        self.make()
        os.chmod(f"{self.directory}/d.db", 0o640)
        facts = look_at_database(self.subject())
        self.assertEqual((facts.revision, facts.needs, facts.works, facts.error), (HEAD, HEAD, True, ""))
        assert facts.file is not None and facts.answered_in is not None
        self.assertEqual((facts.file.exists, facts.file.mode), (True, 0o640))
        self.assertGreater(facts.file.size, 0)
        self.assertGreater(facts.file.free or 0, 0)
        self.assertEqual(facts.wanted, 0)

    def test_others(self) -> None:
        """What is no database, another program's, or a later release's."""
        self.file("d.db", "no database at all, and long enough to be taken for one" * 20)
        self.assertIn("not a database", look_at_database(self.subject()).error)
        os.unlink(f"{self.directory}/d.db")
        with sqlite3.connect(f"{self.directory}/d.db") as raw:
            raw.execute("CREATE TABLE projects (id INTEGER)")
        raw.close()
        facts = look_at_database(self.subject())
        self.assertEqual((facts.revision, facts.foreign), (None, True))
        os.unlink(f"{self.directory}/d.db")
        with self.make() as raw:
            raw.execute("UPDATE alembic_version SET version_num = '9999'")
        facts = look_at_database(self.subject())
        self.assertEqual((facts.revision, facts.is_later), ("9999", True))

    def test_silent(self) -> None:
        """A server that takes connections and says nothing is said to, in time."""
        self.patch(look_database, "ANSWERS_WITHIN", 0.3)
        held = []

        def serve(connection: socket.socket) -> None:
            held.append(connection.dup())

        env = {"DATABASE_URL": f"mysql://u:p@127.0.0.1:{self.served(serve)}/d"}
        facts = look_at_database(self.subject(options={"database": None}, env=env))
        self.assertEqual(facts.error, "it has not answered within 0.3 s")
        for each in held:
            each.close()

    def test_can_be_made(self) -> None:
        """Below a directory that this user can write, and not below a file."""
        self.file("f")
        for path, expected in (("x", True), ("x/y/z", True), ("f", False), ("f/x", False), ("f/x/y", False)):
            with row(path):
                self.assertEqual(can_be_made(f"{self.directory}/{path}"), expected)
        facts = look_at_database(self.subject(options={"database": f"sqlite:///{self.directory}/f/d.db"}))
        assert facts.file is not None
        self.assertEqual((facts.file.exists, facts.file.writable), (False, False))

    def test_unknown(self) -> None:
        """A URL that nothing understands, and a server that is not there."""
        options = {"database": None}
        subject = self.subject(options=options, env={"DATABASE_URL": "oracle://h/d"})
        self.assertIsNone(located(subject))
        env = {"DATABASE_URL": "postgresql://u:secret-pw-123@127.0.0.1:1/d"}
        facts = look_at_database(self.subject(options=options, env=env))
        self.assertTrue(facts.error)
        self.assertNotIn("secret-pw-123", repr(facts))

    def test_clock(self) -> None:
        """SQLite has our clock; how old its newest record is can be asked."""
        raw = self.make()
        self.assertIsNone(clock_of_database(self.subject()))
        self.assertIsNone(newest_record(self.subject()))
        columns = {row[1]: row for row in raw.execute("PRAGMA table_info(usage_records)")}
        values = {
            name: 0 if "INT" in kind.upper() or "NUM" in kind.upper() else "x"
            for name, kind in ((row[1], row[2]) for row in columns.values() if row[3])
        }
        values["ended_at"] = int((time.time() + 3600) * 1_000_000)
        with raw:
            marks = ", ".join("?" * len(values))
            raw.execute(f"INSERT INTO usage_records ({', '.join(values)}) VALUES ({marks})", list(values.values()))
        newest = newest_record(self.subject())
        assert newest is not None
        self.assertTrue(-3700 < newest < -3500, newest)

    def test_file_systems(self) -> None:
        mounts = self.file(
            "mounts", "disk / ext4 rw 0 0\nserver:/x /mnt/far\\040away nfs4 rw 0 0\nt /mnt tmpfs rw 0 0\n"
        )
        for path, kind in (("/", "ext4"), ("/mnt/x", "tmpfs"), ("/mnt/far away/y", "nfs4"), ("/mntx", "ext4")):
            with row(path):
                self.assertEqual(kind_of(path, mounts), kind)
        self.assertEqual(kind_of("/", f"{self.directory}/none"), "")
        self.assertEqual(nearest(f"{self.directory}/a/b"), self.directory)
        self.assertGreater(room_of(self.directory)[0] or 0, 0)
        self.assertEqual(room_of(f"{self.directory}/none"), (None, None))
