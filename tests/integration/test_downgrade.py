"""Steps back of the schema on each kind of database, down to the first revision, and forward again."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner
from sqlalchemy import inspect
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.store.backend import locate
from llmproxy.store.schema import HEAD

from ..store.databases import project, token
from ..tables import row
from .databases import KINDS, new_database, opened_at

_UNSET = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "DB_DRIVER", "ENCRYPTION_KEY"))


class DowngradeTests(SynchronousTestCase):
    def run_(self, url: str, *arguments: str) -> Any:
        variables: Any = {**_UNSET, "DATABASE_URL": url}
        return CliRunner().invoke(cli, ["db", *arguments, "--json"], env=variables)

    def worked(self, url: str, *arguments: str) -> Any:
        result = self.run_(url, *arguments)
        self.assertEqual(result.exit_code, 0, result.output + result.stderr)
        return json.loads(result.stdout)

    def test_each_kind(self) -> None:
        """All the way back and forward again: the schema is the same, and so are projects and tokens."""
        for kind in KINDS:
            with row(kind):
                self.back_and_forward(new_database(self, kind))

    def back_and_forward(self, url: str) -> None:
        database = opened_at(self, url)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token()))
        refused = self.run_(url, "downgrade")
        self.assertEqual(refused.exit_code, 6, refused.output + refused.stderr)
        self.assertIn("Stop the proxies first", refused.stderr)
        self.successResultOf(database.close())
        before = shape(url)
        while (step := self.worked(url, "downgrade", "--yes"))["revision"] != "0001":
            self.assertLess(step["revision"], step["before"])
        self.assertEqual(self.run_(url, "downgrade", "--yes").exit_code, 1)
        self.worked(url, "upgrade")
        self.assertEqual(self.worked(url, "current")["revision"], HEAD)
        self.assertEqual(shape(url), before)
        database = opened_at(self, url)
        self.assertEqual([each.id for each in self.successResultOf(database.tokens.list())], ["t1"])
        self.successResultOf(database.close())


def shape(url: str) -> Any:
    """Tables with their columns and indexes."""
    engine = locate(url, 1).engine()
    try:
        found = inspect(engine)
        return {
            name: (
                sorted(each["name"] for each in found.get_columns(name)),
                sorted(str(each["name"]) for each in found.get_indexes(name)),
            )
            for name in found.get_table_names()
        }
    finally:
        engine.dispose()
