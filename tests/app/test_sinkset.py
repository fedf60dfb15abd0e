"""Tests for L{llmproxy.app.sinkset}."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.sinkset import SinkSet
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.when import When
from llmproxy.errors import ConfigError
from llmproxy.sinks.eventbus import EventBus

ONE, TWO = SinkConfig("one", "stdout"), SinkConfig("two", "stdout", when={"kind": "audit.*"})


@define(eq=False)
class Queue:
    """As L{llmproxy.sinks.eventqueue.EventQueue}, with nothing behind it."""

    name: str
    when: When
    taken: list[Any] = field(factory=list)
    started: int = 0
    stopped: Deferred[None] | None = None
    ends: Deferred[None] = field(factory=Deferred)

    def take(self, events: Any, sizes: Any = None) -> None:
        self.taken += events

    def start(self) -> None:
        self.started += 1

    def stop(self) -> Deferred[None]:
        self.stopped = self.ends
        return self.ends

    def flush(self) -> Deferred[None]:
        return succeed(None)


class Maker:
    """As L{llmproxy.app.sinks.SinkMaker}."""

    def __init__(self) -> None:
        self.made: list[Queue] = []

    def queues(self, configs: Iterable[SinkConfig]) -> list[Queue]:
        found = [Queue(each.name, each.filter()) for each in configs]
        if any(each.name == "wrong" for each in found):
            raise ConfigError("sink 'wrong': it is")
        self.made += found
        return found


class SetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.maker, self.bus = Maker(), EventBus(Clock())
        self.set = SinkSet(self.maker, self.bus, [ONE, TWO])  # type: ignore[arg-type]
        self.set.start()

    def swap(self, *configs: SinkConfig) -> None:
        self.set.prepare(configs)
        self.set.take()

    def publish(self, name: str) -> None:
        self.bus.publish([name])  # type: ignore[list-item]

    def test_as_before(self) -> None:
        """A sink that is as it was goes on with its queue; one that is not named any more stops."""
        one, two = self.maker.made
        self.publish("a")
        self.swap(ONE)
        self.publish("b")
        self.assertEqual((one.taken, two.taken), (["a", "b"], ["a"]))
        self.assertEqual((one.started, one.stopped, len(self.maker.made)), (1, None, 2))
        self.assertIsNotNone(two.stopped)
        self.assertEqual(list(self.set.configs), ["one"])

    def test_another_of_the_name(self) -> None:
        """One with other settings gets what comes at once, and looks at its directory when the one before has left."""
        self.swap(evolve(ONE, batch=7), TWO)
        one, _, other = self.maker.made
        self.publish("a")
        self.assertEqual((one.taken, other.taken, other.started), ([], ["a"], 0))
        one.ends.callback(None)
        self.assertEqual(other.started, 1)
        self.assertEqual([each.name for each, _ in self.set.typed()], ["one", "two"])

    def test_thrice(self) -> None:
        """One that was replaced before it began never does; each waits for all before it."""
        self.swap(evolve(ONE, batch=7))
        self.swap(evolve(ONE, batch=8))
        one, _, second, third = self.maker.made
        second.ends.callback(None)
        self.assertEqual(third.started, 0)
        one.ends.callback(None)
        self.assertEqual((second.started, third.started), (0, 1))

    def test_wrong(self) -> None:
        """What cannot be made changes nothing."""
        self.assertRaises(ConfigError, self.set.prepare, [evolve(ONE, name="wrong")])
        self.set.prepare([ONE])
        self.assertFalse(self.set.wants("audit.*"))
        self.set.discard()
        self.assertTrue(self.set.wants("audit.*"))
        self.assertRaises(ConfigError, self.set.take)
        self.assertEqual([each.stopped for each in self.maker.made], [None, None])

    def test_stop(self) -> None:
        """The end waits for those that leave too."""
        self.swap(ONE)
        one, two = self.maker.made
        ended = self.set.stop()
        one.ends.callback(None)
        self.assertNoResult(ended)
        two.ends.callback(None)
        self.successResultOf(ended)
