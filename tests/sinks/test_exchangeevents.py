"""The events of exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events import Content, Event
from llmproxy.core.events.policy import PLAIN_SIZE
from llmproxy.interfaces import IRecordSink
from llmproxy.sinks.eventbus import EventBus
from llmproxy.sinks.exchangeevents import ExchangeEvents

from ..core.events.samples import full_record
from .eventing import at_once


@frozen
class Caught:
    size: int = 10
    result: object = Content(request_body="hello")
    weight: int = 0

    def content(self) -> object:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class ExchangeEventsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bus = EventBus(Clock())
        self.got: list[Event] = []
        self.sizes: list[int] = []
        self.bus.subscribe(self.take)

    def take(self, events: Sequence[Event], sizes: Sequence[int] | None) -> None:
        self.got.extend(events)
        self.sizes.extend(sizes or [])

    def make(self, run: Any = at_once, most: int = 100) -> ExchangeEvents:
        made = ExchangeEvents(Clock(), self.bus, run, most)
        verifyObject(IRecordSink, made)
        return made

    def test_plain(self) -> None:
        """A record becomes an event, with no thread."""
        self.make(run=None).record_batch([full_record(), full_record(entry_id="2")])
        self.assertEqual([each.id for each in self.got], [full_record().entry_id, "2"])

    def test_with_content(self) -> None:
        """What was captured is read on a thread, and is let go of then."""
        record = full_record(captured=Caught())
        self.make().record_batch([record, full_record()])
        self.assertEqual(
            [None if each.content is None else each.content.request_body for each in self.got], ["hello", None]
        )
        self.assertIsNone(record.captured)
        self.assertGreater(self.sizes[0], 1000)

    def test_unreadable(self) -> None:
        """What cannot be read costs its content, never the event; what the fault quotes is not logged."""
        made = self.make()
        made.record_batch(
            [full_record(captured=Caught(result=ValueError("my secret"))), full_record(captured=Caught())]
        )
        self.assertEqual([each.content.request_omitted for each in self.got if each.content], ["undecodable", ""])
        self.assertEqual(made.without_content, 1)

    def test_bounded(self) -> None:
        """While the thread is busy only so much waits for it; later events have no content, and say so."""
        waiting: list[Deferred[Any]] = []

        def run(call: Any, *arguments: Any) -> Deferred[Any]:
            later: Deferred[Any] = Deferred()
            later.addCallback(lambda _: call(*arguments))
            waiting.append(later)
            return later

        made = self.make(run, most=25)
        made.record_batch([full_record(captured=Caught(), entry_id=str(number)) for number in range(3)])
        self.assertEqual(
            [(each.id, each.content and each.content.request_omitted) for each in self.got], [("2", "overload")]
        )
        waiting[0].callback(None)
        self.assertEqual([each.id for each in self.got], ["2", "0", "1"])
        made.record_batch([full_record(captured=Caught(), entry_id="3")])
        self.assertEqual(len(waiting), 2)

    def test_weight(self) -> None:
        """What a content takes in memory is counted, unless it says so itself."""
        records = [full_record() for _ in range(2)]
        for record, weight in zip(records, (0, 5000), strict=True):
            record.captured = Caught(weight=weight)
        self.make().record_batch(records)
        self.assertTrue(PLAIN_SIZE < self.sizes[0] < PLAIN_SIZE + 1000, self.sizes)
        self.assertEqual(self.sizes[1], PLAIN_SIZE + 5000)
