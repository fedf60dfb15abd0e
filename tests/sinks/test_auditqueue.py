"""Audit records on their way to one sink."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.record import AuditRecord
from llmproxy.sinks.auditqueue import BATCH, FLUSH_AFTER, REPORT_EVERY, STOP_WITHIN, AuditQueue

from .auditing import Sink, notes, record


class AuditQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = Sink()
        self.logged: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)
        self.queue = self.make()

    def make(self, most: int = 10_000) -> AuditQueue:
        return AuditQueue(self.clock, self.sink, notes(self.clock).lost, most)

    def put(self, *names: str) -> None:
        for name in names:
            self.queue.put(record(name))

    def complaints(self, words: str) -> int:
        return sum(words in str(event.get("log_format")) for event in self.logged)

    def test_in_batches(self) -> None:
        """Records are written together and in order, a moment after the first of them."""
        self.put("a", "b")
        self.assertEqual(self.sink.batches, [])
        self.clock.advance(FLUSH_AFTER)
        self.assertEqual([[each.id for each in batch] for batch in self.sink.batches], [["a", "b"]])
        self.assertEqual((self.queue.written, self.queue.waiting), (2, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """More than a batch goes in several, one after the other."""
        self.put(*map(str, range(BATCH * 2 + 1)))
        self.clock.advance(FLUSH_AFTER)
        self.assertEqual([len(batch) for batch in self.sink.batches], [BATCH, BATCH, 1])
        self.assertEqual(self.sink.ids, [str(number) for number in range(BATCH * 2 + 1)])

    def test_one_at_a_time(self) -> None:
        """What comes while a batch is written waits for it."""
        self.sink.answer = "wait"
        self.put("a")
        self.clock.advance(FLUSH_AFTER)
        self.put("b")
        self.clock.advance(60)
        self.assertEqual(len(self.sink.batches), 1)
        self.sink.answer = None
        self.sink.pending[0].callback(None)
        self.assertEqual(self.sink.ids, ["a", "b"])

    def test_away(self) -> None:
        """A sink that is away is tried again, ever more seldom; then everything is there, once and in order."""
        self.sink.answer = OSError("disk")
        self.put("a")
        self.clock.advance(FLUSH_AFTER)
        waits = []
        for _ in range(9):
            (call,) = self.clock.getDelayedCalls()
            waits.append(call.getTime() - self.clock.seconds())
            self.clock.advance(waits[-1])
        self.assertEqual([round(wait, 3) for wait in waits], [0.5, 1, 2, 4, 8, 16, 30, 30, 30])
        self.assertEqual((self.queue.failures, self.queue.waiting, self.queue.lost), (10, 1, 0))
        self.put("b")
        self.sink.answer = None
        self.clock.advance(30)
        self.assertEqual(self.sink.ids, ["a", "b"])
        self.assertEqual(len(self.sink.batches[-1]), 2)

    def test_reported_once_an_interval(self) -> None:
        """An operator hears that it cannot be written, and not with each attempt."""
        self.sink.answer = OSError("no space")
        self.put("a")
        self.clock.pump([0.1] * int(REPORT_EVERY * 10))
        self.assertEqual(self.complaints("cannot be written"), 1)
        self.clock.pump([1.0] * int(REPORT_EVERY))
        self.assertEqual(self.complaints("cannot be written"), 2)

    def test_full(self) -> None:
        """What does not fit is counted, reported once an interval, and noted in its place when there is room."""
        self.queue = self.make(3)
        self.sink.answer = OSError("away")
        self.put("a", "b", "c", "d", "e")
        self.assertEqual((self.queue.lost, self.queue.waiting), (2, 3))
        self.assertEqual(self.complaints("is full"), 1)
        self.clock.advance(FLUSH_AFTER)
        self.sink.answer = None
        self.clock.advance(1)
        self.assertEqual(self.sink.ids[:3], ["a", "b", "c"])
        lost: AuditRecord = self.sink.kept[3]
        self.assertEqual((lost.action, lost.outcome, lost.details["count"]), ("audit.lost", "error", 2))
        self.put("f")
        self.clock.advance(FLUSH_AFTER)
        self.assertEqual(self.sink.ids[4:], ["f"])

    def test_stop(self) -> None:
        """Stopping writes what waits, then closes."""
        self.put("a")
        self.successResultOf(self.queue.stop())
        self.assertEqual((self.sink.ids, self.sink.closed, self.clock.getDelayedCalls()), (["a"], 1, []))
        self.put("late")
        self.assertEqual((self.queue.lost, self.clock.getDelayedCalls()), (1, []))

    def test_stop_while_writing(self) -> None:
        """A batch under way is waited for, and so is what came behind it."""
        self.sink.answer = "wait"
        self.put("a")
        self.clock.advance(FLUSH_AFTER)
        self.put("b")
        stopping = self.queue.stop()
        self.assertNoResult(stopping)
        self.sink.answer = None
        self.sink.pending[0].callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.sink.ids, ["a", "b"])

    def test_stop_in_vain(self) -> None:
        """A sink that stays away holds nobody up for long; how many records went with it is said."""
        self.sink.answer = OSError("away")
        self.put("a", "b")
        stopping = self.queue.stop()
        self.clock.pump([0.5] * 2)
        self.successResultOf(stopping)
        self.assertEqual((self.queue.lost, self.queue.waiting, self.sink.closed), (2, 0, 1))
        self.assertEqual(self.complaints("at the end"), 1)

    def test_stop_while_it_hangs(self) -> None:
        """A disk that answers nothing holds nobody up either."""
        self.sink.answer = "wait"
        self.put("a")
        stopping = self.queue.stop()
        self.clock.advance(STOP_WITHIN)
        self.successResultOf(stopping)
        self.assertEqual(self.queue.lost, 1)
        self.sink.pending[0].callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
