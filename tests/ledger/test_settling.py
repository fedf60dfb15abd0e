"""Tests of the settling of the ledger."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.ledger.files import LedgerFiles
from llmproxy.ledger.journal import Journal
from llmproxy.ledger.settling import (
    MANY,
    MANY_AFTER,
    MOST_AT_ONCE,
    MOST_BETWEEN,
    READ_AT_ONCE,
    SETTLE_AFTER,
    Settling,
)

from .fakes import WRITER, FakeRecords, a_record


class SettlingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.files = LedgerFiles(self.mktemp(), 64 * 1024 * 1024)
        self.files.prepare()
        self.files.size = 64 * 1024
        self.journal = Journal(WRITER, "db", lambda number, least: self.files.new_segment(WRITER, number, least))
        self.addCleanup(self.journal.close)
        self.records = FakeRecords()
        self.calls: list[str] = []
        self.written: Deferred[Any] | None = None
        self.settling = Settling(self.clock, self.journal, self.records, self.write, self.sync)

    def write(self) -> Deferred[Any]:
        self.calls.append("uses")
        return succeed(None) if self.written is None else self.written

    def sync(self) -> Deferred[Any]:
        self.calls.append("sync")
        return succeed(None)

    def end(self, count: int = 1, **members: Any) -> None:
        for _ in range(count):
            self.journal.end(a_record(**members))
            self.settling.wake()

    def test_within_a_second(self) -> None:
        """What has ended is settled within a second, and nothing is left to do then."""
        self.end(3)
        self.assertEqual(self.records.kept, {})
        self.clock.advance(0.99)
        self.assertEqual((len(self.records.kept), self.journal.waiting), (3, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_batches(self) -> None:
        """Many are settled in several transactions, so that others get their turn."""
        self.files.size = 1024 * 1024
        self.end(2 * MOST_AT_ONCE + 1)
        self.clock.advance(0.99)
        self.assertEqual(self.records.batches, [MOST_AT_ONCE, MOST_AT_ONCE, 1])

    def test_turns(self) -> None:
        """Of many that are written together a part is read at a time: others in the process have their turn between."""
        self.end(READ_AT_ONCE + 1)
        turns: list[int] = []
        self.clock.callLater(SETTLE_AFTER, lambda: turns.append(len(self.records.batches)))
        self.clock.callLater(SETTLE_AFTER, lambda: turns.append(len(self.records.batches)))
        self.clock.pump([SETTLE_AFTER])
        self.assertEqual((turns, self.records.batches), ([0, 0], [READ_AT_ONCE + 1]))

    def test_many(self) -> None:
        """While there are many, more of them are written together, still within a second; few wait less again."""
        self.end(MANY)
        self.clock.advance(SETTLE_AFTER)
        waited = []
        for count, within in ((3, MANY_AFTER), (2, SETTLE_AFTER)):
            self.end(count)
            self.clock.advance(within - 0.01)
            waited.append(self.journal.waiting)
            self.clock.advance(0.01)
            waited.append(self.journal.waiting)
        self.assertEqual((waited, self.records.batches), ([3, 0, 2, 0], [MANY, 3, 2]))

    def test_what_comes_meanwhile(self) -> None:
        """What ends while a batch is written waits for what ends after it, and not for another exchange."""
        held: Deferred[None] = Deferred()
        self.records.held = held
        self.end(2)
        self.clock.advance(SETTLE_AFTER)
        self.end(3)
        self.records.held = None
        held.callback(None)
        self.assertEqual(self.journal.waiting, 3)
        self.clock.advance(MANY_AFTER)
        self.assertEqual((self.journal.waiting, self.records.batches), (0, [3]))

    def test_while_it_runs(self) -> None:
        """What ends while the database is busy is settled after that."""
        held: Deferred[None] = Deferred()
        self.records.held = held
        self.end()
        self.clock.advance(0.5)
        self.end()
        self.records.held = None
        held.callback(None)
        self.clock.advance(0.5)
        self.assertEqual(self.journal.waiting, 0)

    def test_away(self) -> None:
        """While the database is away all of it waits, is tried less and less often, and once it is back is settled."""
        self.records.away = Unavailable("the database cannot be asked")
        self.end(10)
        for _ in range(600):
            self.clock.advance(1.0)
        self.assertEqual((self.journal.waiting, self.records.kept), (10, {}))
        self.assertLess(self.settling.failures, 600 / MOST_BETWEEN + 10)
        self.records.away = None
        self.clock.advance(MOST_BETWEEN)
        self.assertEqual((self.journal.waiting, len(self.records.kept), self.settling.failures), (0, 10, 0))

    def test_poison(self) -> None:
        """An exchange that the database refuses keeps no other from being settled; it is counted as lost."""
        self.end(10)
        batch = self.journal.unsettled(10)
        assert batch is not None
        self.records.poison = {batch.entries[0].id, batch.entries[4].id}
        for _ in range(60):
            self.clock.advance(1.0)
        self.assertEqual((len(self.records.kept), self.settling.refused, self.journal.waiting), (8, 2, 0))

    def test_one_by_one_while_away(self) -> None:
        """A database that is away refuses nobody: nothing is lost, however long it takes."""
        self.records.away = Unavailable("no")
        self.end(3)
        for _ in range(100):
            self.clock.advance(MOST_BETWEEN)
        self.assertEqual((self.settling.refused, self.journal.waiting), (0, 3))

    def test_segments_are_removed(self) -> None:
        """A file goes once the database has all of it, the uses in it are written, and the next one is synced."""
        while len(self.files.segments(WRITER)) < 3:
            self.end(user_agent="x" * 3000)
        self.clock.advance(0.5)
        self.assertEqual((len(self.files.segments(WRITER)), self.calls), (1, ["uses", "sync"]))

    def test_uses_cannot_be_written(self) -> None:
        """A file stays as long as the uses in it are not written down."""
        self.written = fail(Unavailable("no"))
        while len(self.files.segments(WRITER)) < 2:
            self.end(user_agent="x" * 3000)
        self.clock.advance(0.5)
        self.assertEqual((len(self.files.segments(WRITER)), self.journal.waiting), (2, 0))
        self.written = None
        self.clock.advance(10)
        self.assertEqual(len(self.files.segments(WRITER)), 1)

    def test_flush(self) -> None:
        """Who asks for it knows that everything is there; or why it is not."""
        self.end()
        self.successResultOf(self.settling.flush())
        self.assertEqual(len(self.records.kept), 1)
        self.end()
        self.records.away = Unavailable("no")
        self.failureResultOf(self.settling.flush(), Unavailable)

    def test_stopped(self) -> None:
        """No timer is left."""
        self.end()
        self.settling.stop()
        self.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])
