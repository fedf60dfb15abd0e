"""The queue of a sink under random mishaps: whatever happens in whatever order, nothing is lost or left over."""

from __future__ import annotations

import glob
import os
import random
import re
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.policy import SinkPolicy
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.sinks.deadletters import DeadLetters
from llmproxy.sinks.eventqueue import EventQueue
from llmproxy.sinks.spool import Spool

from ..core.events.samples import event
from ..properties import examples
from .eventing import TakingSink

SEQUENCES, STEPS = examples(150), 60


class Life:
    """
    One sink over several processes.

    @ivar got: the numbers of events that the receiver has taken; C{dead} those that it never takes.
    """

    def __init__(self, chance: random.Random, directory: str) -> None:
        self.chance = chance
        self.directory = directory
        self.clock = Clock()
        self.sent = 0
        self.got: list[int] = []
        self.poison: set[int] = set()
        self.mood = "well"
        self.threads: list[Deferred[Any]] = []
        self.queues: list[EventQueue] = []
        self.forgotten: set[int] = set()
        self.begin()

    def begin(self) -> None:
        """A process starts."""
        self.sink = TakingSink()
        self.sink.answer = self.answer
        policy = SinkPolicy(batch=self.chance.choice((1, 3, 10)), queue=self.chance.choice((5, 20, 1000)))
        self.spool = spool = Spool(os.path.join(self.directory, "spool"), 10_000_000)
        letters = DeadLetters(os.path.join(self.directory, "dead.jsonl"), 10_000_000)
        self.queue = EventQueue(self.clock, "hook", self.sink, policy, self.run, None, spool, letters)
        self.queues.append(self.queue)
        self.queue.start()

    def run(self, call: Any, *arguments: Any) -> Deferred[Any]:
        """A thread that is sometimes quick."""
        if not self.threads and self.chance.random() < 0.5:
            return execute(call, *arguments)
        waiting: Deferred[Any] = Deferred()
        waiting.addCallback(lambda _: call(*arguments))
        self.threads.append(waiting)
        return waiting

    def answer(self, batch: Any) -> Any:
        numbers = [int(each.id[2:]) for each in batch]
        if self.mood == "silent":
            return "wait"
        if self.mood == "away":
            return PassingFailure("away", delivered=0)
        if self.poison & set(numbers):
            return PermanentFailure("never")
        if self.mood == "shaky" and self.chance.random() < 0.5:
            some = self.chance.randrange(len(numbers) + 1)
            self.got += numbers[:some]
            return PassingFailure("shaky", delivered=some)
        self.got += numbers
        return None

    def step(self) -> None:
        """Something happens."""
        what = self.chance.random()
        if what < 0.4:
            count = self.chance.choice((1, 2, 7, 30))
            numbers = range(self.sent, self.sent + count)
            self.sent += count
            self.poison |= {number for number in numbers if self.chance.random() < 0.03}
            self.queue.take([event(number) for number in numbers])
        elif what < 0.6:
            self.clock.advance(self.chance.choice((0.05, 0.3, 1.1, 5.0)))
        elif what < 0.75:
            self.work()
        elif what < 0.9:
            self.mood = self.chance.choice(("well", "well", "away", "shaky", "silent"))
        elif what < 0.97:
            self.end()
            self.begin()
        else:
            self.kill()
            self.begin()

    def work(self) -> None:
        """The threads do something."""
        for _ in range(self.chance.randrange(1, 4)):
            if self.threads:
                self.threads.pop(0).callback(None)

    def end(self) -> None:
        """The process stops, and takes its time."""
        stopped: list[object] = []
        self.queue.stop().addCallback(stopped.append)
        for _ in range(1000):
            if stopped:
                return
            self.clock.advance(0.5)
            self.work()
        raise AssertionError("it does not stop")

    def kill(self) -> None:
        """The process ends as it stands: what is in its memory, and what its threads were to do, is gone."""
        stands = b"".join(
            Path(each).read_bytes() for each in glob.glob(os.path.join(self.directory, "spool/*/*.jsonl"))
        )
        kept = {int(number) for number in re.findall(rb'"id":"e-(\d+)"', stands)}
        self.forgotten |= set(range(self.sent)) - kept - set(self.got) - self.poison
        self.killed_well(kept)
        self.threads.clear()
        for descriptor in (self.spool._lock, self.spool._fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.clock = Clock()

    def killed_well(self, kept: set[int]) -> None:
        """Where a delivery has failed and the threads had nothing to do, nothing is in memory alone."""
        queue = self.queue
        if queue.is_failing and not self.threads and not queue._buffer and not queue._queue._under_way:
            alone = {int(each.id[2:]) for each in queue._queue.peek_all()} - kept
            assert not alone, alone

    def settle(self) -> None:
        """All is well, for long."""
        self.mood = "well"
        for _ in range(400):
            self.clock.advance(2)
            self.work()


class RandomTests(SynchronousTestCase):
    def test_nothing_is_lost(self) -> None:
        """Every event is taken or a dead letter, in the end, whatever its receiver, the disk and its process did."""
        for seed in range(SEQUENCES):
            life = Life(random.Random(seed), self.mktemp())
            for _ in range(STEPS):
                life.step()
            life.settle()
            lost = sum(queue.lost for queue in life.queues)
            dead = sum(queue.delivery.dead for queue in life.queues)
            missing = set(range(life.sent)) - set(life.got) - life.poison - life.forgotten
            self.assertEqual((missing, lost), (set(), 0), seed)
            self.assertTrue(dead >= len(life.poison) or life.queues[:-1], seed)
            self.assertEqual((life.queue.waiting, life.queue.spooled, life.queue._held.total), (0, 0, 0), seed)
            life.end()
            self.assertEqual(life.clock.getDelayedCalls(), [], seed)
