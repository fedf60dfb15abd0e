"""Tests for L{llmproxy.bench.closed}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.closed import ClosedLoop, CountedLoop
from llmproxy.bench.load import SECOND
from llmproxy.bench.values import LoadSpec

from .ends import OK, REQUEST, Ends, Ticking


class LoopCase(SynchronousTestCase):
    kind: Any = ClosedLoop

    def start(self, connections: int = 2, **what: Any) -> Any:
        spec = LoadSpec("closed", "h", 1, REQUEST, connections=connections, length=2, **what)
        self.ends, self.clock, self.told = Ends(), Ticking(), []
        loop = self.kind(spec, self.told.append, self.ends.slots(spec), self.clock)
        self.addCleanup(self.ends.close)
        self.addCleanup(loop.close)
        loop.connect()
        loop.begin(self.clock())
        return loop


class ClosedTests(LoopCase):
    def test_one_after_another(self) -> None:
        """Each connection asks once, and again when its answer has come."""
        loop = self.start()
        self.assertEqual(self.ends.asked(), [1, 1])
        self.ends.peers[0].send(OK)
        loop.until(0)
        self.assertEqual((self.ends.asked(), loop.result.completed), ([1, 0], 1))
        self.ends.answer()
        loop.until(0)
        self.assertEqual((self.ends.asked(), loop.result.completed), ([1, 1], 3))

    def test_latency(self) -> None:
        """It is counted from the send to the whole answer."""
        loop = self.start(1)
        self.ends.answer(OK[:20])
        loop.until(0)
        self.assertEqual(loop.result.completed, 0)
        self.clock.now += 5_000_000
        self.ends.answer(OK[20:])
        loop.until(0)
        self.assertEqual(loop.result.completed, 1)
        self.assertGreaterEqual(loop.result.latency.highest, 5_000_000)
        self.assertLess(loop.result.latency.highest, 5_100_000)

    def test_errors(self) -> None:
        """Each kind of wrong answer is counted by its name, and none of them as a request that was carried."""
        wrong = {
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n": "status 429",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok!": "length",
            b"SSH-2.0\r\n\r\n": "malformed",
            OK + b"more": "unasked",
        }
        for answer, kind in wrong.items():
            loop = self.start(1)
            self.ends.answer(answer)
            loop.until(0)
            self.assertEqual((loop.result.errors, loop.result.completed), ({kind: 1}, 0), (answer, kind))
            self.assertEqual(sum(self.ends.asked()), 2, "the connection, or a fresh one, goes on")

    def test_cut(self) -> None:
        """A connection that ends in an answer is an error; one that ends between two is not."""
        loop = self.start(1)
        self.ends.answer(OK[:-1])
        self.ends.close()
        loop.until(0)
        loop.until(0)
        self.assertEqual(loop.result.errors, {"closed": 1})

    def test_asked_to_close(self) -> None:
        """A server that closes after each answer costs a connection, which is told, and is no error."""
        loop = self.start(1)
        self.ends.answer(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
        loop.until(0)
        self.assertEqual((loop.result.errors, loop.result.reconnects, loop.result.completed), ({}, 1, 1))
        self.assertEqual(self.ends.asked(), [1, 1])

    def test_timeout(self) -> None:
        """Who does not answer in time is given up, and the connection replaced."""
        loop = self.start(1, timeout=2.0)
        self.clock.now += 3 * SECOND
        self.ends.asked()
        before = len(self.ends.peers)
        for slot in loop._sweep(self.clock()):
            loop._ask(slot, self.clock())
        self.assertEqual((loop.result.errors, len(self.ends.peers) - before), ({"timeout": 1}, 1))
        self.assertEqual(self.ends.asked(), [0, 1])
        self.assertEqual(self.told, [0])

    def test_stuck_at_the_end(self) -> None:
        """Who has not answered for long when the time is up is an error; who was just asked is not."""
        loop = self.start(2)
        slots = list(loop._slots.live.values())
        slots[0].started = self.clock() - 2 * SECOND
        loop.finish(self.clock())
        self.assertEqual(loop.result.errors, {"stuck": 1})

    def test_hits(self) -> None:
        """With a cache in question, each hit is counted, of answers that are the same as well."""
        loop = self.start(1, cache=True)
        for _ in range(3):
            self.ends.answer(OK.replace(b"OK\r\n", b"OK\r\nX-PROXY-CACHE: hit\r\n"))
            loop.until(0)
        self.ends.answer(OK.replace(b"OK\r\n", b"OK\r\nCache-Status: llmproxy; fwd=miss\r\n"))
        loop.until(0)
        self.assertEqual((loop.result.hits, loop.result.completed), (3, 4))


class CountedTests(LoopCase):
    kind = CountedLoop

    def test_not_once_more(self) -> None:
        """A token of five uses is used five times."""
        loop = self.start(2, requests=5)
        asked = 0
        for _ in range(5):
            asked += self.ends.answer_asked()
            loop.until(0)
        self.assertEqual((asked, loop.result.completed, loop.result.errors), (5, 5, {}))

    def test_ends_by_itself(self) -> None:
        """It ends when all are answered, however much time there would be."""
        loop = self.start(2, requests=2)
        self.ends.answer()
        loop.until(1 << 62)
        self.assertEqual((loop.result.completed, loop.result.errors), (2, {}))

    def test_failed_is_asked(self) -> None:
        """What failed is not asked again: it may have cost money."""
        loop = self.start(1, requests=2)
        for _ in range(2):
            self.ends.answer(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
            loop.until(0)
        loop.until(1 << 62)
        self.assertEqual((sum(self.ends.asked()), loop.result.errors), (2, {"status 500": 2}))

    def test_unanswered(self) -> None:
        """What was not answered when the time was up is told."""
        loop = self.start(1, requests=3)
        self.ends.answer()
        loop.until(0)
        loop.finish(self.clock())
        self.assertEqual((loop.result.completed, loop.result.errors), (1, {"unanswered": 2}))
