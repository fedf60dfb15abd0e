"""
What a small exchange costs, in calls: a number that does not depend on the machine.

It rises when somebody adds work to the path of every request. Who does so for a good reason raises the ceiling
in the same commit, and says why.
"""

from __future__ import annotations

import gc
import os
import sys
from random import Random
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.answers import COMPLETION
from llmproxy.cache.presence import SharedTable, of_parent
from llmproxy.config.model import CacheConfig, MeterConfig
from llmproxy.core.telemetry.traces import Traces, TracingOptions
from llmproxy.workers.caches import AnnouncingStore
from llmproxy.workers.peers import OtherWorkers

from .benchmarks.limits import WORKS as LIMITED
from .benchmarks.metering import EVENTS
from .benchmarks.metering import WORKS as METERED
from .garbage import Garbage
from .harness import Exchange, a_request
from .http2client import Http2Connection
from .ledgercase import ledger_in

MOST_CALLS = 284
"""
Python and C calls for one small POST whose head came before, from the client's bytes to its answer (CPython 3.11: 282).
One of them seals the record before the answer is written, one looks whether a request says for whom it is.
"""

MOST_LEDGER_CALLS = 31
"""
How many more it makes for its two entries in the ledger (CPython 3.11: 29), some five microseconds, so that nothing
that has ended is lost with its process.
"""

MOST_METER_CALLS = 24
"""
How many more it makes where the usage of its answer is read (CPython 3.11: 23), so that nobody has to believe a bill.
"""

MOST_METERED_EVENT_CALLS = 8
"""How many more an event of a stream makes there (CPython 3.11: 8)."""

MOST_TELLING_EVENT_CALLS = 14
"""The same for one that tells what was used until then, as some servers have it on every event (CPython 3.11: 14)."""

MOST_LIMITED_CALLS = {"`rpm_limit`": 10, "all four": 24, "all four, money leased": 28}
"""How many more a small POST makes whose token is limited so (CPython 3.11: 9, 23 and 27)."""

MOST_TRACED_CALLS = 34
"""
How many more a small POST makes where it is traced (CPython 3.11: 33): two ids, its trace, its call and how that
ends. What is made of it is off its path.
"""

MOST_BYPASS_CALLS = 14
"""How many more the cache makes of a POST that did not opt in (CPython 3.11: 14)."""

MOST_HIT_CALLS = 205
"""For a small GET that is answered from memory (CPython 3.11: 203)."""

MOST_POST_HIT_CALLS = 234
"""For a small POST that opted in (CPython 3.11: 232)."""

MOST_STORED_CALLS = 518
"""
For a small GET whose answer is stored (CPython 3.11: 517; one of them packs its head), likewise. Thirteen of them look
whether its head came before, which it did not.
"""

MOST_STREAM_CALLS = 25
"""The same for one event of a stream (CPython 3.11: 24)."""

MOST_HTTP2_CALLS = 790
"""For one small POST over HTTP/2 (CPython 3.11: 780; over Twisted's connection and h2: 1,765)."""

MOST_HTTP2_EVENT_CALLS = 80
"""For one event of a stream over HTTP/2 (CPython 3.11: 79; before: 187)."""

REQUEST = a_request(
    b"/v1/chat/completions",
    b"Content-Type: application/json",
    b"Accept: application/json",
    b"User-Agent: OpenAI/Python",
    body=b'{"model":"demo","messages":[{"role":"user","content":"Hello there"}]}',
)
GET = a_request(b"/v1/models", b"Accept: application/json", b"User-Agent: OpenAI/Python")
OPTED_IN = REQUEST.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=3600\r\n\r\n")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n" + b"x" * 20
STORED = ANSWER.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=3600\r\n\r\n")
EVENT = b"9\r\ndata: 1\n\n\r\n"


class Calls:
    """Counts the calls of a block, without those that the garbage collector makes: Hypothesis has it call back."""

    def __init__(self) -> None:
        self.count = 0
        self._collects = gc.isenabled()

    def __enter__(self) -> Calls:
        gc.disable()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *reason: object) -> None:
        sys.setprofile(None)
        if self._collects:
            gc.enable()

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        self.count += event in ("call", "c_call")


class CostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange()
        self.client = self.exchange.client()
        self.once()

    def once(self) -> None:
        self.client.receive(REQUEST)
        self.exchange.upstream[0].receive(ANSWER)

    def calls(self) -> float:
        """Of one exchange over connections that stand, whose head came before."""
        for _ in range(5):
            self.once()
        with Calls() as calls:
            for _ in range(10):
                self.once()
        return calls.count / 10

    def test_small_request(self) -> None:
        """A small POST makes no more calls than it did."""
        calls = self.calls()
        self.assertEqual(len(self.exchange.upstream), 1)
        self.assertEqual({record.ended for record in self.exchange.records}, {"complete"})
        self.assertLessEqual(calls, MOST_CALLS)

    def test_ledger(self) -> None:
        """The entries of an exchange in the ledger make no more calls than they did, and no system call."""
        counts = [self.calls()]
        ledger = ledger_in(self.mktemp())
        self.addCleanup(ledger.journal.close)
        self.exchange = Exchange(ledger=ledger)
        self.client = self.exchange.client()
        self.once()
        counts.append(self.calls())
        self.assertEqual((ledger.journal.waiting, ledger.journal.running), (16, 0))
        self.assertLessEqual(counts[1] - counts[0], MOST_LEDGER_CALLS)

    def test_traced(self) -> None:
        """A trace costs what noting it costs, and nothing where nothing is traced."""
        counts = [self.calls()]
        self.exchange = Exchange(traces=Traces(TracingOptions(), Random(1).getrandbits))
        self.client = self.exchange.client()
        counts.append(self.calls())
        self.assertEqual({len(record.calls or ()) for record in self.exchange.records}, {1})
        self.assertLessEqual(counts[1] - counts[0], MOST_TRACED_CALLS)

    def test_hits(self) -> None:
        """An answer from memory makes no more calls than it did, and none of upstream's."""
        for request, most in ((GET, MOST_HIT_CALLS), (OPTED_IN, MOST_POST_HIT_CALLS)):
            self.exchange = exchange = Exchange(cached=True, cache=CacheConfig(post="opt_in"))
            client = exchange.client()
            client.receive(request)
            [upstream] = exchange.upstream
            upstream.receive(STORED)
            for _ in range(2):
                client.receive(request)
            with Calls() as calls:
                for _ in range(10):
                    client.receive(request)
            self.assertEqual((exchange.outcomes("hit"), upstream.sent.count(b"HTTP/1.1\r\n")), (12, 1), (request, most))
            self.assertLessEqual(calls.count / 10, most, request)

    def test_stored(self) -> None:
        """An answer that is stored makes no more calls than it did."""
        self.exchange = exchange = Exchange(cached=True)
        self.client = client = exchange.client()
        targets = (a_request(b"/v1/models/%d" % number) for number in range(13))

        def once() -> None:
            client.receive(next(targets))
            exchange.upstream[0].receive(STORED)

        for _ in range(3):
            once()
        with Calls() as calls:
            for _ in range(10):
                once()
        self.assertEqual(exchange.counts["store"], 13)
        self.assertLessEqual(calls.count / 10, MOST_STORED_CALLS)

    def test_not_cached(self) -> None:
        """A POST that does not ask to be cached hardly pays for the cache."""
        counts = []
        for exchange in (self.exchange, Exchange(cached=True, cache=CacheConfig(post="opt_in"))):
            self.exchange, self.client = exchange, exchange.client()
            counts.append(self.calls())
        self.assertEqual(self.exchange.outcomes("bypass"), 15)
        self.assertLessEqual(counts[1] - counts[0], MOST_BYPASS_CALLS)

    def test_not_cached_by_workers(self) -> None:
        """Nor does it pay more where several workers have a cache each, whatever another one holds of other targets."""
        table = SharedTable(2)
        self.addCleanup(table.close)
        one, two = (of_parent(os.dup(table.fd), 2, column) for column in range(2))
        counts = []
        for workers in (False, True):
            self.exchange = exchange = Exchange(cached=True)
            self.client = exchange.client()
            if workers:
                assert exchange.cache is not None
                exchange.cache.store = OtherWorkers(exchange.clock, self.fail, one).store(exchange.cache.store)
            nothing = self.calls()
            (two if workers else exchange.cache.store._marks).add(b"/v1/models")  # type: ignore[union-attr]
            counts.append((nothing, self.calls()))
        self.assertIsInstance(exchange.cache.store, AnnouncingStore)  # type: ignore[union-attr]
        self.assertEqual(counts[0], counts[1])

    def test_system_calls(self) -> None:
        """
        It is one write to upstream and one to the client, nothing else that the kernel would hear of; so it is
        when the answer comes in chunks.
        """
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + EVENT + b"0\r\n\r\n"
        [upstream] = self.exchange.upstream
        for answer in (ANSWER, chunked):
            self.client.calls = upstream.calls = 0
            self.client.receive(REQUEST)
            upstream.receive(answer)
            self.assertEqual((upstream.calls, self.client.calls), (1, 1), answer)

    def test_event(self) -> None:
        """Nor does an event of a stream."""
        self.client.receive(REQUEST)
        [upstream] = self.exchange.upstream
        upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + EVENT)
        upstream.receive(EVENT)
        with Calls() as calls:
            for _ in range(10):
                upstream.receive(EVENT)
        self.assertLessEqual(calls.count / 10, MOST_STREAM_CALLS)

    def test_metered(self) -> None:
        """Nor does the meter: of a small answer, of an event, and of an event that tells the usage."""
        for name, most in (
            ("a small POST", MOST_METER_CALLS),
            ("an event", MOST_METERED_EVENT_CALLS),
            ("an event with usage", MOST_TELLING_EVENT_CALLS),
        ):
            counts = []
            for meter in ("off", "on"):
                once = METERED[name](meter)
                for _ in range(20):
                    once()
                with Calls() as calls:
                    for _ in range(10):
                        once()
                counts.append(calls.count / 10)
            self.assertLessEqual(round(counts[1] - counts[0]), most, name)

    def test_limited(self) -> None:
        """Nor do limits: of one kind, and of all."""
        counts = {}
        for name, begin in LIMITED.items():
            once = begin()
            for _ in range(40):
                once()
            with Calls() as calls:
                for _ in range(10):
                    once()
            counts[name] = calls.count / 10
        for name, most in MOST_LIMITED_CALLS.items():
            self.assertLessEqual(round(counts[name] - counts["none"]), most, name)

    def test_no_cycles_of_meter(self) -> None:
        """Nor does an answer that is read, whole, in pieces or in events, to its end or not."""
        chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        event = EVENTS["an event with usage"]
        for pieces in ([COMPLETION], [COMPLETION[:-9], COMPLETION[-9:]], [chunked, *[event] * 20, b"0\r\n\r\n"]):
            exchange = Exchange(meter=MeterConfig(enabled=True))
            client = exchange.client()
            with Garbage() as garbage:
                for _ in range(20):
                    client.receive(REQUEST)
                    for piece in pieces:
                        exchange.upstream[0].receive(piece)
                usages = [record.usage is not None for record in exchange.records]
                exchange.records.clear()
                self.assertLess(garbage.collected(), 20, pieces[0])
            self.assertEqual(usages, [True] * 20, pieces[0])

    def test_no_cycles(self) -> None:
        """An exchange leaves nothing to the garbage collector."""
        with Garbage() as garbage:
            for _ in range(50):
                self.once()
            self.exchange.records.clear()
            self.assertLess(garbage.collected(), 50)

    def test_no_cycles_of_streams(self) -> None:
        """Nor does one that came in pieces, stored or not: what it brought is not held any longer than it is stored."""
        self.exchange = Exchange(cached=True, cache=CacheConfig(post="opt_in"))
        self.client = self.exchange.client()
        for number, fields in enumerate([(), (b"Cache-Control: public, max-age=60",)] * 2):
            with Garbage() as garbage:
                for _ in range(10):
                    self.client.receive(a_request(b"/v1/%d" % number, *fields, body=b"{}"))
                    self.exchange.upstream[0].receive(ANSWER[:-10])
                    self.exchange.upstream[0].receive(ANSWER[-10:])
                    number += 4
                self.exchange.records.clear()
                self.assertLess(garbage.collected(), 10, number)
        self.assertEqual(self.exchange.counts["store"], 20)


class Http2CostTests(SynchronousTestCase):
    """The same over HTTP/2, with a turn of the reactor after what comes from each side."""

    def setUp(self) -> None:
        self.exchange = Exchange()
        self.client = Http2Connection(self.exchange)
        for _ in range(3):
            self.counted(self.client.post(), ANSWER)
        [self.upstream] = self.exchange.upstream

    def counted(self, request: bytes, answer: bytes) -> int:
        with Calls() as calls:
            if request:
                self.client.socket.receive(request)
                self.exchange.turn()
            self.exchange.upstream[0].receive(answer)
            self.exchange.turn()
        self.client.take()
        return calls.count

    def test_small_request(self) -> None:
        """A small POST makes no more calls than it did, and one write to each side."""
        self.client.socket.calls = self.upstream.calls = 0
        counts = [self.counted(self.client.post(), ANSWER) for _ in range(10)]
        self.assertEqual((self.upstream.calls, self.client.socket.calls), (10, 10))
        self.assertEqual({record.ended for record in self.exchange.records}, {"complete"})
        self.assertLessEqual(sum(counts) / 10, MOST_HTTP2_CALLS)

    def test_event(self) -> None:
        """Nor does an event of a stream."""
        self.counted(self.client.post(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + EVENT)
        counts = [self.counted(b"", EVENT) for _ in range(10)]
        self.assertLessEqual(sum(counts) / 10, MOST_HTTP2_EVENT_CALLS)

    def test_no_cycles(self) -> None:
        """An exchange leaves nothing to the garbage collector."""
        requests = [self.client.post() for _ in range(50)]
        with Garbage() as garbage:
            for request in requests:
                self.client.socket.receive(request)
                self.upstream.receive(ANSWER)
            self.exchange.turn()
            self.exchange.records.clear()
            self.assertLess(garbage.collected(), 50)
