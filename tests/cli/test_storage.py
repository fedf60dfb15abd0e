"""The database itself, for commands that do not ask a running proxy."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli import storage
from llmproxy.cli.faults import Fault, Unreachable
from llmproxy.cli.storage import (
    check_revision,
    faults_of,
    located,
    reading,
    storage_of,
    storage_of_proxy,
    storage_options,
    writing,
)
from llmproxy.store.migrate import migrate

from ..store.databases import KEY, opened
from ..tables import row

NOT_SET = {"DATABASE_URL": "", "DATABASE_PATH": "", "ENCRYPTION_KEY": "", "DB_DRIVER": ""}


class OptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, **NOT_SET})

    def test_order(self) -> None:
        """The option comes before the variable, and the variable before the file of variables."""
        Path(path := self.mktemp()).write_text(f"DATABASE_URL=sqlite:///file\nENCRYPTION_KEY={b64encode(KEY).decode()}")
        del os.environ["DATABASE_URL"], os.environ["ENCRYPTION_KEY"]
        found = storage_of(None, path)
        self.assertEqual((found.database_url, found.encryption_key), ("sqlite:///file", KEY))
        os.environ["DATABASE_URL"] = "sqlite:///set"
        self.assertEqual(storage_of(None, path).database_url, "sqlite:///set")
        self.assertEqual(storage_of(None, path, {"DATABASE_URL": "sqlite:///more"}).database_url, "sqlite:///more")
        self.assertEqual(storage_of("sqlite:///option", path).database_url, "sqlite:///option")

    def test_quickstart(self) -> None:
        """Where nothing else says where a proxy keeps what it has, it is quickstart's directory, if that is there."""
        self.patch(os, "environ", {**os.environ, **NOT_SET})
        before = os.getcwd()
        os.makedirs(place := self.mktemp())
        os.chdir(place)
        self.addCleanup(os.chdir, before)
        usual = "sqlite:///./data/llm-proxy.db"
        self.assertEqual(storage_of_proxy(None, None).database_url, usual)
        os.mkdir("llmproxy-data")
        os.mkdir("data")
        for database, data, described, url in (
            (None, None, "", "sqlite:///./llmproxy-data/llmproxy.db"),
            (None, "elsewhere", "", "sqlite:///elsewhere/llmproxy.db"),
            (None, "elsewhere", "sqlite:///set", "sqlite:///elsewhere/llmproxy.db"),
            (None, None, "sqlite:///set", "sqlite:///set"),
            ("sqlite:///option", "elsewhere", "", "sqlite:///option"),
        ):
            os.environ["DATABASE_URL"] = described
            with row(self, database, data, described):
                self.assertEqual(storage_of_proxy(database, None, data).database_url, url)
        os.environ["DATABASE_URL"] = ""
        Path("data/llm-proxy.db").touch()
        self.assertEqual(storage_of_proxy(None, None).database_url, usual)

    def test_not_understood(self) -> None:
        """A variable that cannot be understood ends the command, without its value."""
        os.environ["ENCRYPTION_KEY"] = "canary"
        failure = self.assertRaises(Fault, storage_of, "x", None)
        self.assertIn("ENCRYPTION_KEY", failure.message)
        self.assertNotIn("canary", failure.message)

    def test_command(self) -> None:
        """A command gets where the database is and how to print, and its own options."""

        @click.command()
        @click.option("--own")
        @storage_options
        def command(storage: Any, output: Any, own: str) -> None:
            click.echo(f"{storage.database_url} {output.as_json} {own}")

        result = CliRunner().invoke(command, ["--database", "sqlite:///x", "--json", "--own", "y"])
        self.assertEqual(result.output, "sqlite:///x True y\n")

    def test_password(self) -> None:
        """Who shows a password to everybody on the machine is told, without it; others are not bothered."""
        told: list[str] = []
        self.patch(storage, "warn", told.append)
        for url, count in (
            (None, 0), ("x.db", 0), ("sqlite:///a@b:c", 0), ("mysql://u@h/d", 0), ("mysql://h:3306/d", 0),
            ("mysql://u:canary@h/d", 1), ("postgresql://u:can@ary@h:5432/d", 1),
        ):  # fmt: skip
            told.clear()
            storage.warn_of_password("--database", url)
            self.assertEqual((len(told), "canary" in "".join(told)), (count, False), url)


class DatabaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def make(self, revision: str | None = None) -> None:
        if revision is None:
            opened(self, self.path)
            return
        with writing(located(self.path)) as connection:
            migrate(connection, revision)

    def test_located(self) -> None:
        """An address that is none is told, without a password."""
        failure = self.assertRaises(Fault, located, "oracle://u:canary@h/d")
        self.assertNotIn("canary", failure.message)

    def test_reading_makes_nothing(self) -> None:
        """Looking for a database does not make one."""
        with self.assertRaises(Fault) as caught, reading(located(self.path)):
            self.fail("there is nothing to read")
        self.assertIn("there is no such file", caught.exception.message)
        self.assertFalse(os.path.exists(self.path))

    def test_one_moment(self) -> None:
        """What is written meanwhile is not seen."""
        self.make()
        count = text("SELECT COUNT(*) FROM schema_probe")
        with writing(located(self.path)) as connection:
            connection.execute(text("CREATE TABLE schema_probe (a INTEGER)"))
        with reading(located(self.path)) as before:
            found = [before.execute(count).scalar()]
            with writing(located(self.path)) as connection:
                connection.execute(text("INSERT INTO schema_probe VALUES (1)"))
            found.append(before.execute(count).scalar())
        with reading(located(self.path)) as after:
            self.assertEqual([*found, after.execute(count).scalar()], [0, 0, 1])

    def test_not_finished(self) -> None:
        """What fails half-way has not happened."""
        self.make()
        with self.assertRaises(ZeroDivisionError), writing(located(self.path)) as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            raise ZeroDivisionError
        with reading(located(self.path)) as connection:
            check_revision(located(self.path), connection)

    def test_revision(self) -> None:
        """Only a schema of this program's is worked with; who has another is told what to do."""
        for revision, words in (("0001", "run llmproxy db upgrade"), (None, "")):
            self.make(revision)
            with reading(located(self.path)) as connection:
                if words:
                    with row(revision):
                        failure = self.assertRaises(Fault, check_revision, located(self.path), connection)
                    self.assertIn(words, failure.message)
                else:
                    check_revision(located(self.path), connection)
        with writing(located(empty := self.mktemp())) as connection:
            failure = self.assertRaises(Fault, check_revision, located(empty), connection)
            self.assertIn("no tables of llmproxy", failure.message)

    def test_faults(self) -> None:
        """A server that is away is told apart from a file that is no database; statements and values are not told."""
        with self.assertRaises(Unreachable) as caught, faults_of(located(self.path)):
            raise OperationalError("SELECT canary", {"a": "canary"}, Exception("went away"))
        self.assertEqual(caught.exception.message, f"{located(self.path).label}: went away")
        Path(self.path).write_text("not a database, however long one looks at it" * 50)
        with self.assertRaises(Fault) as failed, reading(located(self.path)) as connection:
            connection.execute(text("SELECT 'canary' FROM tokens"))
        self.assertEqual((failed.exception.exit_code, "canary" in failed.exception.message), (1, False))
