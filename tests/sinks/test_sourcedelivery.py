"""From a source to a sink, with nothing acknowledged too early."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.core.events import encode
from llmproxy.core.events.policy import SinkPolicy
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure
from llmproxy.core.events.sourced import Sourced
from llmproxy.core.events.when import When
from llmproxy.interfaces.events import IEventSource
from llmproxy.sinks.deadletters import DeadLetters
from llmproxy.sinks.sourcedelivery import SourceDelivery

from ..core.events.samples import event
from .eventing import TakingSink, at_once


@implementer(IEventSource)
class FakeSource:
    """
    @ivar asked: how many each read was for.
    @ivar acknowledged: ids.
    @ivar failure: what a read fails with.
    """

    def __init__(self) -> None:
        verifyObject(IEventSource, self)
        self.asked: list[int] = []
        self.acknowledged: list[str] = []
        self.failure: Exception | None = None
        self.closed = 0
        self._there: list[Sourced] = []
        self._waiting: Deferred[Sequence[Sourced]] | None = None

    def publish(self, *events: Sourced) -> None:
        self._there += events
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(self._some(self.asked[-1]))

    def publish_numbers(self, *numbers: int, **more: Any) -> None:
        self.publish(*(sourced(number, **more) for number in numbers))

    def read(self, most: int) -> Deferred[Sequence[Sourced]]:
        assert most > 0 and self._waiting is None and not self.closed
        self.asked.append(most)
        if self.failure is not None:
            return fail(self.failure)
        if self._there:
            return succeed(self._some(most))
        self._waiting = Deferred(self._gone)
        return self._waiting

    def acknowledge(self, ids: Sequence[str]) -> Deferred[None]:
        assert ids and not self.closed
        self.acknowledged += ids
        return succeed(None)

    def waiting(self) -> Deferred[int]:
        return succeed(0)

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)

    def _gone(self, _: object) -> None:
        self._waiting = None

    def _some(self, most: int) -> list[Sourced]:
        found, self._there = self._there[:most], self._there[most:]
        return found


def sourced(number: int, deliveries: int = 1, **values: Any) -> Sourced:
    one = event(number, **values)
    return Sourced(f"s-{number}", one, encode(one), deliveries)


class DeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.source, self.sink = FakeSource(), TakingSink()
        self.path = self.mktemp()
        self.run: Any = at_once

    def start(self, when: Any = None, held: int = 10, **policy: Any) -> SourceDelivery:
        made = SinkPolicy(**{"batch": 2, "flush_interval": 1.0, **policy})
        letters = DeadLetters(self.path, 1 << 20)

        def run(call: Any, *arguments: Any) -> Deferred[Any]:
            result: Deferred[Any] = self.run(call, *arguments)
            return result

        delivery = SourceDelivery(
            self.clock, "log", self.source, self.sink, made, run, letters, When(when), held, deliveries=3, reads=2
        )
        delivery.start()
        return delivery

    def letters(self) -> list[Any]:
        return [json.loads(line) for line in Path(self.path).read_text().splitlines()]

    def test_acknowledged_when_delivered(self) -> None:
        """Nothing is acknowledged that the sink has not."""
        delivery = self.start()
        self.sink.answer = "wait"
        self.source.publish_numbers(1, 2)
        self.assertEqual((self.sink.batches, self.source.acknowledged), ([["e-1", "e-2"]], []))
        self.sink.pending[0].callback(None)
        self.assertEqual(self.source.acknowledged, ["s-1", "s-2"])
        self.assertEqual((delivery.received, delivery.delivered, delivery.held, delivery.error), (2, 2, 0, ""))

    def test_flush_interval(self) -> None:
        """A single event waits for others, and not for ever."""
        self.start()
        self.source.publish_numbers(1)
        self.assertEqual(self.sink.batches, [])
        self.clock.advance(1.0)
        self.assertEqual((self.sink.ids, self.source.acknowledged), (["e-1"], ["s-1"]))

    def test_redelivered(self) -> None:
        """What comes again waits for nothing: nothing else may be read before it is delivered."""
        self.start()
        self.source.publish(sourced(1, deliveries=2))
        self.assertEqual(self.source.acknowledged, ["s-1"])

    def test_away(self) -> None:
        """What a receiver cannot take now is kept, tried again, and acknowledged then."""
        delivery = self.start()
        self.sink.answer = PassingFailure("away")
        self.source.publish_numbers(1, 2)
        self.assertTrue(delivery.is_failing)
        self.assertEqual(self.source.acknowledged, [])
        self.sink.answer = None
        self.clock.advance(0.5)
        self.assertEqual((self.source.acknowledged, delivery.is_failing), (["s-1", "s-2"], False))

    def test_bounded(self) -> None:
        """While the receiver is away no more is read than may be held."""
        delivery = self.start(held=3)
        self.sink.answer = PassingFailure("away")
        self.source.publish_numbers(*range(1, 10))
        self.assertEqual((self.source.asked, delivery.held), ([2, 1], 3))
        self.sink.answer = None
        self.clock.pump([0.5, 1.0, 1.0, 1.0, 1.0])
        self.assertEqual(len(self.source.acknowledged), 9)

    def test_bounded_bytes(self) -> None:
        """Nor more bytes, but for those of one read."""
        delivery = self.start(queue_bytes=300)
        self.sink.answer = PassingFailure("away")
        self.source.publish_numbers(*range(1, 10), path="/" + "x" * 200)
        self.assertEqual(delivery.held, 2)
        self.sink.answer = None
        self.clock.pump([0.5] + [1.0] * 9)
        self.assertEqual(len(self.source.acknowledged), 9)

    def test_poisoned_content(self) -> None:
        """What the receiver never takes becomes a dead letter, and is acknowledged; its neighbours are delivered."""
        delivery = self.start(batch=4)

        def answer(batch: Any) -> Any:
            return PermanentFailure("no") if any(each.id == "e-2" for each in batch) else None

        self.sink.answer = answer
        self.source.publish_numbers(1, 2, 3, 4)
        self.clock.pump([1.0] * 3)
        self.assertEqual(sorted(self.source.acknowledged), ["s-1", "s-2", "s-3", "s-4"])
        self.assertEqual([(each["event"]["id"], each["reason"]) for each in self.letters()], [("e-2", "no")])
        self.assertEqual((delivery.delivered, delivery.dead), (3, 1))

    def test_poisoned_deliveries(self) -> None:
        """What was delivered too often, and never done with, is not tried again."""
        delivery = self.start()
        self.source.publish(sourced(1, deliveries=3), sourced(2, deliveries=4))
        self.clock.advance(1.0)
        self.assertEqual((self.sink.ids, sorted(self.source.acknowledged)), (["e-1"], ["s-1", "s-2"]))
        [letter] = self.letters()
        self.assertEqual(letter["event"]["id"], "e-2")
        self.assertIn("delivered 3 times", letter["reason"])
        self.assertEqual((delivery.poisoned, delivery.dead, delivery.delivered), (1, 1, 1))

    def test_no_event(self) -> None:
        """What cannot be read stands in the dead letters as it came."""
        self.start()
        self.source.publish(Sourced("s-1", None, b'{"half'), Sourced("s-2", None, b"\xff"))
        self.assertEqual([each["event"] for each in self.letters()], ['{"half', "\ufffd"])
        self.assertEqual(self.source.acknowledged, ["s-1", "s-2"])

    def test_no_dead_letters(self) -> None:
        """While they cannot be written, a poisoned event is not acknowledged: it would be nowhere."""
        self.start()
        self.run = lambda call, *arguments: fail(OSError("disk full"))
        self.source.publish(Sourced("s-1", None, b"x"))
        self.clock.pump([0.1] * 10)
        self.assertEqual(self.source.acknowledged, [])
        self.run = at_once
        self.clock.pump([0.5] * 5)
        self.assertEqual((self.source.acknowledged, len(self.letters())), (["s-1"], 1))

    def test_neighbours_of_poison(self) -> None:
        """What comes with a poisoned event does not wait for its burial, and each is acknowledged for itself."""
        self.start()
        self.run = lambda call, *arguments: fail(RuntimeError("no thread"))
        self.source.publish(sourced(1), Sourced("s-2", None, b"x"), sourced(3, deliveries=9), sourced(4))
        self.clock.advance(1.0)
        self.assertEqual((self.sink.ids, self.source.acknowledged), (["e-1"], ["s-1"]))
        self.run = at_once
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.source.acknowledged, ["s-1", "s-2", "s-3", "s-4"])
        self.assertEqual(len(self.letters()), 2)

    def test_no_dead_letters_of_a_sink(self) -> None:
        """The same for one that the receiver has refused."""
        self.start(batch=1, flush_interval=0.0)
        self.sink.answer = PermanentFailure("no")
        Path(self.path).mkdir()
        self.source.publish_numbers(1)
        self.clock.pump([0.1] * 10)
        self.assertEqual(self.source.acknowledged, [])
        Path(self.path).rmdir()
        self.clock.pump([1.0] * 5)
        self.assertEqual((self.source.acknowledged, len(self.letters())), (["s-1"], 1))

    def test_passed_over(self) -> None:
        """What the sink does not want is done with."""
        delivery = self.start(when={"status": ">=400"})
        self.source.publish(sourced(1), sourced(2, status=500), sourced(3, kind="audit.login"))
        self.clock.advance(1.0)
        self.assertEqual(self.sink.ids, ["e-2"])
        self.assertEqual((sorted(self.source.acknowledged), delivery.passed_over), (["s-1", "s-2", "s-3"], 2))

    def test_source_away(self) -> None:
        """A source that fails is asked again, a little later each time, and says why until then."""
        self.source.failure = ConnectionError("no Redis")
        delivery = self.start()
        self.clock.pump([0.1] * 100)
        self.assertLess(len(self.source.asked), 15)
        self.assertEqual(delivery.error, "no Redis")
        self.source.failure = None
        self.source.publish_numbers(1, 2)
        self.clock.advance(2.0)
        self.assertEqual((self.source.acknowledged, delivery.error), (["s-1", "s-2"], ""))

    def test_stop(self) -> None:
        """The end delivers what was read, then closes sink and source; nothing more is read."""
        delivery = self.start()
        self.source.publish_numbers(1)
        self.successResultOf(delivery.stop())
        self.assertEqual((self.sink.ids, self.source.acknowledged), (["e-1"], ["s-1"]))
        self.assertEqual((self.sink.closed, self.source.closed, self.clock.getDelayedCalls()), (1, 1, []))

    def test_stop_in_vain(self) -> None:
        """What cannot be delivered at the end is not acknowledged, and the end comes all the same."""
        for answer in (PassingFailure("away"), "wait"):
            self.setUp()
            delivery = self.start()
            self.sink.answer = answer
            self.source.publish_numbers(1, 2, 3)
            stopped = delivery.stop()
            self.clock.pump([1.0] * 12)
            self.successResultOf(stopped)
            self.assertEqual((self.source.acknowledged, self.source.closed), ([], 1), answer)
            self.assertEqual(self.clock.getDelayedCalls(), [], answer)

    def test_stop_while_waiting(self) -> None:
        """It ends while it waits for room, for a source, for a disk."""
        delivery = self.start(held=2)
        self.sink.answer = "wait"
        self.source.publish_numbers(1, 2, 3)
        stopped = delivery.stop()
        self.clock.pump([5.0, 5.0])
        self.successResultOf(stopped)
        self.setUp()
        self.source.failure = ConnectionError("no Redis")
        self.successResultOf(self.start().stop())
        self.setUp()
        self.run = lambda call, *arguments: fail(OSError("disk full"))
        delivery = self.start()
        self.source.publish(Sourced("s-1", None, b"x"))
        self.successResultOf(delivery.stop())
        self.assertEqual((self.source.acknowledged, self.clock.getDelayedCalls()), ([], []))
