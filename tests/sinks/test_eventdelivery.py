"""The delivery of batches; what becomes of them in a queue is in C{test_eventqueue}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.policy import SinkPolicy
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, Receipt
from llmproxy.sinks.deadletters import DeadLetters
from llmproxy.sinks.eventdelivery import EventDelivery

from ..core.events.samples import event
from .eventing import TakingSink, at_once


class EventDeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = TakingSink()

    def make(self, letters: DeadLetters | None = None) -> EventDelivery:
        return EventDelivery(self.clock, "hook", self.sink, SinkPolicy(), letters, at_once)

    def test_receipt(self) -> None:
        """What the receiver said last is known, and when it took something."""
        self.clock.advance(5)
        delivery = self.make()
        self.successResultOf(delivery.write([event(1)]))
        self.assertEqual((delivery.receipt, delivery.delivered_at, delivery.error), (Receipt(200, "ok"), 5, ""))

    def test_error(self) -> None:
        """So is what it failed with, until something is taken."""
        self.sink.answer = PassingFailure("answered 503", receipt=Receipt(503, "busy"))
        delivery = self.make()
        self.failureResultOf(delivery.write([event(1)]), PassingFailure)
        self.assertEqual((delivery.error, str(delivery.receipt)), ("answered 503", "503 busy"))
        self.sink.answer = None
        self.successResultOf(delivery.write([event(1)]))
        self.assertEqual(delivery.error, "")

    def test_nowhere_for_letters(self) -> None:
        """What is never taken, and has no dead letters to end in, is counted as lost."""
        self.sink.answer = PermanentFailure("answered 400")
        for letters in (None, DeadLetters("/proc/nowhere/dead.jsonl", 1000)):
            delivery = self.make(letters)
            self.successResultOf(delivery.write([event(1)]))
            self.assertEqual((delivery.lost, delivery.dead), (1, 0), letters)

    def test_raises(self) -> None:
        """A sink that raises at once is tried again like one that fails."""

        def broken(batch: object) -> None:
            raise RuntimeError("oops")

        self.sink.answer = broken
        self.failureResultOf(self.make().write([event(1)]), RuntimeError)

    def test_closed_meanwhile(self) -> None:
        """What is under way at the end is given up."""
        cancelled: list[object] = []
        waiting: Deferred[Receipt | None] = Deferred(cancelled.append)
        self.sink.deliver = lambda batch: waiting  # type: ignore[method-assign]
        delivery = self.make()
        writing = delivery.write([event(1)])
        self.successResultOf(delivery.close())
        self.assertEqual((len(cancelled), self.sink.closed), (1, 1))
        self.failureResultOf(writing)
        self.assertEqual(self.clock.getDelayedCalls(), [])
