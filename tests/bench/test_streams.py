"""Tests for L{llmproxy.bench.streams}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.answers import STREAM_END, STREAM_HEAD, event
from llmproxy.bench.streams import Streams
from llmproxy.bench.values import LoadSpec

from .ends import REQUEST, Ends, Ticking

MS = 1_000_000


class StreamsTests(SynchronousTestCase):
    def start(self, connections: int = 1, events: int = 2) -> Streams:
        spec = LoadSpec("sse", "h", 1, REQUEST, connections=connections, events=events, ramp=0.0, timeout=0.0)
        self.ends, self.clock = Ends(), Ticking(1)
        loop = Streams(spec, lambda done: None, self.ends.slots(spec), self.clock)
        self.addCleanup(self.ends.close)
        self.addCleanup(loop.close)
        self.patch(loop, "settle", 0.0)
        loop.connect()
        loop.begin(self.clock.now)
        loop.until(0)
        return loop

    def came(self, loop: Streams, *data: bytes) -> None:
        for piece in data:
            self.ends.answer(piece)
            loop.until(0)

    def finished(self, loop: Streams) -> Any:
        loop.finish(self.clock())
        return loop.result

    def test_whole(self) -> None:
        """Every event is counted with its delay; the first one is told apart."""
        loop = self.start(2)
        self.assertEqual(self.ends.asked(), [1, 1])
        self.clock.now += 4 * MS
        self.came(loop, STREAM_HEAD + event(self.clock.now - 1 * MS), event(self.clock.now - 3 * MS), STREAM_END)
        result = self.finished(loop)
        self.assertEqual((result.events, result.held, result.lost, result.errors), (4, 2, 0, {}))
        self.assertEqual((result.delay.count, result.latency.count), (4, 2))
        self.assertLess(abs(result.delay.highest - 3 * MS), MS // 2)
        self.assertLess(abs(result.latency.highest - 4 * MS), MS // 2)

    def test_in_pieces(self) -> None:
        """An event that comes in pieces is one event, and came with its last piece."""
        loop = self.start()
        one = event(self.clock.now)
        self.came(loop, STREAM_HEAD + one[:30], one[30:90], one[90:] + one, STREAM_END)
        result = self.finished(loop)
        self.assertEqual((result.events, result.lost, result.errors), (2, 0, {}))

    def test_lost(self) -> None:
        """A stream that ends before its last event is an error, and what is missing is counted."""
        loop = self.start(events=5)
        self.came(loop, STREAM_HEAD + event(self.clock.now), STREAM_END)
        result = self.finished(loop)
        self.assertEqual((result.errors, result.lost), ({"short": 1}, 4))

    def test_broken(self) -> None:
        """So are streams that are refused, cut, or malformed."""
        wrong = {
            b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n": "status 503",
            STREAM_HEAD + b"zz\r\n": "malformed",
        }
        for data, kind in wrong.items():
            loop = self.start()
            self.came(loop, data)
            self.assertEqual(self.finished(loop).errors, {kind: 1}, (data, kind))
        loop = self.start()
        self.came(loop, STREAM_HEAD + event(self.clock.now))
        self.ends.close()
        loop.until(0)
        self.assertEqual(self.finished(loop).errors, {"closed": 1})

    def test_unfinished(self) -> None:
        """A stream that does not end in time is an error, not a wait for ever."""
        loop = self.start()
        self.came(loop, STREAM_HEAD + event(self.clock.now))
        self.assertEqual(self.finished(loop).errors, {"unfinished": 1})

    def test_of_any_length(self) -> None:
        """Where upstream decides on the length, an ended stream is asked for again, and events need no stamp."""
        loop = self.start(events=0)
        self.came(loop, STREAM_HEAD + b"a\r\ndata: {}\n\n\r\n" + STREAM_END)
        self.assertEqual(sum(self.ends.asked()), 2)
        result = self.finished(loop)
        self.assertEqual((result.events, result.delay.count, result.held, result.errors), (2, 0, 1, {}))
