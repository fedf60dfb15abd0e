"""Tests for L{llmproxy.bodies}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody, Seen, Tap, collect, is_answered
from llmproxy.errors import BodyStopped, ContentTooLarge
from llmproxy.message import ApiResponse


@implementer(IBodyProducer)
class HeldBody:
    """A body that the test lets out chunk by chunk, and that notes what was done to it."""

    length = UNKNOWN_LENGTH

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.consumer: Any = None
        self.done: Deferred[None] = Deferred(lambda _: self.calls.append("cancelled"))

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self.consumer = consumer
        return self.done

    def pauseProducing(self) -> None:
        self.calls.append("paused")

    def resumeProducing(self) -> None:
        self.calls.append("resumed")

    def stopProducing(self) -> None:
        self.calls.append("stopped")


class Written:
    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.chunks.append(data)


class BytesBodyTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """A body at hand is written at once, its Deferred has fired, its length is known."""
        body, written = BytesBody(b"abc"), Written()
        verifyObject(IBodyProducer, body)
        self.assertEqual(body.length, 3)
        self.successResultOf(body.startProducing(written))
        self.assertEqual(written.chunks, [b"abc"])

    def test_empty(self) -> None:
        """An empty body writes nothing: no empty chunk ends a chunked message early."""
        written = Written()
        self.successResultOf(BytesBody(b"").startProducing(written))
        self.assertEqual(written.chunks, [])

    def test_stopped(self) -> None:
        """A stopped body lets go of its bytes."""
        body, written = BytesBody(b"abc"), Written()
        body.stopProducing()
        body.startProducing(written)
        self.assertEqual(written.chunks, [])

    def test_again(self) -> None:
        """It can be sent a second time, to another upstream for example."""
        body, written = BytesBody(b"abc"), Written()
        body.startProducing(written)
        body.startProducing(written)
        self.assertEqual(written.chunks, [b"abc", b"abc"])

    def test_watched(self) -> None:
        """Who watches hears once that it was taken, however that was done."""
        for take in (BytesBody.take, lambda body: body.startProducing(Written())):
            ends: list[Failure | None] = []
            body = BytesBody(b"abc")
            body.watch(ends.append)
            take(body)
            body.stopProducing()
            self.assertEqual(ends, [None], take)

    def test_dropped(self) -> None:
        """Or that it was dropped."""
        ends: list[Any] = []
        body = BytesBody(b"abc")
        body.watch(ends.append)
        body.stopProducing()
        body.stopProducing()
        [reason] = ends
        self.assertIsInstance(reason.value, BodyStopped)
        self.assertEqual(body.take(), b"")

    def test_chunked(self) -> None:
        """A body that came in chunks says so, although all of it is here."""
        self.assertIs(BytesBody(b"abc", UNKNOWN_LENGTH).length, UNKNOWN_LENGTH)


class IsAnsweredTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Only a response that is here with all of its body is one that nothing can happen to."""

        def answer(body: Any = None) -> ApiResponse:
            return ApiResponse(200, b"OK", [], body)

        self.assertTrue(is_answered(succeed(answer())))
        self.assertTrue(is_answered(succeed(answer(BytesBody(b"x")))))
        self.assertFalse(is_answered(succeed(answer(HeldBody()))))
        self.assertFalse(is_answered(Deferred()))
        failed: Deferred[ApiResponse] = fail(ContentTooLarge())
        self.assertFalse(is_answered(failed))
        self.failureResultOf(failed)

    def test_not_yet(self) -> None:
        """Nor is one that waits for another Deferred, or is paused."""
        waiting: Deferred[ApiResponse] = Deferred()
        chained = succeed(None).addCallback(lambda _: waiting)
        self.assertFalse(is_answered(chained))
        paused: Deferred[ApiResponse] = succeed(ApiResponse(200, b"OK", []))
        paused.pause()
        self.assertFalse(is_answered(paused))


class TapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.body = HeldBody()
        self.seen: list[bytes] = []
        self.ends: list[Failure | None] = []
        self.tap = Tap(self.body, self.seen.append, self.ends.append)
        self.written = Written()

    def test_sees_what_passes(self) -> None:
        """The chunks reach the consumer as they were, and the tap has seen each."""
        verifyObject(IBodyProducer, self.tap)
        done = self.tap.startProducing(self.written)
        self.body.consumer.write(b"a")
        self.body.consumer.write(b"bc")
        self.assertEqual((self.seen, self.written.chunks), ([b"a", b"bc"], [b"a", b"bc"]))
        self.assertEqual(self.ends, [])
        self.body.done.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.ends, [None])

    def test_length(self) -> None:
        """A tap has the length of what it taps."""
        self.assertIs(self.tap.length, UNKNOWN_LENGTH)
        self.assertEqual(Tap(BytesBody(b"abc"), None).length, 3)

    def test_backpressure(self) -> None:
        """Pause and resume reach the body behind the tap."""
        self.tap.startProducing(self.written)
        self.tap.pauseProducing()
        self.tap.resumeProducing()
        self.assertEqual(self.body.calls, ["paused", "resumed"])

    def test_broken(self) -> None:
        """A body that breaks is told with its reason, once, and the reader is told too."""
        done = self.tap.startProducing(self.written)
        self.body.done.errback(ValueError("broken"))
        self.failureResultOf(done, ValueError)
        [reason] = self.ends
        assert reason is not None
        reason.trap(ValueError)

    def test_cancelled(self) -> None:
        """Cancelling what the tap returned cancels the body."""
        done = self.tap.startProducing(self.written)
        done.cancel()
        self.assertEqual(self.body.calls, ["cancelled"])
        self.failureResultOf(done, CancelledError)
        self.assertEqual(len(self.ends), 1)

    def test_stopped(self) -> None:
        """A body that its reader stops is told as stopped, once, and stops the body behind it."""
        self.tap.startProducing(self.written)
        self.tap.stopProducing()
        self.tap.stopProducing()
        self.assertEqual(self.body.calls, ["stopped", "stopped"])
        [reason] = self.ends
        assert reason is not None
        reason.trap(BodyStopped)

    def test_dropped_before_the_start(self) -> None:
        """A body that nobody wanted is told as stopped."""
        self.tap.stopProducing()
        self.assertEqual(len(self.ends), 1)

    def test_only_the_end(self) -> None:
        """A tap that wants no chunks does not stand in their way."""
        tap = Tap(self.body, None, self.ends.append)
        tap.startProducing(self.written)
        self.assertIs(self.body.consumer, self.written)
        self.body.done.callback(None)
        self.assertEqual(self.ends, [None])


class Producer:
    """Somebody who can be paused."""


class SeenTests(SynchronousTestCase):
    def test_interface(self) -> None:
        """It is a consumer like the one behind it."""
        verifyObject(IConsumer, Seen(Noting(), len))

    def test_passes_on(self) -> None:
        """Every chunk is seen before it arrives, and who produces is told to the one who consumes."""
        noting, seen = Noting(), []
        consumer = Seen(noting, seen.append)
        producer = Producer()
        consumer.registerProducer(producer, True)  # type: ignore[arg-type]
        consumer.write(b"ab")
        consumer.write(b"c")
        consumer.unregisterProducer()
        self.assertEqual(seen, [b"ab", b"c"])
        self.assertEqual(noting.calls, [(producer, True), b"ab", b"c", None])


@implementer(IConsumer)
class Noting:
    """Notes what a consumer is told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.calls.append((producer, streaming))

    def unregisterProducer(self) -> None:
        self.calls.append(None)


class CollectTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The content of a body, however it was cut into chunks."""
        body = HeldBody()
        content = collect(body, 10, ContentTooLarge)
        body.consumer.write(b"01234")
        body.consumer.write(b"56789")
        self.assertNoResult(content)
        body.done.callback(None)
        self.assertEqual(self.successResultOf(content), b"0123456789")

    def test_bound(self) -> None:
        """One byte too many: the body is stopped, nothing is kept, the reader is told why."""
        body = HeldBody()
        content = collect(body, 4, ContentTooLarge)
        body.consumer.write(b"0123")
        body.consumer.write(b"4")
        self.failureResultOf(content, ContentTooLarge)
        self.assertEqual(body.calls, ["stopped"])
        body.consumer.write(b"more")
        self.assertEqual(body.consumer.chunks, [])

    def test_too_large_at_once(self) -> None:
        """A body that is too large and delivered while it is started is refused all the same."""
        self.failureResultOf(collect(BytesBody(b"12345"), 4, ContentTooLarge), ContentTooLarge)

    def test_broken(self) -> None:
        """A body that breaks fails the reading of it."""
        body = HeldBody()
        content = collect(body, 4, ContentTooLarge)
        body.done.errback(ValueError())
        self.failureResultOf(content, ValueError)

    def test_cancelled(self) -> None:
        """Whoever reads may leave."""
        body = HeldBody()
        content = collect(body, 4, ContentTooLarge)
        content.cancel()
        self.assertEqual(body.calls, ["cancelled"])
        self.failureResultOf(content, CancelledError)
