"""C{llmproxy audit verify}: over files and databases that were written and then tampered with."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.auditlog import Auditing
from llmproxy.cli.audit_verify import continuations
from llmproxy.cli.main import cli
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.store.threads import NoThreads

from ..store.databases import clock_at, opened


class VerifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.mkdir(directory := self.mktemp())
        self.file = os.path.join(directory, "audit.log")
        self.url = os.path.join(directory, "llmproxy.db")
        self.clock = clock_at()
        self.run_proxy("one", "two", "three")
        self.run_proxy("four")

    def run_proxy(self, *names: str, max_bytes: int = 10**8, **options: Any) -> None:
        """A proxy that starts, notes something and stops."""
        database = opened(self, self.url, clock=self.clock)
        settings = AuditOptions(**{"file": self.file, "max_bytes": max_bytes, **options})
        auditing = Auditing(self.clock, database, settings, (), NoThreads)
        auditing.start()
        for name in names:
            self.clock.advance(1)
            auditing.log.log("project.create", "carol", "success", name=name)
        self.successResultOf(Deferred.fromCoroutine(auditing.stop()))
        self.successResultOf(database.close())

    def verify(self, *options: str, code: int = 0) -> dict[str, Any]:
        result = self.invoke(*options, "--json")
        self.assertEqual(result.exit_code, code, result.output)
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def invoke(self, *options: str) -> Result:
        env = dict.fromkeys(("DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_PATH", "DB_DRIVER", "AUDIT_LOG_FILE"))
        arguments = ["audit", "verify", "--file", self.file, "--database", self.url, *options]
        return CliRunner().invoke(cli, arguments, env=env)

    def problems(self, *options: str) -> str:
        found = self.verify(*options, code=1)
        told = [each for name in ("file", "sql") for each in found.get(name, {}).get("problems", [])]
        return "\n".join(f"{each['where']}: {each['what']}" for each in [*told, *found["between"]])

    def lines(self) -> list[bytes]:
        return Path(self.file).read_bytes().splitlines(keepends=True)

    def execute(self, statement: str) -> None:
        with sqlite3.connect(self.url) as connection:
            connection.execute(statement)
        connection.close()

    def test_in_order(self) -> None:
        """Nothing is wrong, also after a restart; the heads are told, and are good for the next time."""
        found = self.verify()
        self.assertEqual((found["problem_count"], found["notes"]), (0, []))
        self.assertEqual((found["file"]["records"], found["sql"]["records"]), (9, 10))
        heads = [option for head in found["file"]["heads"] for option in ("--head", head)]
        self.run_proxy("five")
        self.verify(*heads)
        text = self.invoke()
        self.assertTrue(text.stdout.endswith("Everything is in order.\n"), text.stdout)

    def test_file(self) -> None:
        """What is changed, taken out or put elsewhere in the file is found, with the line."""
        whole = self.lines()
        for changed, words in (
            ([*whole[:2], whole[2].replace(b'"one"', b'"ONE"'), *whole[3:]], "audit.log:3: record 3 was changed"),
            ([*whole[:2], *whole[3:]], "audit.log:3: record 3 is missing before record 4"),
            ([*whole[:2], whole[3], whole[2], *whole[4:]], "moved, or repeated"),
            (whole[:-1], "records 9 to 9 are missing at the end"),
            ([], "is missing, with 9 records"),
            ([b"garbage\n", *whole], "audit.log:1: not a record"),
        ):
            Path(self.file).write_bytes(b"".join(changed))
            self.assertIn(words, self.problems())
        os.unlink(self.file)
        found = self.invoke()
        self.assertEqual((found.exit_code, "there is no such file" in found.stderr), (1, True))

    def test_end_needs_the_database(self) -> None:
        """Without the database the end is not known, which is said; a head that was kept elsewhere helps too."""
        (head,) = self.verify()["file"]["heads"]
        Path(self.file).write_bytes(b"".join(self.lines()[:-1]))
        found = self.verify("--no-database")
        self.assertIn("without the database", found["notes"][0])
        self.assertIn("missing at the end", self.problems("--no-database", "--head", head))

    def test_database(self) -> None:
        """What is changed in the table is found, and so is what is taken out with everything that tells of it."""
        for statement, words in (
            ("UPDATE audit_events SET actor = 'dave' WHERE metadata LIKE '%two%'", "was changed"),
            ("DELETE FROM audit_events WHERE metadata LIKE '%two%'", "is missing before record"),
        ):
            self.execute("CREATE TABLE kept AS SELECT * FROM audit_events")
            self.execute(statement)
            self.assertIn(words, self.problems())
            self.execute("DELETE FROM audit_events")
            self.execute("INSERT INTO audit_events SELECT * FROM kept")
            self.execute("DROP TABLE kept")
        first = "(SELECT chain FROM audit_events WHERE metadata LIKE '%one%')"
        self.execute(f"DELETE FROM audit_chains WHERE id = {first}")
        self.execute(f"DELETE FROM audit_events WHERE chain = {first}")
        told = self.problems()
        self.assertIn("the whole chain is missing", told)
        self.assertIn("are not in the database", told)

    def test_one_and_not_the_other(self) -> None:
        """A log whose last chain was taken out of the table without a trace is missed by the file."""
        last = "(SELECT chain FROM audit_events WHERE metadata LIKE '%four%')"
        self.execute(f"DELETE FROM audit_chains WHERE id = {last}")
        self.execute(f"DELETE FROM audit_events WHERE chain = {last}")
        self.run_proxy("five")
        self.assertIn("are not in the database", self.problems())

    def test_only_one_is_written(self) -> None:
        """A time in which records went to the file alone is no tampering with the database, and is said."""
        self.run_proxy("alone", in_database=False)
        self.run_proxy("both")
        self.assertIn("are not compared", self.verify()["notes"][0])

    def test_cut(self) -> None:
        """What the retention took out of the database is no problem, though the file has it; other gaps are."""
        self.run_proxy(*("x" * 3 for _ in range(130)), keep_rows=20)
        self.run_proxy("five", keep_rows=20)
        found = self.verify()
        self.assertLess(found["sql"]["records"], 90)
        self.assertGreater(found["file"]["records"], 130)
        self.assertIn("was cut (audit.cut)", found["sql"]["notes"][0])
        late = "(SELECT id FROM audit_events WHERE action = 'project.create' ORDER BY timestamp DESC LIMIT 1 OFFSET 3)"
        self.execute(f"DELETE FROM audit_events WHERE id = {late}")
        self.assertIn("is missing before record", self.problems())

    def test_older_files(self) -> None:
        """The files that were continued are read too, whatever their number."""
        for number in range(12):
            self.run_proxy(f"r{number}" * 100, max_bytes=2000, keep=50)
        files = continuations(self.file)
        self.assertGreater(len(files), 10)
        self.assertEqual(files[-1], self.file)
        self.verify()
        os.unlink(files[5])
        self.assertIn("are missing", self.problems())

    def test_found(self) -> None:
        """The places are those of the proxy's own environment, of a file of variables, or of quickstart's directory."""
        whole = self.verify()
        directory = os.path.dirname(os.path.abspath(self.file))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)
        Path("variables").write_text("DATABASE_PATH=llmproxy.db\nAUDIT_LOG_FILE=audit.log\n")
        names = ("DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_PATH", "DB_DRIVER", "AUDIT_LOG_FILE")
        env: dict[str, str | None] = dict.fromkeys(names)
        os.mkdir("llmproxy-data")
        for options, more in (
            (("--env", "variables"), {}),
            ((), {"DATABASE_PATH": "llmproxy.db", "AUDIT_LOG_FILE": "audit.log"}),
            (("--database", "llmproxy.db", "--file", "audit.log"), {}),
            (("--data", "."), {}),
        ):
            result = CliRunner().invoke(cli, ["audit", "verify", *options, "--json"], env=env | more)
            self.assertEqual(result.exit_code, 0, result.output)
            self.assertEqual(json.loads(result.stdout)["file"]["heads"], whole["file"]["heads"], options)
        for name in ("audit.log", "llmproxy.db"):
            os.rename(name, os.path.join("llmproxy-data", name))
        result = CliRunner().invoke(cli, ["audit", "verify", "--json"], env=env)
        self.assertEqual(json.loads(result.stdout)["sql"]["heads"], whole["sql"]["heads"])

    def test_mistakes(self) -> None:
        """A head that is none is an error of use; a database that is not there is not made."""
        self.assertEqual(self.invoke("--head", "x").exit_code, 2)
        missing = self.mktemp()
        result = CliRunner().invoke(cli, ["audit", "verify", "--file", self.file, "--database", missing])
        self.assertEqual((result.exit_code, os.path.exists(missing)), (1, False))
