"""Events on Redis Streams, with a real one: a sink that writes them, groups that read them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from llmproxy.core.events import encode
from llmproxy.core.events.policy import SinkPolicy
from llmproxy.core.events.receipts import PassingFailure
from llmproxy.core.redisoptions import RedisLocation, parse_redis_url
from llmproxy.redis.connection import Connector
from llmproxy.redis.streams import Reader
from llmproxy.sinks.deadletters import DeadLetters
from llmproxy.sinks.groupsource import GroupSource, Patience
from llmproxy.sinks.redisstreams import RedisStreams
from llmproxy.sinks.registry import SinkTools
from llmproxy.sinks.sourcedelivery import SourceDelivery

from ..core.events.samples import event
from ..sinks.eventing import TakingSink, at_once
from .processes import free_port
from .redisserver import MISSING, RedisServer, make_certificate, shared_server

Steps = Generator[Deferred[Any], Any, None]

QUICK = Patience(block=0.2, claim=0.6, answer=2.0)


@inlineCallbacks
def until(true: Any, seconds: float = 15.0) -> Any:
    """Wait for something to be so."""
    end = reactor.seconds() + seconds  # type: ignore[attr-defined]
    while not true():
        assert reactor.seconds() < end, "it never was"  # type: ignore[attr-defined]
        yield deferLater(reactor, 0.02)  # type: ignore[arg-type]


class StreamCase(TestCase):
    skip = MISSING
    timeout = 60

    def setUp(self) -> None:
        self.server = shared_server()
        self.stream = f"events-{os.urandom(4).hex()}"
        self.path = self.mktemp()

    def writer(self, **more: Any) -> RedisStreams:
        tools = SinkTools("bus", reactor, None, at_once)  # type: ignore[arg-type]
        url = f"redis://127.0.0.1:{self.server.port}/0"
        sink = RedisStreams({"url": url, "stream": self.stream, **more}, tools)
        self.addCleanup(sink.close)
        return sink

    def publish(self, *numbers: int, **more: Any) -> Deferred[Any]:
        return self.writer(**more).deliver([event(number) for number in numbers])

    def source(self, consumer: str, group: str = "g", patience: Patience = QUICK) -> GroupSource:
        where = RedisLocation("127.0.0.1", self.server.port)
        reader = Reader(self.stream.encode(), group.encode(), consumer.encode())
        return GroupSource(reactor, Connector(reactor, where, 2.0), reader, patience)

    def delivery(self, consumer: str, sink: Any = None, group: str = "g", **more: Any) -> tuple[SourceDelivery, Any]:
        """One that runs until the test ends, and its sink."""
        sink = sink or TakingSink()
        policy = SinkPolicy(batch=10, flush_interval=0.01, retry_base=0.1, retry_most=0.2)
        source = self.source(consumer, group)
        letters = DeadLetters(self.path, 1 << 20)
        made = SourceDelivery(reactor, consumer, source, sink, policy, at_once, letters, **more)
        made.start()
        self.addCleanup(made.stop)
        return made, sink

    def kill(self, delivery: SourceDelivery) -> None:
        """As a process that is killed: nothing is given back, nothing is acknowledged any more."""
        source: Any = delivery.source
        source._touching.stop()
        source._reading.stop()
        source._asking.stop()
        delivery._running.cancel()  # type: ignore[union-attr]

    def pending(self, group: str = "g") -> int:
        return int(self.server.ask("XPENDING", self.stream, group)[0])


class StreamTests(StreamCase):
    @inlineCallbacks
    def test_both_schemas(self) -> Steps:
        """What the sink writes, in either schema, a group reads; all of it is acknowledged."""
        yield self.publish(1, 2)
        yield self.publish(3, schema="legacy")
        delivery, sink = self.delivery("one")
        yield until(lambda: delivery.delivered == 3)
        yield until(lambda: not self.pending())
        self.assertEqual(sink.ids[:2], ["e-1", "e-2"])
        self.assertEqual(len(sink.ids[2]), 32)
        fields = [entry[1] for entry in self.server.ask("XRANGE", self.stream, "-", "+")]
        self.assertEqual(fields[0], [b"data", encode(event(1))])
        self.assertEqual(json.loads(fields[2][1])["RequestID"], "r-3")

    @inlineCallbacks
    def test_max_len(self) -> Steps:
        """The stream does not grow without end."""
        yield self.publish(*range(1000), max_len=200)
        self.assertLess(self.server.ask("XLEN", self.stream), 400)

    @inlineCallbacks
    def test_groups(self) -> Steps:
        """Several of one group share the work, several groups get all."""
        one, two, other = (TakingSink() for _ in range(3))
        for consumer, sink, group in (("one", one, "g"), ("two", two, "g"), ("other", other, "h")):
            self.delivery(consumer, sink, group)
        for first in range(0, 200, 20):
            yield self.publish(*range(first, first + 20))
        yield until(lambda: len(one.ids) + len(two.ids) >= 200 and len(other.ids) >= 200)
        everything = sorted(f"e-{number}" for number in range(200))
        self.assertEqual((sorted(one.ids + two.ids), sorted(other.ids)), (everything, everything))
        self.assertTrue(one.ids and two.ids)

    @inlineCallbacks
    def test_dead_consumer(self) -> Steps:
        """What a dead consumer had comes to another one, also while there is always something new."""
        sink = TakingSink()
        sink.answer = PassingFailure("away")
        dead, _ = self.delivery("dead", sink)
        yield self.publish(*range(10))
        yield until(lambda: dead.held == 10)
        self.kill(dead)
        alive, taking = self.delivery("alive")
        for number in range(100, 160):
            yield self.publish(number)
            if alive.source.claimed:  # type: ignore[attr-defined]
                break
            yield deferLater(reactor, 0.05)  # type: ignore[arg-type]
        yield until(lambda: set(taking.ids) >= {f"e-{number}" for number in range(10)})
        yield until(lambda: not self.pending())

    @inlineCallbacks
    def test_slow_is_not_dead(self) -> Steps:
        """What waits for a receiver that is away, for longer than a claim takes, stays where it is."""
        sink = TakingSink()
        sink.answer = PassingFailure("away")
        slow, _ = self.delivery("slow", sink)
        yield self.publish(*range(10))
        yield until(lambda: slow.held == 10)
        other, taking = self.delivery("other")
        yield deferLater(reactor, 2.0)  # type: ignore[arg-type]
        self.assertEqual((taking.ids, other.source.claimed), ([], 0))  # type: ignore[attr-defined]
        sink.answer = None
        yield until(lambda: slow.delivered == 10)
        self.assertEqual(self.pending(), 0)

    @inlineCallbacks
    def test_given_back(self) -> Steps:
        """What a consumer could not deliver when it stops comes to another one at once; it does not count as tried."""
        sink = TakingSink()
        sink.answer = PassingFailure("away")
        first, _ = self.delivery("first", sink)
        yield self.publish(*range(5))
        yield until(lambda: first.held == 5)
        yield first.stop()
        rows = self.server.ask("XPENDING", self.stream, "g", "-", "+", "10")
        self.assertEqual([row[3] for row in rows], [0] * 5)
        second, taking = self.delivery("second")
        yield until(lambda: second.delivered == 5)
        yield second.stop()
        consumers = [each[1] for each in self.server.ask("XINFO", "CONSUMERS", self.stream, "g")]
        self.assertEqual((sorted(taking.ids), consumers), ([f"e-{number}" for number in range(5)], [b"first"]))

    @inlineCallbacks
    def test_poisoned(self) -> Steps:
        """What ends each consumer that has it becomes a dead letter; what came with it is delivered all the same."""
        yield self.publish(*range(6))
        killed: list[SourceDelivery] = []
        poisoned = {"e-3"}
        delivered: list[str] = []

        def generation(number: int) -> SourceDelivery:
            sink = TakingSink()

            def answer(batch: Any) -> Any:
                if made not in killed and any(each.id in poisoned for each in batch):
                    self.kill(made)
                    killed.append(made)
                if made in killed:
                    return PassingFailure("dead")
                delivered.extend(each.id for each in batch)
                return None

            sink.answer = answer
            made, _ = self.delivery(f"consumer-{number}", sink, deliveries=4)
            return made

        for number in range(12):
            made = generation(number)
            yield until(lambda made=made: made in killed or (made.received and not self.pending()), 20)  # type: ignore[misc]
            if made not in killed:
                break
        self.assertEqual(len(killed), 4)
        self.assertEqual(set(delivered), {f"e-{number}" for number in (0, 1, 2, 4, 5)})
        [letter] = [json.loads(line) for line in Path(self.path).read_text().splitlines()]
        self.assertEqual((letter["event"]["id"], self.pending()), ("e-3", 0))

    @inlineCallbacks
    def test_no_event(self) -> Steps:
        """What somebody else has put into the stream becomes a dead letter, and holds up nothing."""
        self.server.ask("XADD", self.stream, "*", "data", "{")
        self.server.ask("XADD", self.stream, "*", "x", "y")
        yield self.publish(1)
        delivery, sink = self.delivery("one")
        yield until(lambda: delivery.delivered == 1 and not self.pending())
        letters = [json.loads(line)["event"] for line in Path(self.path).read_text().splitlines()]
        self.assertEqual((letters, sink.ids, delivery.poisoned), (["{", ""], ["e-1"], 2))

    @inlineCallbacks
    def test_flushed(self) -> Steps:
        """A group that is gone with its stream is made anew, whatever was being waited for."""
        delivery, sink = self.delivery("one")
        yield self.publish(1)
        yield until(lambda: delivery.delivered == 1)
        self.server.ask("DEL", self.stream)
        yield self.publish(2)
        yield until(lambda: sink.ids == ["e-1", "e-2"])
        yield until(lambda: not self.pending())

    @inlineCallbacks
    def test_trimmed(self) -> Steps:
        """What was trimmed while it was pending is counted, and not waited for."""
        sink = TakingSink()
        sink.answer = PassingFailure("away")
        dead, _ = self.delivery("dead", sink)
        yield self.publish(*range(5))
        yield until(lambda: dead.held == 5)
        self.kill(dead)
        self.server.ask("XTRIM", self.stream, "MAXLEN", "0")
        alive, _ = self.delivery("alive")
        source: Any = alive.source
        yield until(lambda: source.gone == 5)
        self.assertEqual(self.pending(), 0)


class PrivateTests(StreamCase):
    """A Redis that asks for a password, over TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.authority, key = make_certificate(self.mktemp())
        self.tls_port = free_port()
        self.server = RedisServer(
            tls_port=str(self.tls_port),
            tls_cert_file=self.authority,
            tls_key_file=key,
            tls_auth_clients="no",
            requirepass="hush-hush",
        ).start()
        self.addCleanup(self.server.close)

    @inlineCallbacks
    def test_tls(self) -> Steps:
        """Both ends go by the URL, the authority and the password."""
        url = f"rediss://:hush-hush@localhost:{self.tls_port}/0?ca_file={self.authority}"
        tools = SinkTools("bus", reactor, None, at_once)  # type: ignore[arg-type]
        sink = RedisStreams({"url": url, "stream": self.stream}, tools)
        self.addCleanup(sink.close)
        yield sink.deliver([event(1)])
        reader = Reader(self.stream.encode(), b"g", b"me")
        source = GroupSource(reactor, Connector(reactor, parse_redis_url(url), 5.0), reader, QUICK)
        self.addCleanup(source.close)
        [found] = yield source.read(10)
        self.assertEqual(found.event, event(1))
        wrong = RedisStreams({"url": url.replace("hush-hush", "wrong-word"), "stream": self.stream}, tools)
        self.addCleanup(wrong.close)
        failure = yield self.assertFailure(wrong.deliver([event(1)]), PassingFailure)
        self.assertNotIn("wrong-word", str(failure))


class OutageTests(StreamCase):
    """A Redis that goes and comes."""

    def setUp(self) -> None:
        super().setUp()
        self.server = RedisServer(appendonly="yes", appendfsync="always").start()
        self.addCleanup(self.server.close)

    @inlineCallbacks
    def published(self, *numbers: int) -> Steps:
        """Publish as the proxy does, which tries again: a Redis that has just been started may be loading its data."""
        writer = self.writer()
        for _ in range(100):
            try:
                yield writer.deliver([event(number) for number in numbers])
                return
            except PassingFailure:
                yield deferLater(reactor, 0.05)  # type: ignore[arg-type]
        raise AssertionError("Redis never came back")

    @inlineCallbacks
    def test_restarted(self) -> Steps:
        """A Redis that is killed and started again is gone on with: everything comes, in the end."""
        delivery, sink = self.delivery("one")
        yield self.publish(*range(50))
        yield until(lambda: len(set(sink.ids)) == 50)
        self.server.kill()
        yield until(lambda: delivery.error)
        self.server.start()
        yield self.published(*range(50, 100))
        yield until(lambda: len(set(sink.ids)) == 100)
        yield until(lambda: not self.pending())
        self.assertEqual(delivery.error, "")

    @inlineCallbacks
    def test_paused(self) -> Steps:
        """So is one that says nothing for a while; who writes notices too."""
        delivery, sink = self.delivery("one")
        yield self.publish(1)
        yield until(lambda: sink.ids)
        self.server.signal(signal.SIGSTOP)
        writing = self.publish(2)
        yield self.assertFailure(writing, PassingFailure)
        yield until(lambda: delivery.error)
        self.server.signal(signal.SIGCONT)
        yield self.published(3)
        yield until(lambda: {"e-1", "e-3"} <= set(sink.ids))

    @inlineCallbacks
    def test_away_from_the_start(self) -> Steps:
        """Nothing has to be there at the start, and nothing has to be read for an end."""
        self.server.kill()
        delivery, sink = self.delivery("one")
        yield until(lambda: "cannot connect" in delivery.error)
        self.server.start()
        yield self.published(1)
        yield until(lambda: sink.ids)
        self.server.kill()
        yield until(lambda: delivery.error)
        yield delivery.stop()
