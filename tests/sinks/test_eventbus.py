"""The event bus of a process."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.interfaces.events import IEventBus
from llmproxy.sinks.eventbus import EventBus, size_of

from ..core.events.samples import event


class EventBusTests(SynchronousTestCase):
    def test_all_get_all(self) -> None:
        """Every subscriber gets every event, until it ends its subscription."""
        bus = EventBus(Clock())
        self.assertTrue(verifyObject(IEventBus, bus))
        one: list[Any] = []
        other: list[Any] = []
        bus.subscribe(lambda events, sizes: one.extend(events))
        end = bus.subscribe(lambda events, sizes: other.extend(events))
        bus.publish([event(1)])
        end()
        bus.publish([event(2)])
        self.assertEqual(([each.id for each in one], [each.id for each in other]), (["e-1", "e-2"], ["e-1"]))
        self.assertEqual(bus.published, 2)

    def test_broken_subscriber(self) -> None:
        """One that raises is reported once a minute, and the others get what there is."""
        bus = EventBus(Clock())
        got: list[Any] = []
        bus.subscribe(lambda events, sizes: 1 / 0)
        bus.subscribe(lambda events, sizes: got.extend(events))
        bus.publish([event(1)])
        bus.publish([event(2)])
        self.assertEqual(len(got), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_sizes(self) -> None:
        """Captured content is counted by what it takes, however it is nested."""
        self.assertGreater(size_of({"a": ["x" * 1000, {"b": "y" * 1000}]}), 2000)
        deep: list[Any] = []
        deep.append(deep)
        self.assertGreater(size_of(deep), 0)
