"""Everything that a database holds, moved between the three kinds, and out of the first schema."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from typing import Any

from click.testing import CliRunner
from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.core.quotas import Settlement
from llmproxy.core.reports import UsageQuestion
from llmproxy.store.backend import locate
from llmproxy.store.migrate import revision_of
from llmproxy.store.migration import DatabaseSource
from llmproxy.store.schema import HEAD, metadata
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords

from ..contracts.usagerecords import some_entries
from ..store.databases import KEY, NOW, clock_at, project, token
from ..tables import row
from ..usagereports import MemoryReports
from .databases import KINDS, new_database, opened_at

FIRST_SCHEMA = os.path.join(os.path.dirname(__file__), "first-schema.sql")
"""What C{sqlite3 .dump} showed of a database that the first release wrote, with L{KEY}."""

KEYS = {"openai": ("sk-upstream-canary-key-0001",), "anthropic": ("sk-ant-1", "sk-ant-2")}


def ran(*arguments: str, **env: str) -> Any:
    variables: Any = {"DATABASE_URL": None, "DATABASE_PATH": None, "TARGET_DATABASE_URL": None, **env}
    result = CliRunner().invoke(cli, ["db", *arguments], env=variables, catch_exceptions=False)
    assert result.exit_code == 0, result.output + result.stderr
    assert "s3cret" not in result.output + result.stderr
    return result.output


class MovingTests(SynchronousTestCase):
    def filled(self, kind: str) -> str:
        """The URL of a database with something of everything."""
        url = new_database(self, kind)
        database = opened_at(self, url)
        self.successResultOf(database.projects.create(project("p1", name="日本 é 🎉", api_keys=KEYS)))
        self.successResultOf(database.projects.create(project("p2", is_active=False, deactivated_at=NOW)))
        for number in range(1500):
            made = token(f"t{number}", f"p{1 + number % 2}", max_requests=2**53 - 1 if number % 3 else None)
            self.successResultOf(database.tokens.create(made))
        self.successResultOf(database.usage.lease(Settlement("t1", 0, 0, None), 5, 5, "a"))
        self.successResultOf(database.usage.settle([Settlement("t1", 3, 3, NOW + 0.000001)], "b"))
        self.successResultOf(database.tokens.update("t2", is_active=False))
        self.successResultOf(UsageRecords(clock_at(), database).settle(some_entries(31, 1500)))
        return url

    def everything(self, url: str) -> dict[str, list[Any]]:
        engine = locate(url, 1).engine()
        found: dict[str, list[Any]] = {}
        with engine.connect() as connection:
            for name, rows in DatabaseSource(connection).rows():
                found.setdefault(name, []).extend(rows)
        engine.dispose()
        return {name: sorted(rows, key=repr) for name, rows in found.items()}

    def works(self, url: str) -> None:
        """A proxy starts with it, and everything is as it was."""
        database = opened_at(self, url)
        self.assertEqual(
            self.successResultOf(database.projects.get("p1")), project("p1", name="日本 é 🎉", api_keys=KEYS)
        )
        found = self.successResultOf(database.tokens.get("t1"))
        self.assertEqual((found.request_count, found.last_used_at), (3, NOW + 0.000001))
        leased = database.read(lambda c: c.scalar(text("SELECT leased FROM tokens WHERE id = 't1'")))
        self.assertEqual(self.successResultOf(leased), 2)
        self.assertFalse(self.successResultOf(database.tokens.get("t2")).is_active)
        self.has_usage(database)

    def has_usage(self, database: Any) -> None:
        """Reports and single records are as before, and what was settled is not settled again."""
        entries, reports = some_entries(31, 1500), UsageReports(database)
        self.assertEqual(self.successResultOf(UsageRecords(clock_at(), database).settle(entries)), 0)
        for groups in (("token", "day"), ("user",), ("status", "tag:team", "session")):
            with row(groups):
                question = UsageQuestion(groups, tz="Asia/Kolkata")
                expected = self.successResultOf(MemoryReports(entries).grouped(question))
                self.assertEqual(self.successResultOf(reports.grouped(question)), expected)

    def test_copied_around(self) -> None:
        """From each kind to the next, and back to the first: nothing is different then."""
        url = self.filled("sqlite")
        before = self.everything(url)
        self.assertEqual(len(before["tokens"]), 1500)
        for kind in ("postgresql", "mysql", "sqlite"):
            target = new_database(self, kind)
            arrived = json.loads(ran("copy", "--json", DATABASE_URL=url, TARGET_DATABASE_URL=target))
            self.assertEqual(set(arrived), set(metadata.tables), kind)
            self.assertEqual(self.everything(target), before, kind)
            self.works(target)
            url = target

    def test_backed_up(self) -> None:
        """A backup of each kind is restored into each other kind; one that is not empty is not touched."""
        source = self.filled("postgresql")
        before = self.everything(source)
        for kind in ("mysql", "sqlite", "postgresql"):
            backup, target = os.path.abspath(self.mktemp()), new_database(self, kind)
            ran("backup", backup, DATABASE_URL=source)
            ran("restore", backup, DATABASE_URL=target)
            self.assertEqual(self.everything(target), before, kind)
            refused = CliRunner().invoke(cli, ["db", "restore", backup], env={"DATABASE_URL": target})
            self.assertEqual(refused.exit_code, 6, kind)
            ran("restore", "--force", backup, DATABASE_URL=target)
            self.assertEqual(self.everything(target), before, kind)
            source = target


class FirstSchemaTests(SynchronousTestCase):
    """A database that the first release made and used."""

    def made(self) -> str:
        import sqlite3

        path = os.path.abspath(self.mktemp())
        connection = sqlite3.connect(path)
        with open(FIRST_SCHEMA, encoding="utf-8") as dump:
            connection.executescript(dump.read())
        connection.close()
        return f"sqlite:///{path}"

    def finds_everything(self, url: str) -> None:
        database = opened_at(self, url)
        self.assertEqual(self.successResultOf(database.read(revision_of)), HEAD)
        projects = {each.id: each for each in self.successResultOf(database.projects.list())}
        self.assertEqual(
            {name: (each.name, each.api_keys["openai"][0], each.is_active) for name, each in projects.items()},
            {"p1": ("team é", "sk-upstream-canary-key-0001", True), "p2": ("plain", "sk-plain", False)},
        )
        limited = self.successResultOf(database.tokens.get("t1"))
        self.assertEqual((limited.request_count, limited.max_requests, limited.is_active), (7, 100, True))
        self.assertEqual((limited.expires_at, limited.last_used_at), (NOW + 3600, NOW + 0.5))
        self.assertFalse(self.successResultOf(database.tokens.get("t2")).is_active)
        leasing = database.usage.lease(Settlement("t1", 0, 0, None), 100, 128, "a")
        self.assertEqual(self.successResultOf(leasing).size, 100 - 7 - 3)

    def test_upgraded(self) -> None:
        """It is upgraded by the first start, and everything is there: keys, counters, what is leased."""
        self.finds_everything(self.made())

    def test_moved(self) -> None:
        """It is upgraded on its way into every kind of database."""
        for kind in KINDS:
            url, target = self.made(), new_database(self, kind)
            ran("copy", DATABASE_URL=url, TARGET_DATABASE_URL=target)
            self.finds_everything(target)

    def test_sealed_anew(self) -> None:
        """What the first release encrypted gets the id of its key."""
        url = self.made()
        ran("upgrade", DATABASE_URL=url)
        env: Any = {"DATABASE_URL": url, "ENCRYPTION_KEY": b64encode(KEY).decode(), "ENCRYPTION_KEY_OLD": None}
        result = CliRunner().invoke(cli, ["encryption", "migrate", "--json"], env=env, catch_exceptions=False)
        self.assertEqual(json.loads(result.output)["encrypted"], 2)
        self.finds_everything(url)
