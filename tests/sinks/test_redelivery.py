"""Tests for L{llmproxy.sinks.redelivery}."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Event
from llmproxy.core.events.encoding import encode
from llmproxy.core.events.event import EXCHANGE
from llmproxy.core.events.letters import Redelivered
from llmproxy.core.events.notices import notice
from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, Receipt
from llmproxy.sinks.deadletters import DeadLetters
from llmproxy.sinks.redelivery import WITHIN, Redelivery, UnderWay

NOW = 1_800_000_000.0


class Receiver:
    """
    Takes what it is asked to take.

    @ivar taken: paths of the events that it has, in their order.
    """

    def __init__(self, answer: Callable[[Sequence[Event]], Any] = lambda batch: Receipt(200, "ok")) -> None:
        self._answer = answer
        self.taken: list[str] = []
        self.batches: list[int] = []

    def deliver(self, batch: Sequence[Event]) -> Deferred[Any]:
        self.batches.append(len(batch))
        found = self._answer(batch)
        if isinstance(found, Deferred):
            return found
        if isinstance(found, Exception):
            taken = getattr(found, "delivered", 0)
            self.taken += [each.path for each in batch[:taken]]
            raise found
        self.taken += [each.path for each in batch]
        return succeed(found)


class RedeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.path = os.path.join(self.mktemp(), "hook.dead.jsonl")
        self.letters = DeadLetters(self.path, 1_000_000)

    def bury(self, *paths: str, time: str = "2026-01-01T00:00:00+00:00") -> None:
        events = [encode(notice(EXCHANGE, NOW, path=path)) for path in paths]
        self.letters.append(events, "answered 422", time)

    def send(self, receiver: Receiver, batch: int = 4, **more: Any) -> Redelivered:
        sending: Redelivered = self.successResultOf(
            Deferred.fromCoroutine(self.redelivery(receiver, batch).send(**more))
        )
        return sending

    def redelivery(self, receiver: Any, batch: int = 4) -> Redelivery:
        return Redelivery(self.clock, receiver, self.letters, execute, batch, 10.0)

    def left(self) -> list[str]:
        """Paths of the events that are letters still."""
        if not os.path.exists(self.path):
            return []
        with open(self.path) as file:
            return [json.loads(line)["event"]["path"] for line in file]

    def test_taken(self) -> None:
        """All of them, in their order and in batches; then there are none."""
        self.bury(*"abcdefghi")
        receiver = Receiver()
        self.assertEqual(self.send(receiver), Redelivered(9, 0, 0, "", "200 ok"))
        self.assertEqual(("".join(receiver.taken), receiver.batches), ("abcdefghi", [4, 4, 1]))
        self.assertEqual(self.left(), [])
        self.assertEqual(self.send(receiver), Redelivered())

    def test_refused_again(self) -> None:
        """What is still refused stays, with the new reason, and takes no other with it; nothing is sent twice."""
        self.bury(*"abcdefg")
        refused = PermanentFailure("answered 422 still", receipt=Receipt(422, "still"))
        receiver = Receiver(lambda batch: refused if {"b", "f"} & {each.path for each in batch} else Receipt(200))
        found = self.send(receiver)
        self.assertEqual((found.delivered, found.refused, found.left, found.error), (5, 2, 0, ""))
        self.assertEqual(sorted(receiver.taken), sorted("acdeg"))
        self.assertEqual(self.left(), ["b", "f"])
        self.assertEqual(self.letters.kept().reasons, (("answered 422 still", 2),))

    def test_in_part(self) -> None:
        """Of a batch the first few may be taken: only the others are sent again."""
        self.bury(*"abcd")
        answers = iter([PermanentFailure("no", delivered=2), PermanentFailure("no"), Receipt(200)])
        found = self.send(Receiver(lambda batch: next(answers)))
        self.assertEqual((found.delivered, found.refused), (3, 1))
        self.assertEqual(self.left(), ["c"])

    def test_away(self) -> None:
        """A receiver that is away ends the turn: what it has not taken is left as it was, the reason too."""
        self.bury(*"abcdef")
        answers = iter([Receipt(200), PassingFailure("answered 503", delivered=1)])
        found = self.send(Receiver(lambda batch: next(answers)), batch=3)
        self.assertEqual(found, Redelivered(4, 0, 2, "answered 503", "200"))
        self.assertEqual(self.left(), ["e", "f"])
        self.assertEqual(self.letters.kept().reasons, (("answered 422", 2),))

    def test_silent(self) -> None:
        """One that says nothing is waited for within bounds."""
        self.bury("a")
        sending = Deferred.fromCoroutine(self.redelivery(Receiver(lambda batch: Deferred())).send())
        self.assertNoResult(sending)
        self.clock.advance(10.0)
        found = self.successResultOf(sending)
        self.assertEqual((found.delivered, found.left, found.error), (0, 1, "no answer within 10 s"))

    def test_slow(self) -> None:
        """A turn is bounded in time, and says that it has not come to its end."""
        self.bury(*"abcdef")

        def slowly(batch: Sequence[Event]) -> Receipt:
            self.clock.advance(WITHIN / 2)
            return Receipt(200)

        found = self.send(Receiver(slowly), batch=1)
        self.assertEqual((found.delivered, found.left), (2, 4))
        self.assertIn("no time", found.error)

    def test_bounded(self) -> None:
        """At most so many, and only those of before: several turns with one time meet no letter twice."""
        self.bury(*"abcd")
        self.bury("z", time="2099-01-01T00:00:00+00:00")
        refusing = Receiver(lambda batch: PermanentFailure("no"))
        before = "2030-01-01T00:00:00+00:00"
        turns = [self.send(refusing, limit=3, before=before) for _ in range(3)]
        self.assertEqual([(each.refused, each.left) for each in turns], [(3, 1), (1, 0), (0, 0)])

    def test_same_event(self) -> None:
        """An event that stands there twice is sent once."""
        event = encode(notice(EXCHANGE, NOW, path="a"))
        for _ in range(3):
            self.letters.append([event], "no", "2026-01-01T00:00:00+00:00")
        receiver = Receiver()
        self.assertEqual((self.send(receiver).delivered, receiver.taken, self.left()), (1, ["a"], []))

    def test_no_event(self) -> None:
        """What is no event that we know stays, and says so."""
        self.letters.append([b'{"id":"x","schema_version":99}'], "no", "2026-01-01T00:00:00+00:00")
        self.bury("a")
        found = self.send(Receiver())
        self.assertEqual((found.delivered, found.refused), (1, 1))
        self.assertEqual(self.letters.kept().reasons, (("this is no event", 1),))

    def test_one_at_a_time(self) -> None:
        """Two who ask at once do not send twice: the second is refused, and may ask later."""
        self.bury("a")
        waiting: Deferred[Receipt] = Deferred()
        first = Deferred.fromCoroutine(self.redelivery(Receiver(lambda batch: waiting)).send())
        second = Deferred.fromCoroutine(self.redelivery(Receiver()).send())
        self.failureResultOf(second, UnderWay)
        waiting.callback(Receipt(200))
        self.assertEqual(self.successResultOf(first).delivered, 1)
        self.assertEqual(self.send(Receiver()), Redelivered())

    def test_cancelled(self) -> None:
        """Who leaves meanwhile keeps nobody else from it."""
        self.bury("a")
        sending = Deferred.fromCoroutine(self.redelivery(Receiver(lambda batch: Deferred())).send())
        sending.addErrback(lambda _: None)
        sending.cancel()
        self.assertEqual(self.send(Receiver()).delivered, 1)
