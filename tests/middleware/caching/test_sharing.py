"""Tests for L{llmproxy.middleware.caching.sharing}: one body for several readers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.core.caching.content import PIECE
from llmproxy.errors import BodyStopped, UpstreamReset
from llmproxy.middleware.caching.body import TURN
from llmproxy.middleware.caching.reader import Reader
from llmproxy.middleware.caching.sharing import STALL, Budget, ReaderTooSlow, SharedBody

from ..fakes import HeldBody


class Client:
    """One who reads, and stops for a while when he is told to."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.data = b""
        self.pause_at: int | None = None
        self.reading: Deferred[None] = reader.startProducing(self)
        self.reason: Any = "running"
        self.reading.addCallbacks(self._ended, self._ended)

    def write(self, data: bytes) -> None:
        self.data += data
        if self.pause_at is not None and len(self.data) >= self.pause_at:
            self.pause_at = None
            self.reader.pauseProducing()

    def _ended(self, reason: Any) -> None:
        self.reason = None if reason is None else type(reason.value)


class SharingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.make(100)

    def make(self, limit: int, budget: int = 1000, body: Any = None) -> None:
        self.clock = Clock()
        self.body = HeldBody() if body is None else body
        self.budget = Budget(budget)
        self.kept: list[list[bytes] | None] = []
        self.shared = SharedBody(self.clock, self.body, limit, self.budget, self.kept.append)

    def client(self) -> Client:
        return Client(self.shared.reader())


class ReadingTests(SharingTestCase):
    def test_interface(self) -> None:
        """Each reader is a body like any other."""
        verifyObject(IBodyProducer, self.shared.reader())

    def test_all_read_all(self) -> None:
        """Whoever comes, and whenever, reads it from its beginning."""
        first = self.client()
        self.body.write(b"a")
        second = self.client()
        self.body.write(b"b")
        self.body.end()
        self.assertEqual([(each.data, each.reason) for each in (first, second)], [(b"ab", None)] * 2)
        self.assertEqual(self.kept, [[b"a", b"b"]])
        self.assertEqual((self.budget.left, self.shared.joinable), (1000, False))

    def test_at_hand(self) -> None:
        """A body that comes all at once is no different."""
        self.make(100, body=BytesBody(b"all"))
        self.assertEqual([self.client().data, self.kept], [b"all", [[b"all"]]])

    def test_nobody_has_begun(self) -> None:
        """Nothing is read of upstream before the first one reads."""
        self.shared.reader()
        self.assertIsNone(self.body.consumer)

    def test_broken(self) -> None:
        """All learn that it was cut short, and nothing is kept."""
        clients = [self.client(), self.client()]
        self.body.write(b"a")
        self.body.fail(UpstreamReset())
        self.assertEqual([each.reason for each in clients], [UpstreamReset, UpstreamReset])
        self.assertEqual((self.kept, self.budget.left), ([None], 1000))

    def test_late_for_the_fault(self) -> None:
        """A reader that was slow learns of it when it gets there."""
        slow = self.client()
        slow.reader.pauseProducing()
        fast = self.client()
        self.body.write(b"a")
        self.body.fail(UpstreamReset())
        self.assertEqual((fast.reason, slow.reason), (UpstreamReset, "running"))
        slow.reader.resumeProducing()
        self.assertEqual((slow.data, slow.reason), (b"a", UpstreamReset))

    @given(st.lists(st.binary(min_size=1, max_size=30), max_size=12), st.data())
    def test_any_pace(self, chunks: list[bytes], data: st.DataObject) -> None:
        """However readers come, pause and go on, and whether it is kept or not: who stays has every byte, in order."""
        self.make(data.draw(st.integers(1, 200)))
        clients = [self.client()]
        paused: set[int] = set()
        for chunk in chunks:
            if self.shared.joinable and data.draw(st.booleans()):
                clients.append(self.client())
            self.body.write(chunk)
            who = data.draw(st.integers(0, len(clients) - 1))
            if who in paused:
                paused.discard(who)
                clients[who].reader.resumeProducing()
            else:
                paused.add(who)
                clients[who].reader.pauseProducing()
        self.body.end()
        for who in paused:
            clients[who].reader.resumeProducing()
        self.assertEqual({(each.data, each.reason) for each in clients}, {(b"".join(chunks), None)})
        self.assertEqual(self.budget.left, 1000)


class LargeTests(SharingTestCase):
    def setUp(self) -> None:
        self.make(1 << 20, 1 << 20)

    def send(self, *sizes: int) -> bytes:
        sent = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        for data in sent:
            self.body.write(data)
        return b"".join(sent)

    def kept_sizes(self) -> list[int]:
        self.body.end()
        [kept] = self.kept
        return [len(piece) for piece in kept or ()]

    def test_small_pieces_are_joined(self) -> None:
        """An answer that comes in drops does not cost an object for each; large pieces stay as they are."""
        client = self.client()
        sent = self.send(*[PIECE // 8] * 20, PIECE, 10, PIECE, PIECE, 10, 10, PIECE, 7)
        self.assertEqual(self.kept_sizes(), [PIECE, PIECE, PIECE // 2, PIECE, 10, PIECE, PIECE, 20, PIECE, 7])
        self.assertTrue(client.data == sent)

    def test_nobody_waits_for_it(self) -> None:
        """It makes no difference to readers in the midst of such drops."""
        fast, slow = self.client(), self.client()
        sent = self.send(*[PIECE // 4] * 2)
        slow.reader.pauseProducing()
        sent += self.send(*[PIECE // 4] * 7)
        late = self.client()
        slow.reader.resumeProducing()
        sent += self.send(*[PIECE // 4] * 4)
        sizes = self.kept_sizes()
        self.assertEqual((sum(sizes), len(sizes) < 13), (len(sent), True))
        self.assertTrue(fast.data == slow.data == late.data == sent)

    @given(st.lists(st.sampled_from([1, 100, PIECE // 3, PIECE - 1, PIECE, 2 * PIECE]), max_size=12), st.data())
    def test_any_size(self, sizes: list[int], data: st.DataObject) -> None:
        """In whatever pieces it comes, and whoever lags behind where: all have the same bytes, and the store too."""
        self.make(1 << 20, 1 << 20)
        clients, sent = [self.client(), self.client()], b""
        for size in sizes:
            sent += self.send(size)
            who = clients[data.draw(st.integers(0, len(clients) - 1))].reader
            (who.resumeProducing if who.paused else who.pauseProducing)()
            if data.draw(st.booleans()):
                clients.append(self.client())
        self.body.end()
        for client in clients:
            client.reader.resumeProducing()
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        self.assertTrue(all(client.data == sent and client.reason is None for client in clients))
        self.assertTrue(b"".join(self.kept[0] or ()) == sent)

    def test_late_reader_in_turns(self) -> None:
        """One who comes when much is there gets it little by little, and what comes meanwhile in its order."""
        self.client()
        sent = self.send(*[PIECE] * 20)
        late = self.client()
        self.assertEqual(len(late.data), TURN)
        sent += self.send(5)
        while self.clock.getDelayedCalls():
            self.clock.advance(0)
        self.assertTrue(late.data == sent)
        self.body.end()
        self.assertIsNone(late.reason)

    def test_late_reader_leaves(self) -> None:
        """If he leaves before he has had it all, nothing is left to happen."""
        self.client()
        self.send(*[PIECE] * 20)
        self.client().reading.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LeavingTests(SharingTestCase):
    def test_one_of_several(self) -> None:
        """Whoever leaves stops nobody else."""
        first, second = self.client(), self.client()
        self.body.write(b"a")
        first.reading.cancel()
        second_again = self.client()
        second.reader.stopProducing()
        self.assertEqual(self.body.calls, [])
        self.body.end()
        self.assertEqual((first.reason, second.reason, second_again.reason), (CancelledError, BodyStopped, None))

    def test_the_last(self) -> None:
        """The last one stops upstream."""
        only = self.client()
        only.reading.cancel()
        self.assertEqual(self.body.calls, ["cancelled"])
        self.assertEqual(self.kept, [None])

    def test_before_it_began(self) -> None:
        """Nobody who never started holds a connection."""
        reader = self.shared.reader()
        reader.stopProducing()
        self.assertEqual(self.body.calls, ["stopped"])
        self.failureResultOf(reader.startProducing(self), BodyStopped)

    def test_runs_alone(self) -> None:
        """Asked to run, it is read to its end for the store alone."""
        self.shared.run()
        self.shared.run()
        self.body.write(b"a")
        self.body.end()
        self.assertEqual(self.kept, [[b"a"]])

    def test_stopped_for_all(self) -> None:
        """It can be cut short for everybody."""
        client = self.client()
        self.shared.run()
        self.shared.stop()
        self.assertEqual((client.reason, self.body.calls), (BodyStopped, ["cancelled"]))


class LimitTests(SharingTestCase):
    def test_let_go(self) -> None:
        """Above the limit it is not kept, and told of at once; those who read go on, nobody joins."""
        self.make(5)
        client = self.client()
        self.body.write(b"abc")
        self.body.write(b"def")
        self.assertEqual((self.kept, self.shared.joinable, self.budget.left), ([None], False, 1000))
        self.body.write(b"ghi")
        self.body.end()
        self.assertEqual((client.data, client.reason, self.kept), (b"abcdefghi", None, [None]))

    def test_let_go_costs_nothing(self) -> None:
        """What is let go reaches its only reader as if nobody stood in between, unless he is behind."""
        self.make(5)
        client = self.client()
        self.body.write(b"abcdef")
        self.assertIs(self.shared.direct, client)
        client.reader.pauseProducing()
        self.assertIsNone(self.shared.direct)
        self.body.write(b"g")
        self.assertEqual(client.data, b"abcdef")
        client.reader.resumeProducing()
        self.assertEqual((client.data, self.shared.direct), (b"abcdefg", client))
        self.body.end()
        self.assertIsNone(client.reason)

    def test_nothing_held_after_the_end(self) -> None:
        """What all have read is the store's alone: a reader that somebody still knows holds none of it."""
        client = self.client()
        self.body.write(b"abc")
        self.body.end()
        self.assertEqual((client.data, self.kept, self.shared.next_of(0)), (b"abc", [[b"abc"]], None))

    def test_budget(self) -> None:
        """All bodies together keep no more than they may."""
        self.make(100, budget=5)
        client = self.client()
        self.body.write(b"abcdef")
        self.body.end()
        self.assertEqual((client.data, self.kept, self.budget.left), (b"abcdef", [None], 5))

    def test_slow_reader_alone(self) -> None:
        """The only reader slows upstream down."""
        client = self.client()
        client.reader.pauseProducing()
        self.assertEqual(self.body.calls, ["paused"])
        client.reader.resumeProducing()
        self.assertEqual(self.body.calls, ["paused", "resumed"])

    def test_slow_among_fast(self) -> None:
        """While it is kept, a slow reader slows nobody down."""
        slow, fast = self.client(), self.client()
        slow.reader.pauseProducing()
        self.body.write(b"a")
        self.assertEqual((fast.data, slow.data, self.body.calls), (b"a", b"", []))

    def test_too_slow(self) -> None:
        """Beyond the limit all wait for it, for a while; then it is cut off, and the others go on."""
        self.make(5)
        slow, fast = self.client(), self.client()
        slow.reader.pauseProducing()
        self.body.write(b"abcdef")
        self.assertEqual(self.body.calls, ["paused"])
        self.clock.advance(STALL)
        self.assertEqual((slow.reason, self.body.calls), (ReaderTooSlow, ["paused", "resumed"]))
        self.body.end()
        self.assertEqual((fast.data, fast.reason), (b"abcdef", None))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_caught_up(self) -> None:
        """One that catches up in time is not cut off."""
        self.make(5)
        slow, fast = self.client(), self.client()
        slow.reader.pauseProducing()
        self.body.write(b"abcdef")
        self.clock.advance(STALL / 2)
        slow.reader.resumeProducing()
        self.clock.advance(STALL)
        self.body.write(b"g")
        self.body.end()
        self.assertEqual([(each.data, each.reason) for each in (slow, fast)], [(b"abcdefg", None)] * 2)

    def test_nobody_takes_anything(self) -> None:
        """Who lags is not cut off while the others do not want to go on either."""
        self.make(5)
        slow, fast = self.client(), self.client()
        slow.reader.pauseProducing()
        self.body.write(b"abcdef")
        fast.reader.pauseProducing()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(STALL)
        self.assertEqual(slow.reason, "running")
        fast.reader.resumeProducing()
        self.clock.advance(STALL)
        self.assertEqual(slow.reason, ReaderTooSlow)

    def test_stuck(self) -> None:
        """Upstream is stuck if nothing comes that somebody would take; a reader that takes nothing makes it not so."""
        client = self.client()
        self.body.write(b"a")
        self.assertEqual([self.shared.is_stuck(-0.1), self.shared.is_stuck(0.0)], [False, True])
        client.reader.pauseProducing()
        self.assertFalse(self.shared.is_stuck(0.0))
        client.reader.resumeProducing()
        self.body.end()
        self.assertFalse(self.shared.is_stuck(0.0))

    def test_paused_while_writing(self) -> None:
        """A reader that pauses in the middle of what it is given gets no more before it goes on."""
        slow = self.client()
        slow.reader.pauseProducing()
        self.client()
        for piece in (b"a", b"b", b"c"):
            self.body.write(piece)
        slow.pause_at = 2
        slow.reader.resumeProducing()
        self.assertEqual(slow.data, b"ab")
        slow.reader.resumeProducing()
        self.assertEqual(slow.data, b"abc")
