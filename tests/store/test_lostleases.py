"""Tests for L{llmproxy.store.lostleases}, on a database that two processes share."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import text
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.quotas import Settlement
from llmproxy.errors import Unavailable
from llmproxy.store.database import Database
from llmproxy.store.lostleases import INTERVAL, LOST_AFTER, LostLeases

from .databases import clock_at, opened, project, token


class Unwritten:
    """A database that takes nothing."""

    def run(self, work: object) -> Deferred[Any]:
        return fail(Unavailable())


class LostLeasesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.path = clock_at(), self.mktemp()
        self.mine, self.other = (opened(self, self.path, clock=self.clock) for _ in range(2))
        self.successResultOf(self.mine.projects.create(project()))
        self.successResultOf(self.mine.tokens.create(token(max_requests=6400)))
        self.looking = LostLeases(self.clock, self.mine, self.mine.usage)

    def lease(self, database: Database, used: int = 0) -> int:
        """Settle what was used, and lease more."""
        settlement = Settlement("t1", used, used, None)
        return self.successResultOf(database.usage.lease(settlement, 1, 128, uuid4().hex)).size

    def settle(self, database: Database, used: int, released: int) -> None:
        self.successResultOf(database.usage.settle([Settlement("t1", used, released, None)], uuid4().hex))

    def look(self, *databases: Database) -> None:
        for database in databases or (self.mine,):
            self.successResultOf(LostLeases(self.clock, database, database.usage).look())

    def numbers(self) -> tuple[int, int, int]:
        """C{request_count}, C{leased} and C{reserved_lost}."""
        query = text("SELECT request_count, leased, reserved_lost FROM tokens")
        return self.successResultOf(self.mine.read(lambda connection: tuple(connection.execute(query).one())))

    def rows(self) -> list[Any]:
        query = text("SELECT size FROM leases ORDER BY size")
        return self.successResultOf(self.mine.read(lambda connection: list(connection.scalars(query))))

    def test_killed(self) -> None:
        """What a process held that gives no sign of life is shown, and is as little given out as before."""
        self.assertEqual(self.lease(self.other), 128)
        self.settle(self.other, 100, 100)
        self.clock.advance(LOST_AFTER)
        self.look()
        self.assertEqual(self.numbers(), (100, 28, 0))
        self.clock.advance(1)
        self.look()
        self.look()
        self.assertEqual(self.numbers(), (100, 28, 28))
        shown = self.successResultOf(self.mine.tokens.get("t1"))
        self.assertEqual((shown.request_count, shown.reserved_lost), (100, 28))  # type: ignore[union-attr]
        self.assertEqual(self.rows(), [])

    def test_alive(self) -> None:
        """What a process holds that gives one is not."""
        self.lease(self.other)
        for _ in range(20):
            self.clock.advance(INTERVAL)
            self.look(self.other, self.mine)
        self.assertEqual((self.numbers(), self.rows()), ((0, 128, 0), [128]))

    def test_handed_back(self) -> None:
        """Nothing stays of what was handed back."""
        size = self.lease(self.other)
        self.settle(self.other, 5, size)
        self.look(self.other)
        self.assertEqual((self.numbers(), self.rows()), ((5, 0, 0), []))
        self.assertFalse(self.other.usage.has_leased)

    def test_not_written(self) -> None:
        """A sign of life that could not be written is given the next time."""
        self.lease(self.other)
        self.clock.advance(LOST_AFTER - INTERVAL)
        usage = self.other.usage
        run, usage._database = usage._database, Unwritten()  # type: ignore[assignment]
        self.look(self.other)
        usage._database = run
        self.clock.advance(INTERVAL)
        self.look(self.other)
        self.clock.advance(INTERVAL)
        self.look()
        self.assertEqual((self.numbers(), self.rows()), ((0, 128, 0), [128]))

    def test_comes_back(self) -> None:
        """A process that was only away takes out again what it accounts for; what it leases since then it holds."""
        self.lease(self.other)
        self.clock.advance(LOST_AFTER + 1)
        self.look()
        self.assertEqual(self.numbers(), (0, 128, 128))
        self.settle(self.other, 28, 28)
        self.assertEqual(self.numbers(), (28, 100, 100))
        more = self.lease(self.other, 60)
        self.assertEqual(self.numbers(), (88, 40 + more, 100 if more >= 60 else 100 - 60 + more))
        self.clock.advance(LOST_AFTER + 1)
        self.look()
        lost = self.numbers()[2]
        self.assertLessEqual(lost, 128 + more)
        self.settle(self.other, 0, 40 + more)
        self.assertEqual(self.numbers()[:2], (88, 0))

    def test_never_more_than_leased(self) -> None:
        """However it comes about, no more is lost than is leased."""
        self.lease(self.other)
        self.clock.advance(LOST_AFTER + 1)
        self.look()
        self.lease(self.other, 128)
        self.clock.advance(LOST_AFTER + 1)
        self.look()
        _, leased, lost = self.numbers()
        self.assertLessEqual(lost, leased)

    def test_by_itself(self) -> None:
        """It looks in intervals, and stops."""
        self.lease(self.other)
        self.looking.start()
        self.clock.pump([INTERVAL] * 8)
        self.assertEqual(self.numbers(), (0, 128, 128))
        self.looking.stop()
        self.looking.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_away(self) -> None:
        """A database that is away is asked again later."""
        self.successResultOf(self.other.close())
        self.successResultOf(LostLeases(self.clock, self.other, self.other.usage).look())
