"""C{llmproxy db}."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.store.backend import locate
from llmproxy.store.migrate import migrate
from llmproxy.store.schema import HEAD

from ..store.databases import opened, project, token


class DbCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        database = opened(self, self.path)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token()))

    def run_(self, *arguments: str, **env: str) -> Result:
        cleared = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "TARGET_DATABASE_URL"))
        variables: Any = {**cleared, **env}
        return CliRunner().invoke(cli, ["db", *arguments], env=variables, catch_exceptions=False)

    def failed(self, code: int, *arguments: str, **env: str) -> str:
        result = self.run_(*arguments, **env)
        self.assertEqual(result.exit_code, code, result.output)
        self.assertEqual(result.stderr.strip().count("\n"), 0, result.stderr)
        return result.stderr

    def worked(self, *arguments: str, **env: str) -> str:
        result = self.run_(*arguments, **env)
        self.assertEqual(result.exit_code, 0, result.output + result.stderr)
        return result.output

    def tokens(self, path: str) -> list[str]:
        return [each.id for each in self.successResultOf(opened(self, path).tokens.list())]


class SchemaTests(DbCase):
    def test_current(self) -> None:
        """What is there is shown, and for scripts as JSON."""
        shown = self.worked("current", "--database", self.path)
        self.assertIn(f"{HEAD}, up to date", shown)
        found = json.loads(self.worked("current", "--json", DATABASE_PATH=self.path))
        self.assertEqual((found["revision"], found["needs"], found["rows"]["tokens"]), (HEAD, HEAD, 1))

    def test_current_changes_nothing(self) -> None:
        """Looking makes no file, and upgrades nothing."""
        path = self.mktemp()
        self.assertIn("there is no such file", self.failed(1, "current", "--database", path))
        self.assertFalse(os.path.exists(path))
        self.old(path)
        self.assertIn("run llmproxy db upgrade", self.worked("current", "--database", path))
        self.assertIn("0001, this program needs", self.worked("current", "--database", path))

    def old(self, path: str) -> None:
        engine = locate(path, 1).engine()
        with engine.begin() as connection:
            migrate(connection, "0001")
        engine.dispose()

    def test_upgrade(self) -> None:
        """An earlier schema is brought up to date, once; where nothing was there is a schema then."""
        path = self.mktemp()
        self.old(path)
        self.assertIn(f"upgraded from 0001 to {HEAD}", self.worked("upgrade", "--database", path))
        self.assertIn(f"is at revision {HEAD} already", self.worked("upgrade", "--database", path))
        new = self.mktemp()
        self.assertIn(f"from nothing to {HEAD}", self.worked("upgrade", "--database", new))
        self.assertEqual(stat.S_IMODE(os.stat(new).st_mode), 0o600)

    def test_later(self) -> None:
        """On the schema of a later release commands work, if it lets them; what has to know every table does not."""
        for oldest, state, works in ((HEAD, "which lets this one work on it", True), ("9999", "cannot work", False)):
            path = self.mktemp()
            self.worked("upgrade", "--database", path)
            with sqlite3.connect(path) as connection:
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
                connection.execute("UPDATE settings SET value = ? WHERE name = 'schema.oldest'", (oldest,))
            connection.close()
            self.assertIn(state, self.worked("current", "--database", path))
            status = CliRunner().invoke(cli, ["encryption", "status", "--database", path])
            self.assertEqual(status.exit_code, 0 if works else 1, status.output)
            self.worked("backup", self.mktemp(), "--database", path)
            refused = self.failed(1, "backup", "--portable", self.mktemp(), "--database", path)
            self.assertIn("of a later release: use that one to move it", refused)

    def test_away(self) -> None:
        """A server that is not there is said to be away; its password is not said."""
        for url in ("postgresql://u:s3cret@127.0.0.1:1/d", "mysql://u:s3cret@127.0.0.1:1/d"):
            self.assertNotIn("s3cret", self.failed(5, "current", DATABASE_URL=url))
        self.assertNotIn("s3cret", self.failed(1, "current", DATABASE_URL="postgresql://u:s3cret@h"))


class BackupTests(DbCase):
    def test_file(self) -> None:
        """A backup of SQLite is a database, for its owner only; it is restored into an empty database."""
        backup, target = self.mktemp(), self.mktemp()
        self.assertIn("written to", self.worked("backup", backup, "--database", self.path))
        self.assertEqual(stat.S_IMODE(os.stat(backup).st_mode), 0o600)
        self.assertIn("1 projects, 1 tokens", self.worked("restore", backup, "--database", target))
        self.assertEqual(self.tokens(target), ["t1"])

    def test_portable(self) -> None:
        """So is one in the portable form."""
        backup, target = self.mktemp(), self.mktemp()
        self.worked("backup", "--portable", backup, "--database", self.path)
        self.assertEqual(stat.S_IMODE(os.stat(backup).st_mode), 0o600)
        arrived = json.loads(self.worked("restore", "--json", backup, "--database", target))
        self.assertEqual((arrived["projects"], arrived["tokens"]), (1, 1))
        self.assertEqual(self.tokens(target), ["t1"])

    def test_nothing_is_overwritten(self) -> None:
        """Neither a backup nor a database is replaced without being asked for."""
        backup = self.mktemp()
        self.worked("backup", backup, "--database", self.path)
        self.assertIn("--force", self.failed(6, "backup", backup, "--database", self.path))
        self.worked("backup", backup, "--force", "--database", self.path)
        self.assertIn("is not empty", self.failed(6, "restore", backup, "--database", self.path))
        self.worked("restore", "--force", backup, "--database", self.path)
        self.assertEqual(self.tokens(self.path), ["t1"])

    def test_bad_backup(self) -> None:
        """What is missing, something else, or cut, is told in a line, and the database is left as it is."""
        backup, cut = self.mktemp(), self.mktemp()
        self.assertIn("no such file", self.failed(3, "restore", backup, "--database", self.path, "--force"))
        with open(backup, "w") as file:
            file.write("dear diary")
        self.assertIn("no backup", self.failed(1, "restore", backup, "--database", self.path, "--force"))
        self.worked("backup", "--portable", "--force", backup, "--database", self.path)
        with open(backup, "rb") as whole, open(cut, "wb") as part:
            part.write(whole.read()[:-20])
        self.assertIn("is damaged", self.failed(1, "restore", cut, "--database", self.path, "--force"))
        self.assertEqual(self.tokens(self.path), ["t1"])

    def test_no_place(self) -> None:
        """A place that cannot be written to, and a database that is not there, leave nothing behind."""
        self.assertIn("No such file", self.failed(1, "backup", "/nowhere/x", "--database", self.path))
        backup = self.mktemp()
        self.assertIn("no such file", self.failed(1, "backup", backup, "--database", self.mktemp()))
        self.assertFalse(os.path.exists(backup))


class CopyTests(DbCase):
    def test_copied(self) -> None:
        """Everything arrives, in a database that an option or a variable names."""
        first, second = self.mktemp(), self.mktemp()
        self.assertIn("all of it arrived", self.worked("copy", "--to", first, "--database", self.path))
        self.worked("copy", "--database", self.path, TARGET_DATABASE_URL=f"sqlite:///{second}")
        self.assertEqual(self.tokens(first) + self.tokens(second), ["t1", "t1"])
        self.assertIn("is not empty", self.failed(6, "copy", "--to", first, "--database", self.path))

    def test_use(self) -> None:
        """Nowhere is an error of use, and so is the same database."""
        self.assertEqual(self.run_("copy", "--database", self.path).exit_code, 2)
        self.assertEqual(self.run_("copy", "--to", self.path, "--database", self.path).exit_code, 2)

    def test_password(self) -> None:
        """A password on the command line is warned of, and not said again."""
        result = self.run_("copy", "--to", "mysql://u:s3cret@127.0.0.1:1/d", "--database", self.path)
        self.assertIn("everybody on this machine can see", result.stderr)
        self.assertNotIn("s3cret", result.stderr)
