"""A database with real threads."""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from llmproxy.message import Principal
from llmproxy.store.directory import Directory
from llmproxy.store.engine import open_database
from llmproxy.store.leases import LeasedQuota

from ..store.databases import KEY, NOW, project, token


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
