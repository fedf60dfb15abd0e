"""Tests for L{llmproxy.middleware.caching.reader}; L{tests.middleware.caching.test_sharing} has several of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.errors import BodyStopped
from llmproxy.middleware.caching.body import TURN
from llmproxy.middleware.caching.reader import Reader


class FakeShared:
    """A body whose chunks the test adds; it notes what its reader says. A turn of the reactor takes a second."""

    def __init__(self, *chunks: bytes) -> None:
        self.length = 3
        self.chunks = [*chunks]
        self.ended = False
        self.reason: Failure | None = None
        self.clock = Clock()
        self.said: list[str] = []

    def next_of(self, position: int) -> bytes | None:
        return self.chunks[position] if position < len(self.chunks) else None

    def later(self, work: Callable[[], object]) -> IDelayedCall:
        return self.clock.callLater(1, work)

    def start(self) -> None:
        self.said.append("start")

    def resumed(self) -> None:
        self.said.append("resumed")

    def balance(self) -> None:
        self.said.append("balance")

    def leave(self, reader: Reader) -> None:
        self.said.append("leave")


class Taken:
    """@ivar pause_after: chunks after which it wants no more for now."""

    def __init__(self, reader: Reader | None = None, pause_after: int = 0) -> None:
        self.chunks: list[bytes] = []
        self.reader, self.pause_after = reader, pause_after

    def write(self, data: bytes) -> None:
        self.chunks.append(data)
        if self.reader is not None and len(self.chunks) == self.pause_after:
            self.reader.pauseProducing()


class ReaderTests(SynchronousTestCase):
    def reading(self, shared: FakeShared, pause_after: int = 0) -> tuple[Reader, Taken, Any]:
        reader = Reader(shared)
        taken = Taken(reader, pause_after)
        return reader, taken, reader.startProducing(taken)  # type: ignore[arg-type]

    def test_interface(self) -> None:
        """It is a body of the length that the shared one has."""
        reader = Reader(FakeShared())
        verifyObject(IBodyProducer, reader)
        self.assertEqual(reader.length, 3)

    def test_to_the_end(self) -> None:
        """It gets what is there and what comes, and leaves at the end."""
        shared = FakeShared(b"a", b"b")
        reader, taken, reading = self.reading(shared)
        shared.chunks.append(b"c")
        reader.came(b"c", 2)
        self.assertNoResult(reading)
        shared.ended = True
        reader.advance()
        self.successResultOf(reading)
        self.assertEqual((taken.chunks, shared.said), ([b"a", b"b", b"c"], ["start", "resumed", "leave"]))

    def test_paused(self) -> None:
        """While it is paused nothing comes, and it goes on where it was."""
        shared = FakeShared(b"a", b"b")
        reader, taken, _ = self.reading(shared, pause_after=1)
        shared.chunks.append(b"c")
        reader.came(b"c", 2)
        self.assertEqual((taken.chunks, reader.position), ([b"a"], 1))
        reader.resumeProducing()
        self.assertEqual(taken.chunks, [b"a", b"b", b"c"])

    def test_joined(self) -> None:
        """Chunks before its place that have become fewer do not move it."""
        shared = FakeShared(b"a", b"b", b"c")
        reader, taken, _ = self.reading(shared)
        shared.chunks[:] = [b"abc"]
        reader.joined(3, 2)
        shared.chunks.append(b"d")
        reader.came(b"d", 1)
        self.assertEqual(taken.chunks, [b"a", b"b", b"c", b"d"])

    def test_in_turns(self) -> None:
        """Much is handed over in turns of the reactor, and nothing after it has left."""
        shared = FakeShared(*[b"x" * TURN] * 3)
        reader, taken, reading = self.reading(shared)
        self.assertEqual(len(taken.chunks), 1)
        shared.clock.advance(1)
        self.assertEqual(len(taken.chunks), 2)
        reader.stopProducing()
        self.failureResultOf(reading, BodyStopped)
        self.assertEqual((shared.clock.getDelayedCalls(), len(taken.chunks)), ([], 2))

    def test_ends_before_its_time(self) -> None:
        """Whatever ends it, it says so once, and leaves once."""
        for ends, error in (
            (lambda reader, reading, shared: reading.cancel(), CancelledError),
            (lambda reader, reading, shared: reader.stopProducing(), BodyStopped),
            (lambda reader, reading, shared: broken(reader, shared), ConnectionLost),
        ):
            shared = FakeShared(b"a")
            reader, _, reading = self.reading(shared)
            ends(reader, reading, shared)
            reader.stopProducing()
            self.failureResultOf(reading, error)
            self.assertEqual((shared.said.count("leave"), reader.consumer), (1, None), error)

    def test_stopped_before(self) -> None:
        """One that was stopped is not started any more."""
        reader = Reader(FakeShared(b"a"))
        reader.stopProducing()
        self.failureResultOf(reader.startProducing(Taken()), BodyStopped)  # type: ignore[arg-type]


def broken(reader: Reader, shared: FakeShared) -> None:
    shared.ended, shared.reason = True, Failure(ConnectionLost())
    reader.advance()
