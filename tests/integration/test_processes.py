"""Several processes and one database, of each kind."""

from __future__ import annotations

import os
import random
import stat
import sys
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

import llmproxy
from llmproxy.store.migrate import revision_of
from llmproxy.store.schema import HEAD

from ..store.databases import KEY, project, token
from .databases import clean_database, new_database, opened_at

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(llmproxy.__file__)))
PROCESSES = 8
LIMIT = 1000
LARGEST_LEASE = LIMIT // 32

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object


class _Processes(_Base):
    kind = ""

    def started(self, count: int, pace: float = 0.0) -> list[Popen[bytes]]:
        command = [sys.executable, "-m", "tests.integration.spender", self.url, KEY.hex(), str(pace)]
        processes = [Popen(command, stdout=PIPE, stderr=PIPE, cwd=ROOT) for _ in range(count)]
        for each in processes:
            self.addCleanup(self.ended, each)
        return processes

    def ended(self, process: Popen[bytes]) -> None:
        process.kill()
        process.communicate()

    def issue(self) -> Any:
        self.url = clean_database(self, self.kind)
        database = opened_at(self, self.url)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token(max_requests=LIMIT)))
        return database

    def test_first_start(self) -> None:
        """Ten processes that start at once with an empty database make one schema between them."""
        self.url = new_database(self, self.kind)
        for each in self.started(10):
            output, errors = each.communicate(timeout=120)
            self.assertEqual((each.returncode, output, errors), (0, b"", b""), each)
        database = opened_at(self, self.url)
        self.assertEqual(self.successResultOf(database.read(revision_of)), HEAD)
        if self.kind == "sqlite":
            self.assertEqual(stat.S_IMODE(os.stat(self.url.removeprefix("sqlite:///")).st_mode), 0o600)

    def test_exact(self) -> None:
        """Eight processes answer a quota of 1000 exactly 1000 times, and write down each use once."""
        database = self.issue()
        spent = [len(each.communicate(timeout=120)[0]) for each in self.started(PROCESSES)]
        self.assertEqual(sum(spent), LIMIT)
        self.assertEqual(self.successResultOf(database.tokens.get("t1")).request_count, LIMIT)

    def test_killed(self) -> None:
        """When processes are killed at any moment the quota is never exceeded; each takes at most a lease along."""
        database = self.issue()
        processes = self.started(PROCESSES, 0.005)
        killed = random.sample(processes, 4)
        spent = 0
        for each in killed:
            assert each.stdout is not None
            spent += len(os.read(each.stdout.fileno(), random.randrange(1, 2 * LARGEST_LEASE)))
            each.kill()
        spent += sum(len(each.communicate(timeout=120)[0]) for each in processes)
        self.assertLessEqual(spent, LIMIT)
        self.assertGreaterEqual(spent, LIMIT - len(killed) * LARGEST_LEASE)
        query = text("SELECT request_count + leased FROM tokens WHERE id = 't1'")
        self.assertEqual(self.successResultOf(database.read(lambda c: c.scalar(query))), LIMIT)


class SqliteProcessesTests(_Processes, SynchronousTestCase):
    kind = "sqlite"


class PostgresqlProcessesTests(_Processes, SynchronousTestCase):
    kind = "postgresql"


class MysqlProcessesTests(_Processes, SynchronousTestCase):
    kind = "mysql"
