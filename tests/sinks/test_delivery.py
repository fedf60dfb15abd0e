"""A delivery queue, with audit records on their way to one sink."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.record import AuditRecord
from llmproxy.core.delivery import DeliveryPolicy
from llmproxy.sinks.audit import audit_queue
from llmproxy.sinks.delivery import DeliveryQueue

from .auditing import Sink, notes, record

POLICY = DeliveryPolicy()


class DeliveryQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = Sink()
        self.logged: list[dict[str, object]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)
        self.queue = self.make()

    def make(self, **policy: Any) -> DeliveryQueue[AuditRecord]:
        return audit_queue(self.clock, self.sink, notes(self.clock), DeliveryPolicy(**policy))

    def put(self, *names: str) -> None:
        for name in names:
            self.queue.put(record(name))

    def complaints(self, words: str) -> int:
        return sum(words in str(event.get("log_format")) for event in self.logged)

    def test_in_batches(self) -> None:
        """Records are written together and in order, a moment after the first of them."""
        self.put("a", "b")
        self.assertEqual(self.sink.batches, [])
        self.clock.advance(POLICY.gather_for)
        self.assertEqual([[each.id for each in batch] for batch in self.sink.batches], [["a", "b"]])
        self.assertEqual((self.queue.delivered, self.queue.waiting), (2, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """More than a batch goes in several, one after the other."""
        self.put(*map(str, range(POLICY.batch * 2 + 1)))
        self.clock.advance(POLICY.gather_for)
        self.assertEqual([len(batch) for batch in self.sink.batches], [POLICY.batch, POLICY.batch, 1])
        self.assertEqual(self.sink.ids, [str(number) for number in range(POLICY.batch * 2 + 1)])

    def test_one_at_a_time(self) -> None:
        """What comes while a batch is written waits for it."""
        self.sink.answer = "wait"
        self.put("a")
        self.clock.advance(POLICY.gather_for)
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
        self.clock.advance(POLICY.gather_for)
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
        self.clock.pump([0.1] * int(POLICY.report_every * 10))
        self.assertEqual(self.complaints("cannot be written"), 1)
        self.clock.pump([1.0] * int(POLICY.report_every))
        self.assertEqual(self.complaints("cannot be written"), 2)

    def test_full(self) -> None:
        """What does not fit is counted, reported once an interval, and noted in its place when there is room."""
        self.queue = self.make(most_waiting=3)
        self.sink.answer = OSError("away")
        self.put("a", "b", "c", "d", "e")
        self.assertEqual((self.queue.lost, self.queue.waiting), (2, 3))
        self.assertEqual(self.complaints("is full"), 1)
        self.clock.advance(POLICY.gather_for)
        self.sink.answer = None
        self.clock.advance(1)
        self.assertEqual(self.sink.ids[:3], ["a", "b", "c"])
        lost: AuditRecord = self.sink.kept[3]
        self.assertEqual((lost.action, lost.outcome, lost.details["count"]), ("audit.lost", "error", 2))
        self.put("f")
        self.clock.advance(POLICY.gather_for)
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
        self.clock.advance(POLICY.gather_for)
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
        self.clock.advance(POLICY.stop_within)
        self.successResultOf(stopping)
        self.assertEqual(self.queue.lost, 1)
        self.sink.pending[0].callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_again(self) -> None:
        """Stopping twice closes once; both are told when it has ended, and so is one who asks later."""
        self.sink.answer = "wait"
        self.put("a")
        self.clock.advance(POLICY.gather_for)
        first, second = self.queue.stop(), self.queue.stop()
        self.sink.answer = None
        self.sink.pending[0].callback(None)
        for each in (first, second, self.queue.stop()):
            self.assertIsNone(self.successResultOf(each), each)
        self.assertEqual((self.sink.closed, self.clock.getDelayedCalls()), (1, []))

    def test_at_most_once(self) -> None:
        """With one attempt, what failed is never sent again; a sink that is away is asked as seldom as otherwise."""
        self.queue = self.make(attempts=1, batch=1)
        self.sink.answer = OSError("away")
        self.put("a", "b")
        self.clock.advance(POLICY.gather_for)
        self.clock.advance(0.4)
        self.assertEqual([[each.id for each in batch] for batch in self.sink.batches], [["a"]])
        self.clock.advance(0.1)
        self.sink.answer = None
        self.assertEqual(([each.id for each in self.sink.batches[1]], self.queue.lost), (["b"], 2))
        self.put("c")
        self.clock.advance(1)
        mark = self.sink.kept[0]
        self.assertEqual((mark.action, mark.details["count"]), ("audit.lost", 1))
        self.assertEqual(self.sink.ids.count("a") + self.sink.ids.count("b"), 0)
        self.assertIn("c", self.sink.ids)

    def test_stop_while_away(self) -> None:
        """However long a sink was away: once the queue stops it is asked a few times more."""
        self.sink.answer = OSError("away")
        self.put("a")
        self.clock.advance(POLICY.gather_for)
        self.clock.pump([30.0] * 10)
        before = len(self.sink.batches)
        stopping = self.queue.stop()
        self.clock.pump([0.5])
        self.assertNoResult(stopping)
        self.sink.answer = None
        self.clock.pump([0.5])
        self.successResultOf(stopping)
        self.assertEqual((len(self.sink.batches) - before, self.sink.ids), (3, ["a"]))

    def test_one_by_one(self) -> None:
        """As many batches as fit into a queue are handed over without a stack that grows with them."""
        self.queue = self.make(batch=1)
        self.put(*map(str, range(5_000)))
        self.clock.advance(POLICY.gather_for)
        self.assertEqual((self.queue.delivered, self.queue.waiting), (5_000, 0))

    def test_flush(self) -> None:
        """A flush fires when what is there is delivered, or could not be; it does not wait for a sink that is away."""
        self.sink.answer = "wait"
        self.put("a")
        flushing, left = self.queue.flush(), self.queue.flush()
        self.assertNoResult(flushing)
        left.cancel()
        self.failureResultOf(left)
        self.put("b")
        self.sink.answer = OSError("away")
        self.sink.pending[0].callback(None)
        self.assertIsNone(self.successResultOf(flushing))
        self.assertIsNone(self.successResultOf(self.queue.flush()))
        self.assertEqual(self.queue.waiting, 1)

    def test_close_hangs(self) -> None:
        """A sink that does not even close holds nobody up, and is said; what comes of it later does nothing more."""
        closing: Deferred[None] = Deferred()
        self.sink.closing = closing
        stopping = self.queue.stop()
        self.clock.advance(POLICY.stop_within - 1)
        self.assertNoResult(stopping)
        self.clock.advance(1)
        self.successResultOf(stopping)
        self.assertEqual(self.complaints("does not close"), 1)
        closing.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
