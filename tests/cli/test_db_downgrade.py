"""C{llmproxy db downgrade}; tests/integration/test_downgrade.py takes steps back beside a proxy."""

from __future__ import annotations

import json
import os
import sqlite3

from llmproxy.store.schema import HEAD

from ..store.databases import opened, project, token
from .test_db import DbCase


class DowngradeTests(DbCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        database = opened(self, self.path)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token()))
        self.successResultOf(database.close())

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path)
        with connection:
            found = connection.execute(statement).fetchall()
        connection.close()
        return found

    def revision(self) -> str:
        ((found,),) = self.execute("SELECT version_num FROM alembic_version")
        return str(found)

    def test_a_step(self) -> None:
        """One step, with the audit record of it; what the program did before is all there, and goes forward again."""
        found = json.loads(self.worked("downgrade", "--database", self.path, "--json"))
        self.assertEqual((found["before"], found["revision"], found["lost"]), (HEAD, self.revision(), []))
        self.assertLess(self.revision(), HEAD)
        self.assertEqual(self.execute("SELECT count(*) FROM audit_events WHERE action = 'database.downgrade'"), [(1,)])
        self.worked("upgrade", "--database", self.path)
        self.assertEqual(self.revision(), HEAD)
        self.assertEqual(self.tokens(self.path), ["t1"])

    def test_what_is_lost(self) -> None:
        """What has no place in the earlier schema is listed, and kept until that is agreed to."""
        while self.revision() != "0011":
            self.worked("downgrade", "--database", self.path, "--yes")
        self.execute("UPDATE tokens SET limits = '{}'")
        said = self.failed(6, "downgrade", "--database", self.path)
        self.assertIn("revision 0010 has no place for tokens.limits (1 row): --yes gives that up", said)
        self.assertEqual(self.revision(), "0011")
        self.assertIn(
            "downgraded from 0011 to 0010; given up: tokens.limits (1 row).",
            self.worked("downgrade", "--database", self.path, "--yes"),
        )

    def test_somebody_has_it_open(self) -> None:
        """A proxy that runs could not go on: nothing is changed unless that is said."""
        opened(self, self.path)
        self.assertIn("Stop the proxies first", self.failed(6, "downgrade", "--database", self.path))
        self.assertEqual(self.revision(), HEAD)

    def test_nothing_there(self) -> None:
        """No file is made, and none of another program is touched."""
        path = self.mktemp()
        self.assertIn("there is no such file", self.failed(1, "downgrade", "--database", path))
        self.assertFalse(os.path.exists(path))
        sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
        self.assertIn("no tables of llmproxy", self.failed(1, "downgrade", "--database", path))
