"""Several processes and one database file."""

from __future__ import annotations

import os
import stat
import sys
from subprocess import PIPE, Popen
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

import llmproxy
from llmproxy.message import Principal
from llmproxy.store.directory import Directory
from llmproxy.store.engine import open_database
from llmproxy.store.leases import LeasedQuota

from ..store.databases import KEY, NOW, opened, project, token

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(llmproxy.__file__)))
LIMIT = 1000
LARGEST_LEASE = LIMIT // 32


def spender(path: str) -> Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.spender", path, KEY.hex()]
    return Popen(command, stdout=PIPE, stderr=PIPE, cwd=ROOT)


class ProcessesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    def started(self, count: int) -> list[Popen[bytes]]:
        processes = [spender(self.path) for _ in range(count)]
        for each in processes:
            self.addCleanup(self.ended, each)
        return processes

    def ended(self, process: Popen[bytes]) -> None:
        process.kill()
        process.communicate()

    def issue(self) -> Any:
        database = opened(self, self.path)
        self.successResultOf(database.projects.create(project()))
        self.successResultOf(database.tokens.create(token(max_requests=LIMIT)))
        return database

    def test_first_start(self) -> None:
        """Processes that start at once with no database make one between them."""
        for each in self.started(4):
            output, errors = each.communicate(timeout=60)
            self.assertEqual((each.returncode, output, errors), (0, b"", b""))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        opened(self, self.path)

    def test_exact(self) -> None:
        """Four processes answer a quota of 1000 exactly 1000 times."""
        database = self.issue()
        spent = [len(each.communicate(timeout=60)[0]) for each in self.started(4)]
        self.assertEqual(sum(spent), LIMIT)
        self.assertEqual(self.successResultOf(database.tokens.get("t1")).request_count, LIMIT)

    def test_killed(self) -> None:
        """When processes are killed at any moment the quota is never exceeded; each takes at most a lease along."""
        self.issue()
        processes = self.started(4)
        outputs = []
        for each in processes[:2]:
            assert each.stdout is not None
            outputs.append(os.read(each.stdout.fileno(), 64))
            each.kill()
        spent = sum(map(len, outputs)) + sum(len(each.communicate(timeout=60)[0]) for each in processes)
        self.assertLessEqual(spent, LIMIT)
        self.assertGreaterEqual(spent, LIMIT - 2 * LARGEST_LEASE)


class ThreadsTests(TestCase):
    async def test_everything_at_once(self) -> None:
        """With real threads: 300 requests at once of a quota of 200 get exactly 200, while tokens are looked up."""
        from twisted.internet import reactor

        database = open_database(reactor, self.mktemp(), encryption_key=KEY)
        await database.start()
        self.addCleanup(database.close)
        await database.projects.create(project())
        made = token(max_requests=200, expires_at=NOW + 10**9)
        await database.tokens.create(made)
        directory = Directory(reactor, database.tokens, database.projects)
        quota = LeasedQuota(reactor, database)
        quota.start()
        spent: list[int] = []

        async def spend(number: int) -> None:
            spending = quota.spend(Principal(made, project()))
            if spending is not None:
                await spending
            spent.append(number)

        def ignore(_: object) -> None:
            pass

        lookups = [directory.load(b"sk-" + str(n).rjust(22, "0").encode()).addErrback(ignore) for n in range(50)]
        await gatherResults(
            [Deferred.fromCoroutine(spend(number)).addErrback(ignore) for number in range(300)] + lookups
        )
        self.assertEqual(len(spent), 200)
        await quota.stop()
        stored = await database.tokens.get("t1")
        assert stored is not None
        self.assertEqual(stored.request_count, 200)
