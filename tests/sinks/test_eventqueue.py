"""The queue of a sink."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Event
from llmproxy.core.events.policy import SinkPolicy
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.core.events.when import When
from llmproxy.sinks.deadletters import DeadLetters
from llmproxy.sinks.eventqueue import LOOKS_EVERY, SPOOLED_AFTER, EventQueue
from llmproxy.sinks.spool import Spool

from ..core.events.samples import event
from .eventing import TakingSink, at_once


def events(*numbers: int) -> list[Event]:
    return [event(number) for number in numbers]


def _no_space() -> int:
    raise OSError(errno.ENOSPC, "no space")


class EventQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = TakingSink()
        self.directory = self.mktemp()

    def make(self, spool: int = 1_000_000, when: When | None = None, **policy: Any) -> EventQueue:
        kept = Spool(os.path.join(self.directory, "spool"), spool) if spool else None
        letters = DeadLetters(os.path.join(self.directory, "dead.jsonl"), 100_000)
        queue = EventQueue(
            self.clock, "hook", self.sink, SinkPolicy(**{"batch": 3, **policy}), at_once, when, kept, letters
        )
        queue.start()
        return queue

    def dead(self) -> list[str]:
        try:
            with open(os.path.join(self.directory, "dead.jsonl")) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    # -- while all is well

    def test_gathers(self) -> None:
        """Events go together, a moment after the first of them, and nothing touches the disk."""
        queue = self.make()
        queue.take(events(1))
        queue.take(events(2))
        self.assertEqual(self.sink.batches, [])
        self.clock.advance(1)
        self.assertEqual(self.sink.batches, [["e-1", "e-2"]])
        self.assertEqual((queue.delivered, queue.waiting, queue.lost), (2, 0, 0))
        self.assertFalse(os.path.exists(self.directory))

    def test_full_batch(self) -> None:
        """A batch that is full waits for nobody; what is left behind it does."""
        queue = self.make()
        queue.take(events(1, 2, 3, 4))
        self.assertEqual(self.sink.batches, [["e-1", "e-2", "e-3"]])
        self.clock.advance(1)
        self.assertEqual(self.sink.batches[1:], [["e-4"]])

    def test_filter(self) -> None:
        """What the sink does not want never comes to its queue."""
        queue = self.make(when=When({"status": ">=400"}))
        queue.take([event(1), event(2, status=500), event(3, kind="budget.soft")])
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, ["e-2"])

    def test_only_exchanges(self) -> None:
        """Alerts go to those who ask for them."""
        queue = self.make()
        queue.take([event(1, kind="budget.soft"), event(2)])
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, ["e-2"])

    # -- failures

    def test_tried_again(self) -> None:
        """What failed comes again, with the same ids, later and later."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1))
        for seconds, tries in ((1, 1), (0.4, 1), (0.1, 2), (0.9, 2), (0.1, 3)):
            self.clock.advance(seconds)
            self.assertEqual(len(self.sink.batches), tries, seconds)
        self.sink.answer = None
        self.clock.advance(2)
        self.assertEqual(set(self.sink.ids), {"e-1"})
        self.assertEqual((queue.delivered, queue.failures, queue.lost, queue.is_failing), (1, 3, 0, False))

    def test_retry_after(self) -> None:
        """A receiver that says when is asked then."""
        self.sink.answer = PassingFailure("busy", retry_after=20)
        queue = self.make()
        queue.take(events(1))
        self.clock.advance(1)
        self.clock.advance(19.9)
        self.assertEqual(len(self.sink.batches), 1)
        self.clock.advance(0.2)
        self.assertEqual(len(self.sink.batches), 2)

    def test_no_answer(self) -> None:
        """A receiver that never answers is given up after a while, and asked again."""
        self.sink.answer = "wait"
        queue = self.make(timeout=30)
        queue.take(events(1))
        self.clock.advance(1)
        self.clock.advance(30)
        self.assertEqual((len(self.sink.batches), queue.failures), (1, 1))
        self.assertIn("no answer within 30 s", queue.delivery.error)
        self.clock.advance(0.5)
        self.assertEqual(len(self.sink.batches), 2)

    def test_partly(self) -> None:
        """What the receiver has of a batch is not sent again."""
        self.sink.answer = PassingFailure("reset", delivered=2)
        queue = self.make()
        queue.take(events(1, 2, 3))
        self.sink.answer = None
        self.clock.advance(1)
        self.assertEqual(self.sink.batches, [["e-1", "e-2", "e-3"], ["e-3"]])
        self.assertEqual(queue.delivered, 3)

    def test_poison(self) -> None:
        """One event that is never taken becomes a dead letter, and takes no other with it."""

        def answer(batch: list[Event]) -> Any:
            return PermanentFailure("answered 422") if any(each.id == "e-2" for each in batch) else None

        self.sink.answer = answer
        queue = self.make(batch=5)
        queue.take(events(1, 2, 3, 4, 5))
        self.clock.advance(1)
        taken = {each for batch in self.sink.batches if "e-2" not in batch for each in batch}
        self.assertEqual(taken, {"e-1", "e-3", "e-4", "e-5"})
        self.assertEqual((queue.delivered, queue.delivery.dead, queue.lost), (4, 1, 0))
        [letter] = self.dead()
        self.assertIn('"reason":"answered 422"', letter)
        self.assertIn('"id":"e-2"', letter)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.directory, "dead.jsonl")).st_mode), 0o600)

    def test_attempts(self) -> None:
        """With a number of attempts a batch that nobody takes ends in the dead letters, and the next has its turn."""
        self.sink.answer = PassingFailure("down")
        queue = self.make(attempts=3, batch=1)
        queue.take(events(1))
        for _ in range(4):
            self.clock.advance(2)
        self.assertEqual((len(self.dead()), queue.delivery.dead), (1, 1))
        self.assertIn("given up after 3 attempts: down", self.dead()[0])

    # -- the disk

    def test_away(self) -> None:
        """While the receiver is away events wait on disk; they come in their order when it is back."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1, 2))
        self.clock.advance(1)
        queue.take(events(*range(3, 50)))
        self.clock.advance(SPOOLED_AFTER)
        self.assertEqual((queue.waiting, queue.spooled), (2, 47))
        del self.sink.batches[:]
        self.sink.answer = None
        self.clock.advance(10)
        self.assertEqual(self.sink.ids, [f"e-{number}" for number in range(1, 50)])
        self.assertEqual((queue.delivered, queue.lost, queue.spooled), (49, 0, 0))
        queue.take(events(50))
        self.clock.advance(1)
        self.assertEqual(self.sink.ids[-1], "e-50")
        self.assertEqual(queue.spooled, 0)

    def test_slow_disk(self) -> None:
        """What is read from a slow disk is read once, whatever else waits for the disk meanwhile."""
        waiting: list[tuple[Any, Deferred[Any]]] = []

        def later(call: Any, *arguments: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            waiting.append((lambda: call(*arguments), done))
            return done

        def run_all() -> None:
            while waiting:
                call, done = waiting.pop(0)
                done.callback(call())

        spool = Spool(os.path.join(self.directory, "spool"), 1_000_000)
        policy = SinkPolicy(batch=3, retry_base=0.1, retry_most=0.1)
        queue = EventQueue(self.clock, "hook", self.sink, policy, later, None, spool, None)  # type: ignore[arg-type]
        self.sink.answer = PassingFailure("away")
        queue.take(events(1))
        self.clock.advance(1)
        queue.take(events(2, 3))
        self.clock.advance(SPOOLED_AFTER)
        run_all()
        self.sink.answer = "wait"
        self.clock.advance(1)
        for number in range(4, 40, 2):
            # A batch is under way, more is written, and what was read is removed behind that.
            queue.take(events(number, number + 1))
            self.clock.advance(SPOOLED_AFTER)
            if self.sink.pending:
                self.sink.pending.pop(0).callback(None)
            run_all()
        while self.sink.pending:
            self.sink.pending.pop(0).callback(None)
            self.clock.advance(1)
            run_all()
        found = [each for each in self.sink.ids if each != "e-1"]
        self.assertEqual(found, [f"e-{number}" for number in range(2, 40)])
        self.assertEqual((queue.delivered, queue.spooled, queue.waiting), (39, 0, 0))

    def test_private(self) -> None:
        """What waits on disk is its owner's alone."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1))
        self.clock.advance(1)
        queue.take(events(2))
        self.clock.advance(SPOOLED_AFTER)
        modes = {
            stat.S_IMODE(os.lstat(os.path.join(where, name)).st_mode)
            for where, _, names in os.walk(os.path.join(self.directory, "spool"))
            for name in names
        }
        self.assertEqual(modes, {0o600})
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.directory, "spool")).st_mode), 0o700)

    def test_memory_is_bounded(self) -> None:
        """A receiver that does not answer fills the memory to its bound, then the disk; the rest is counted."""
        self.sink.answer = "wait"
        queue = self.make(queue=10, spool=20_000, timeout=1000)
        for number in range(200):
            queue.take(events(number))
            self.clock.advance(SPOOLED_AFTER)
        self.assertLessEqual(queue.waiting, 11)
        self.assertLessEqual(queue.spooled_bytes, 20_000)
        self.assertGreater(queue.spooled, 20)
        self.assertEqual(queue.lost + queue.waiting + queue.spooled, 200)

    def test_large_ones(self) -> None:
        """Events with content fill the memory by their size."""
        self.sink.answer = "wait"
        queue = self.make(queue_bytes=1_000_000)
        for number in range(10):
            queue.take(events(number), [400_000])
        self.assertLessEqual(queue.waiting - len(queue._buffer), 2)

    def test_no_directory(self) -> None:
        """Where there can be no spool what comes waits in memory; beyond that it is lost, and counted."""
        os.makedirs(self.directory)
        with open(os.path.join(self.directory, "spool"), "w") as file:
            file.write("in the way")
        self.sink.answer = PassingFailure("down")
        queue = self.make(queue=5)
        queue.take(events(1))
        self.clock.advance(1)
        queue.take(events(2, 3))
        self.clock.advance(SPOOLED_AFTER)
        self.assertEqual((queue.lost, queue.spooled, queue.waiting), (0, 0, 3))
        queue.take(events(4, 5, 6, 7))
        self.clock.advance(SPOOLED_AFTER)
        self.assertEqual((queue.lost, queue.spooled, queue.waiting), (2, 0, 5))
        del self.sink.batches[:]
        self.sink.answer = None
        self.clock.advance(5)
        queue.take(events(8))
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, ["e-1", "e-2", "e-3", "e-4", "e-5", "e-8"])
        self.assertEqual((queue.lost, queue.delivered, queue.waiting), (2, 6, 0))

    def test_disk_fills(self) -> None:
        """What could not be written waits behind what was read, and both are kept when the process ends."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1))
        self.clock.advance(1)
        queue.take(events(2, 3))
        self.clock.advance(SPOOLED_AFTER)
        self.clock.advance(1)
        spool = queue._spool
        assert spool is not None
        append = spool.append
        self.patch(spool, "append", lambda lines: _no_space())
        queue.take(events(4, 5))
        self.clock.advance(SPOOLED_AFTER)
        self.assertEqual((queue.lost, queue.waiting + queue.spooled), (0, 5))
        self.patch(spool, "append", append)
        queue.stop()
        self.clock.pump([1] * 10)
        self.sink = TakingSink()
        again = self.make()
        self.clock.pump([1] * 5)
        self.assertEqual(sorted(set(self.sink.ids)), ["e-1", "e-2", "e-3", "e-4", "e-5"])
        self.assertEqual(again.lost, 0)

    def test_unreadable_disk(self) -> None:
        """A spool that cannot be read is tried again now and then, not all the time, and goes on when it can."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1))
        self.clock.advance(1)
        queue.take(events(2))
        self.successResultOf(queue.stop())
        self.sink = TakingSink()
        reads: list[object] = []

        class Broken(Spool):
            def first(self) -> Any:
                reads.append(1)
                if len(reads) < 4:
                    raise OSError("Input/output error")
                return super().first()

        spool = Broken(os.path.join(self.directory, "spool"), 1_000_000)
        queue = EventQueue(self.clock, "hook", self.sink, SinkPolicy(), at_once, None, spool)
        queue.start()
        self.assertEqual(len(reads), 1)
        for _ in range(5):
            self.clock.advance(1)
        self.assertEqual(self.sink.ids, ["e-1", "e-2"])
        self.successResultOf(queue.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_disk(self) -> None:
        """Without a spool what does not fit is lost, and counted."""
        self.sink.answer = "wait"
        queue = self.make(spool=0, queue=10)
        queue.take(events(*range(8)))
        queue.take(events(*range(8, 20)))
        self.assertEqual((queue.waiting, queue.lost), (10, 10))
        queue = self.make(spool=0, queue_bytes=10_000)
        queue.take(events(*range(5)), [4000] * 5)
        self.assertEqual((queue.waiting, queue.lost), (2, 3))

    # -- the end

    def test_stop_delivers(self) -> None:
        """At the end what waits is delivered, the sink is closed, and no timer is left."""
        queue = self.make()
        queue.take(events(1))
        self.successResultOf(queue.stop())
        self.successResultOf(queue.stop())
        self.assertEqual((self.sink.ids, self.sink.closed), (["e-1"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        queue.take(events(2))
        self.assertEqual(queue.lost, 1)

    def test_restart(self) -> None:
        """What a receiver that was away has not got comes to it from the next process, in its order."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1, 2))
        self.clock.advance(1)
        queue.take(events(3, 4))
        self.successResultOf(queue.stop())
        self.assertEqual(queue.lost, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.sink = TakingSink()
        again = self.make()
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, ["e-1", "e-2", "e-3", "e-4"])
        self.assertEqual((again.delivered, again.spooled), (4, 0))

    def test_killed_while_away(self) -> None:
        """Once a delivery has failed all is on disk: a process that is killed then loses nothing."""
        self.sink.answer = PassingFailure("down")
        spool = Spool(os.path.join(self.directory, "spool"), 1_000_000)
        queue = EventQueue(self.clock, "hook", self.sink, SinkPolicy(batch=3), at_once, None, spool)
        queue.start()
        queue.take(events(*range(1, 9)))
        self.assertEqual((queue.waiting, queue.spooled), (8, 0))
        queue.take(events(9))
        self.clock.advance(SPOOLED_AFTER)
        self.assertEqual(queue.waiting + queue.spooled, 9)
        for descriptor in (spool._lock, spool._fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.clock = Clock()
        self.sink = TakingSink()
        self.make()
        for _ in range(5):
            self.clock.advance(1)
        self.assertEqual(self.sink.ids, [f"e-{number}" for number in range(1, 10)])

    def test_stop_while_draining(self) -> None:
        """A process that stops while it sends what was on disk loses nothing of it."""
        self.sink.answer = PassingFailure("down")
        queue = self.make()
        queue.take(events(1))
        self.clock.advance(1)
        queue.take(events(*range(2, 20)))
        self.successResultOf(queue.stop())
        self.sink = TakingSink()
        left = iter([None, None])
        self.sink.answer = lambda batch: next(left, PassingFailure("down"))
        queue = self.make()
        self.clock.advance(1)
        self.successResultOf(queue.stop())
        self.assertEqual(queue.lost, 0)
        got = set(self.sink.ids[:6])
        self.sink = TakingSink()
        self.make()
        for _ in range(5):
            self.clock.advance(1)
        self.assertEqual(got | set(self.sink.ids), {f"e-{number}" for number in range(1, 20)})

    def test_stop_is_bounded(self) -> None:
        """A receiver that does not answer keeps no process from ending: what it was sent goes to disk."""
        self.sink.answer = "wait"
        queue = self.make()
        queue.take(events(1))
        self.clock.advance(1)
        stopping = queue.stop()
        self.assertNoResult(stopping)
        self.clock.advance(5)
        self.successResultOf(stopping)
        self.sink = TakingSink()
        self.make()
        self.clock.advance(1)
        self.assertEqual(self.sink.ids, ["e-1"])

    def test_taken_at_the_end(self) -> None:
        """What is published while a sink stops is on disk, and counted as lost once it has stopped."""
        calls: list[tuple[Any, Deferred[Any]]] = []

        def later(call: Any, *arguments: Any) -> Deferred[Any]:
            waiting: Deferred[Any] = Deferred()
            waiting.addCallback(lambda _: call(*arguments))
            calls.append((call, waiting))
            return waiting

        spool = Spool(os.path.join(self.directory, "spool"), 1_000_000)
        queue = EventQueue(self.clock, "hook", self.sink, SinkPolicy(), later, None, spool)
        stopping = queue.stop()
        for number in (1, 2):
            queue.take(events(number))
            calls.pop(0)[1].callback(None)
        while calls:
            calls.pop(0)[1].callback(None)
        self.successResultOf(stopping)
        self.assertEqual((queue.lost, spool.count), (0, 2))
        queue.take(events(3))
        self.assertEqual(queue.lost, 1)

    def test_left_by_others(self) -> None:
        """What a process has left that ended while this one ran is sent after a while."""
        queue = self.make()
        other = Spool(os.path.join(self.directory, "spool"), 1_000_000)
        from llmproxy.core.events import encode

        other.append([encode(event(7))])
        other.close()
        self.clock.advance(LOOKS_EVERY)
        self.clock.advance(1)
        self.assertEqual((self.sink.ids, queue.delivered), (["e-7"], 1))
