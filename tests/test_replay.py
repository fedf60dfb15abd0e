"""Tests for L{llmproxy.replay}."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.core.budget import Budget
from llmproxy.errors import BodyStopped, ClientLeft
from llmproxy.replay import ReplayableBody

from .middleware.fakes import HeldBody, Reader
from .properties import examples
from .tables import row


class Slow:
    """A reader that takes one chunk, and pauses the body it reads."""

    def __init__(self, body: ReplayableBody) -> None:
        self.body = body
        self.chunks: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.chunks.append(data)
        self.body.pauseProducing()


class ReplayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.budget = Budget(100)
        self.held = HeldBody(length=9)
        self.body = ReplayableBody(self.held, self.budget, 10)
        self.reader = Reader()

    def start(self) -> Deferred[None]:
        self.reader = Reader()
        return self.body.startProducing(self.reader)

    def test_interface(self) -> None:
        """It is a body of the same length."""
        verifyObject(IBodyProducer, self.body)
        self.assertEqual(self.body.length, 9)

    def test_leave(self) -> None:
        """A reader that is gone makes room for the next one, which gets all; without one nothing happens."""
        self.body.leave()
        self.assertEqual(self.held.calls, [])
        self.start()
        self.held.write(b"abc")
        first = self.reader
        self.body.leave()
        self.body.leave()
        self.start()
        self.held.write(b"def")
        self.assertEqual((first.data, self.reader.data), (b"abc", b"abcdef"))

    def test_keep_no_more_than(self) -> None:
        """What is kept stays, with a chunk that was on its way; what comes once a reader is there is not kept."""
        budget = Budget(None)
        body = ReplayableBody(self.held, budget, 10**7)
        body.startProducing(self.reader)
        self.held.write(b"a" * 1000)
        body.leave()
        body.keep_no_more_than(0)
        self.held.write(b"b" * 1000)
        reader = Reader()
        body.startProducing(reader)
        self.held.write(b"c" * 10**6)
        self.assertEqual(len(reader.data), 2000 + 10**6)
        self.assertEqual((budget.used, body.can_replay), (0, False))

    def test_passes(self) -> None:
        """Chunks pass as they come, and so do pauses."""
        done = self.start()
        self.held.write(b"abc")
        self.assertEqual(self.reader.data, b"abc")
        self.body.pauseProducing()
        self.body.resumeProducing()
        self.assertEqual(self.held.calls, ["paused", "resumed"])
        self.held.end()
        self.successResultOf(done)

    def test_again(self) -> None:
        """Who starts it after one that gave up has it from the beginning, and then what is still to come."""
        for give_up in ("stop", "cancel"):
            self.setUp()
            done = self.start()
            self.held.write(b"abc")
            if give_up == "stop":
                self.body.stopProducing()
                with row(give_up):
                    self.assertNoResult(done)
            else:
                done.cancel()
                self.failureResultOf(done, CancelledError)
            self.assertEqual((self.held.calls, self.body.can_replay), (["paused"], True), give_up)
            again = self.start()
            self.assertEqual((self.reader.data, self.held.calls), (b"abc", ["paused", "resumed"]), give_up)
            self.held.write(b"def")
            self.held.end()
            self.successResultOf(again)
            self.assertEqual(self.reader.data, b"abcdef", give_up)

    def test_after_its_end(self) -> None:
        """What has passed to its end is given again at once, as often as it is wanted; then it costs nothing."""
        done = self.start()
        self.held.write(b"abc")
        self.held.end()
        self.successResultOf(done)
        for _ in range(3):
            self.successResultOf(self.start())
            self.assertEqual(self.reader.data, b"abc")
        self.assertEqual(self.budget.used, 3)
        self.body.release()
        self.assertEqual((self.budget.used, self.body.can_replay, self.held.calls), (0, False, []))

    def test_content_that_is_here(self) -> None:
        """A body that ends while it is started is one like another."""
        self.body = ReplayableBody(BytesBody(b"abc"), self.budget)
        for _ in range(2):
            self.successResultOf(self.start())
            self.assertEqual(self.reader.data, b"abc")

    def test_too_large(self) -> None:
        """Above its limit nothing is kept any more: the reader has all of it, nobody else has anything."""
        done = self.start()
        self.held.write(b"x" * 10)
        self.assertEqual((self.body.can_replay, self.budget.used), (True, 10))
        self.held.write(b"y")
        self.assertEqual((self.body.can_replay, self.budget.used), (False, 0))
        self.held.write(b"z")
        self.held.end()
        self.successResultOf(done)
        self.assertEqual(self.reader.data, b"x" * 10 + b"yz")
        self.failureResultOf(self.start(), BodyStopped)

    def test_byte_by_byte(self) -> None:
        """Content that comes byte by byte is kept in few pieces, and given again in these."""
        self.body = ReplayableBody(self.held, Budget(None), 10_000)
        self.start()
        content = bytes(range(250)) * 20
        for at in range(len(content)):
            self.held.write(content[at : at + 1])
        self.body.stopProducing()
        again = Slow(self.body)
        self.body.startProducing(again)
        while len(b"".join(again.chunks)) < len(content):
            self.body.resumeProducing()
        self.assertEqual(b"".join(again.chunks), content)
        self.assertLess(len(again.chunks), 10)

    def test_budget(self) -> None:
        """What others hold is not there to be taken."""
        self.budget.lease().take(98)
        self.start()
        self.held.write(b"ab")
        self.assertTrue(self.body.can_replay)
        self.held.write(b"c")
        self.assertEqual((self.body.can_replay, self.budget.used, self.reader.data), (False, 98, b"abc"))

    def test_given_up_and_not_kept(self) -> None:
        """A reader that gives up what cannot be replayed stops the body within, as if nothing stood between."""
        self.start()
        self.held.write(b"x" * 11)
        self.body.stopProducing()
        self.assertEqual(self.held.calls, ["stopped"])

    def test_chunk_after_a_pause(self) -> None:
        """A chunk that comes while nobody reads is kept; where it cannot be, the body within is stopped."""
        self.start()
        self.held.write(b"abc")
        self.body.stopProducing()
        self.held.write(b"def")
        self.start()
        self.assertEqual(self.reader.data, b"abcdef")
        self.body.stopProducing()
        self.held.write(b"x" * 11)
        self.assertEqual((self.held.calls[-1], self.budget.used), ("stopped", 0))
        self.failureResultOf(self.start(), BodyStopped)

    def test_client_leaves(self) -> None:
        """A body that fails within fails for its reader, or for the next one, and gives back what it held."""
        for reading in (True, False):
            self.setUp()
            done = self.start()
            self.held.write(b"abc")
            if not reading:
                self.body.stopProducing()
            self.held.fail(ClientLeft())
            if reading:
                self.failureResultOf(done, ClientLeft)
            self.failureResultOf(self.start(), ClientLeft)
            self.assertEqual((self.body.can_replay, self.budget.used), (False, 0), reading)

    def test_released(self) -> None:
        """Once no other attempt will be made, nothing is kept; who reads goes on, and stops what stands within."""
        done = self.start()
        self.held.write(b"abc")
        self.body.release()
        self.body.release()
        self.held.write(b"def")
        self.assertEqual((self.reader.data, self.budget.used, self.body.can_replay), (b"abcdef", 0, False))
        self.body.stopProducing()
        self.assertEqual((self.held.calls, self.noResult(done)), (["stopped"], True))

    def noResult(self, done: Deferred[None]) -> bool:
        self.assertNoResult(done)
        return True

    def test_released_unread(self) -> None:
        """Who releases it while nobody reads, or before anybody has, stops what stands within."""
        self.body.release()
        self.assertEqual(self.held.calls, ["stopped"])
        self.setUp()
        self.start()
        self.held.write(b"abc")
        self.body.stopProducing()
        self.body.release()
        self.assertEqual((self.held.calls, self.budget.used), (["paused", "stopped"], 0))

    def test_slow_reader(self) -> None:
        """What is kept is given no faster than it is taken; the rest waits for it, and may be released meanwhile."""
        self.body = ReplayableBody(self.held, self.budget, 10_000)
        self.budget.limit = None
        a, b, c, d = (letter * 1000 for letter in (b"a", b"b", b"c", b"d"))
        self.start()
        for chunk in (a, b, c):
            self.held.write(chunk)
        self.body.stopProducing()
        slow = Slow(self.body)
        done = self.body.startProducing(slow)
        self.assertEqual(slow.chunks, [a])
        self.body.resumeProducing()
        self.body.release()
        self.held.write(d)
        for _ in range(3):
            self.body.resumeProducing()
        self.assertEqual((slow.chunks, self.budget.used), ([a, b, c, d], 0))
        self.held.write(b"e")
        self.held.end()
        self.successResultOf(done)
        self.assertEqual(b"".join(slow.chunks), a + b + c + d + b"e")

    @given(
        st.lists(st.binary(min_size=1, max_size=4).map(lambda few: few * 300), max_size=8),
        st.lists(st.sampled_from(("write", "stop", "cancel", "pause", "resume", "start", "release")), max_size=30),
        st.integers(0, 6000),
    )
    @settings(max_examples=examples(300), deadline=None)
    def test_any_order(self, chunks: list[bytes], actions: list[str], limit: int) -> None:
        """
        Whatever readers do, each has a beginning of the content, one that reads to the end has all of it, and what is
        held is within its bound and given back.
        """
        budget, held = Budget(None), HeldBody()
        body = ReplayableBody(held, budget, limit)
        content, left = b"".join(chunks), list(chunks)
        reader: Any = Reader()
        done = body.startProducing(reader)
        done.addErrback(lambda _: None)
        reading = True
        for action in actions:
            if action == "write" and left and "stopped" not in held.calls:
                held.write(left.pop(0))
            elif action in ("stop", "cancel") and reading:
                body.stopProducing() if action == "stop" else done.cancel()
                reading = False
            elif action in ("pause", "resume") and reading:
                (body.pauseProducing if action == "pause" else body.resumeProducing)()
            elif action == "start" and not reading and body.can_replay:
                reader = Reader()
                done = body.startProducing(reader)
                done.addErrback(lambda _: None)
                reading = True
            elif action == "release":
                body.release()
            self.assertTrue(content.startswith(reader.data), (content, reader.data))
            self.assertLessEqual(budget.used, limit, action)
        if reading:
            body.resumeProducing()
            for chunk in left:
                held.write(chunk)
            held.end()
            self.successResultOf(done)
            self.assertEqual(reader.data, content)
        body.release()
        self.assertEqual(budget.used, 0)
        self.assertTrue(reading or "stopped" in held.calls)
