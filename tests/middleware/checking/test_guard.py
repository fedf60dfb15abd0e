"""Tests for L{llmproxy.middleware.checking.guard}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.inspection.steps import Steps
from llmproxy.errors import ClientLeft, ParamNotAllowed
from llmproxy.middleware.checking.guard import GuardedBody
from llmproxy.net.slices import Slices

from ..fakes import HeldBody, Reader


class Turns(Clock):
    """A clock on which each look takes longer than a slice may."""

    def seconds(self) -> float:
        self.rightNow += 1
        return super().seconds()


class Letters:
    """A judge that dislikes C{x}, wants C{.} at the end, and takes a slice for each C{-}."""

    def __init__(self) -> None:
        self.last = b""
        self.ends = self.feeds = 0

    def feed(self, data: bytes) -> Steps[None]:
        self.feeds += 1
        for byte in data:
            if byte == ord("x"):
                raise ParamNotAllowed()
            if byte == ord("-"):
                yield
        self.last = data[-1:]
        yield from ()

    def end(self) -> Steps[None]:
        self.ends += 1
        if self.last != b".":
            raise ParamNotAllowed("no end")
        yield from ()


class GuardedBodyTests(SynchronousTestCase):
    def guard(self, body: Any) -> None:
        self.clock = Turns()
        self.body = body
        self.judge = Letters()
        self.ended = 0
        self.reader = Reader()
        self.guarded = GuardedBody(body, self.judge, Slices(self.clock), self.end)

    def end(self) -> None:
        self.ended += 1

    def start(self, length: Any = None) -> None:
        self.guard(HeldBody(length) if length is not None else HeldBody())
        self.producing = self.guarded.startProducing(self.reader)

    def turn(self) -> None:
        self.clock.advance(0)

    def test_passes(self) -> None:
        """A good body passes as it comes, byte for byte."""
        self.start()
        self.body.write(b"ab")
        self.assertEqual(self.reader.data, b"ab")
        self.body.write(b"c.")
        self.body.end()
        self.successResultOf(self.producing)
        self.assertEqual((self.reader.data, self.judge.ends, self.ended), (b"abc.", 1, 1))

    def test_breaks(self) -> None:
        """The first fault ends it: nothing of that piece goes on, the source is stopped, and the reason is said."""
        self.start()
        self.body.write(b"ab")
        self.body.write(b"cxd")
        self.failureResultOf(self.producing, ParamNotAllowed)
        self.body.write(b"e")
        self.assertEqual((self.reader.data, self.body.calls, self.ended), (b"ab", ["stopped"], 1))

    def test_last_piece(self) -> None:
        """Where the length is known the last piece is held back until the whole is judged."""
        self.start(4)
        self.body.write(b"ab")
        self.body.write(b"cd")
        self.failureResultOf(self.producing, ParamNotAllowed)
        self.assertEqual(self.reader.data, b"ab")
        self.start(4)
        self.body.write(b"ab")
        self.body.write(b"c.")
        self.body.end()
        self.successResultOf(self.producing)
        self.assertEqual((self.reader.data, self.judge.ends), (b"abc.", 1))

    def test_unknown_length(self) -> None:
        """Where it is not, the end is not said before the whole is judged."""
        self.start()
        self.body.write(b"abcd")
        self.body.end()
        self.failureResultOf(self.producing, ParamNotAllowed)
        self.assertEqual(self.body.calls, [])

    def test_slices(self) -> None:
        """While a piece is judged in slices the source is paused, and what it still says comes in order."""
        self.start()
        self.body.write(b"a--b")
        self.body.write(b"c.")
        self.body.end()
        self.assertEqual((self.reader.data, self.body.calls), (b"", ["paused"]))
        for _ in range(5):
            self.turn()
        self.successResultOf(self.producing)
        self.assertEqual(self.reader.data, b"a--bc.")

    def test_resumed(self) -> None:
        """When a piece is judged the source goes on, unless the reader is behind."""
        self.start()
        self.body.write(b"a--b")
        for _ in range(5):
            self.turn()
        self.assertEqual(self.body.calls, ["paused", "resumed"])
        self.guarded.pauseProducing()
        self.body.write(b"a--b")
        for _ in range(5):
            self.turn()
        self.assertEqual(self.body.calls, ["paused", "resumed", "paused"])
        self.guarded.resumeProducing()
        self.assertEqual(self.body.calls[3:], ["resumed"])

    def test_chunks_of_a_byte(self) -> None:
        """Thousands of chunks in one turn are judged a few times, not thousands of times, and none is lost."""
        self.start()
        for _ in range(10_000):
            self.body.write(b"a")
        self.body.write(b".")
        self.body.end()
        for _ in range(5):
            self.turn()
        self.successResultOf(self.producing)
        self.assertEqual(self.reader.data, b"a" * 10_000 + b".")
        self.assertLess(self.judge.feeds, 30)
        self.start()
        for _ in range(100):
            self.body.write(b"a")
        self.body.write(b"x")
        for _ in range(5):
            self.turn()
        self.failureResultOf(self.producing, ParamNotAllowed)
        self.assertNotIn(b"x", self.reader.data)

    def test_at_hand(self) -> None:
        """A body that is here already is judged at once, before any of it goes on."""
        for content, good in ((b"ab.", True), (b"axb.", False), (b"ab", False)):
            self.guard(BytesBody(content))
            producing = self.guarded.startProducing(self.reader)
            if good:
                self.successResultOf(producing)
            else:
                self.failureResultOf(producing, ParamNotAllowed)
            self.assertEqual((self.reader.data, self.ended), (content if good else b"", 1), (content, good))

    def test_left(self) -> None:
        """A client that leaves ends it, in the middle of a slice too."""
        for data in (b"ab", b"a---b"):
            self.start()
            self.body.write(data)
            self.body.fail(ClientLeft())
            self.failureResultOf(self.producing, ClientLeft)
            self.assertEqual(self.ended, 1, data)
            for _ in range(5):
                self.turn()
            self.assertNotIn(b"---", self.reader.data)

    def test_stopped(self) -> None:
        """Who reads it may stop it or cancel it, once."""
        self.start()
        self.body.write(b"a---b")
        self.guarded.stopProducing()
        self.guarded.stopProducing()
        self.assertEqual((self.body.calls, self.ended), (["paused", "stopped"], 1))
        self.assertNoResult(self.producing)
        self.start()
        self.producing.cancel()
        self.failureResultOf(self.producing, CancelledError)
        self.assertEqual((self.body.calls, self.ended), (["stopped"], 1))
