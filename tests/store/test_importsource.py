"""Tests for L{llmproxy.store.importsource}."""

from __future__ import annotations

import os
import sqlite3

from sqlalchemy.exc import DatabaseError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.backend import locate
from llmproxy.store.importsource import GoSource, source_engine

from ..goschema import make, rows
from ..tables import row
from .databases import opened


class SourceTests(SynchronousTestCase):
    def test_read_only(self) -> None:
        """The source cannot be written through the connection, and its schema is not trusted."""
        path = self.mktemp()
        make(path, rows())
        with open(path, "rb") as file:
            before = file.read()
        engine = source_engine(locate(path, 1))
        with engine.connect() as connection:
            self.assertEqual(GoSource(connection).counts, {"projects": 3, "tokens": 4, "audit_events": 1})
            self.assertEqual(connection.exec_driver_sql("PRAGMA trusted_schema").scalar(), 0)
            self.assertRaises(DatabaseError, connection.exec_driver_sql, "DELETE FROM tokens")
        engine.dispose()
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertFalse(os.path.exists(f"{path}-shm") or os.path.exists(f"{path}-wal"))

    def test_while_it_runs(self) -> None:
        """What the original has written and not yet put into the file itself is seen, as it is at one moment."""
        make(path := self.mktemp(), rows())
        writer = sqlite3.connect(path)
        self.addCleanup(writer.close)
        writer.execute("UPDATE tokens SET id = 'late' WHERE request_count = 7")
        writer.commit()
        engine = source_engine(locate(path, 1))
        with engine.connect() as connection:
            source = GoSource(connection)
            writer.execute("DELETE FROM tokens")
            writer.commit()
            found = [each["id"] for batch in source.rows("tokens") for each in batch]
        engine.dispose()
        self.assertEqual((len(found), "late" in found), (4, True))

    def test_others(self) -> None:
        """What is not a database of the original is said to be none."""
        opened(self, ours := self.mktemp())
        for path, words in ((ours, "of llmproxy, not of llm-proxy"), (self.other(), "it has no table tokens")):
            engine = source_engine(locate(path, 1))
            with row(words), engine.connect() as connection:
                self.assertIn(words, str(self.assertRaises(ConfigError, GoSource, connection)))
            engine.dispose()

    def other(self) -> str:
        path = self.mktemp()
        make(path, {})
        engine = locate(path, 1).engine()
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE tokens")
        engine.dispose()
        return os.path.abspath(path)

    def test_go_parameters(self) -> None:
        """Parameters of Go's driver are no fault."""
        location = locate("mysql://u@127.0.0.1/d?parseTime=true&loc=UTC&charset=utf8mb4", 1)
        engine = source_engine(location)
        self.assertEqual(dict(engine.url.query), {"charset": "utf8mb4"})
