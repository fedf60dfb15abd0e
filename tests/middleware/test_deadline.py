"""Tests for L{llmproxy.middleware.deadline}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.errors import RequestBodyTimeout, UpstreamReset, UpstreamTimeout
from llmproxy.message import ApiResponse
from llmproxy.middleware.deadline import Deadlines
from llmproxy.net.timers import TimerWheel
from llmproxy.origin import Timeouts

from .fakes import HeldBody, Inner, Reader, a_request, a_response, an_api, answering

LATE = 0.3
"""Two turns of the wheel and a bit: how late a deadline may be noticed."""


class DeadlinesCase(SynchronousTestCase):
    timeouts = Timeouts(response_header=10.0, silence=5.0, request=None)

    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock, 0.1)
        self.inner = Inner()
        self.body = HeldBody()

    def tearDown(self) -> None:
        self.assertEqual(sum(map(len, self.wheel._slots.values())), 0, "a deadline outlived its exchange")

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def begin(self, body: Any = None) -> Deferred[ApiResponse]:
        self.request = a_request(body=body, api=an_api(timeouts=self.timeouts))
        return Deadlines(self.wheel).respond(self.request, self.inner)

    def read(self, responding: Deferred[ApiResponse]) -> Deferred[None]:
        self.inner.answer(a_response(200, self.body))
        body = self.successResultOf(responding).body
        assert body is not None
        self.reading = body
        self.reader = Reader()
        return body.startProducing(self.reader)

    def times_out(self, pending: Deferred[Any], phase: str) -> None:
        self.assertEqual(self.failureResultOf(pending, UpstreamTimeout).value.phase, phase)


class HeardTests(DeadlinesCase):
    def test_heard(self) -> None:
        """Who asks to hear of the answer has it first, once, with a body that is timed; of a failure nothing."""
        heard: list[Any] = []
        responding = self.begin()
        self.assertEqual(heard, [])
        self.inner.answer(a_response(200, BytesBody(b"x")))
        self.successResultOf(responding)
        for fails in (False, True):
            self.inner, self.body = Inner(), HeldBody()
            request = a_request(api=an_api(timeouts=self.timeouts))
            request.heard = heard.append
            responding = Deadlines(self.wheel).respond(request, self.inner)
            responding.addCallback(heard.append)
            self.assertIsNone(request.heard, fails)
            if fails:
                self.inner.fail(UpstreamReset())
                self.failureResultOf(responding, UpstreamReset)
            else:
                self.inner.answer(a_response(200, self.body))
                self.assertEqual(len(heard), 2, fails)
                self.assertIs(heard[0], heard[1])
                self.assertIsNot(heard[0].body, self.body)
                heard[0].body.stopProducing()
        self.assertEqual(len(heard), 2)


class HeadTests(DeadlinesCase):
    def test_no_head(self) -> None:
        """An upstream that never answers is given up, and its connection closed."""
        responding = self.begin()
        self.wait(9.9)
        self.assertNoResult(responding)
        self.wait(LATE)
        self.times_out(responding, "response_header")
        self.assertEqual(self.inner.cancelled, 1)

    def test_head_in_time(self) -> None:
        """An answer in time is not disturbed afterwards, and the time to it is recorded."""
        responding = self.begin()
        self.wait(9)
        self.inner.answer(a_response(204))
        self.assertEqual(self.successResultOf(responding).status, 204)
        self.assertAlmostEqual(self.request.record.upstream_first_byte or 0, 9.0)

    def test_failed(self) -> None:
        """An upstream that fails by itself is not called late."""
        responding = self.begin()
        self.inner.fail(UpstreamReset())
        self.failureResultOf(responding, UpstreamReset)

    def test_left(self) -> None:
        """A client that leaves is not a timeout."""
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(self.inner.cancelled, 1)

    def test_at_once(self) -> None:
        """What is answered at once never gets on the wheel."""
        request = a_request(api=an_api(timeouts=self.timeouts))
        answer = answering(a_response(200, BytesBody(b"abc")))
        response = self.successResultOf(Deadlines(self.wheel).respond(request, answer))
        reader = Reader()
        assert response.body is not None
        self.successResultOf(response.body.startProducing(reader))
        self.assertEqual((reader.data, self.clock.getDelayedCalls()), (b"abc", []))


class UploadTests(DeadlinesCase):
    def upload(self) -> Deferred[ApiResponse]:
        self.sending = HeldBody(100)
        responding = self.begin(self.sending)
        body = self.inner.requests[0].body
        assert body is not None
        self.assertEqual(body.length, 100)
        self.outgoing = body
        self.upstream = Reader()
        body.startProducing(self.upstream)
        return responding

    def test_slow_upload(self) -> None:
        """An upload that makes progress may take longer than the answer; that is timed from its last byte."""
        responding = self.upload()
        for _ in range(10):
            self.wait(4)
            self.sending.write(b"x" * 10)
        self.sending.end()
        self.wait(9.9)
        self.assertNoResult(responding)
        self.wait(LATE)
        self.times_out(responding, "response_header")
        self.assertEqual(self.upstream.data, b"x" * 100)

    def test_silent_client(self) -> None:
        """A client that stops sending is told that it was too slow: upstream is not to blame."""
        responding = self.upload()
        self.sending.write(b"x")
        self.wait(5 + LATE)
        error = self.failureResultOf(responding, RequestBodyTimeout).value
        self.assertEqual((error.status, self.inner.cancelled), (408, 1))

    def test_upstream_does_not_read(self) -> None:
        """If it is upstream that takes nothing, upstream is to blame."""
        responding = self.upload()
        self.outgoing.pauseProducing()
        self.wait(5 + LATE)
        self.times_out(responding, "silence")
        self.assertEqual(self.sending.calls, ["paused"])

    def test_small_body(self) -> None:
        """A body at hand goes out at once; only the answer is timed."""
        responding = self.begin(BytesBody(b"abc"))
        body = self.inner.requests[0].body
        assert body is not None
        self.successResultOf(body.startProducing(Reader()))
        self.wait(9.9)
        self.assertNoResult(responding)
        self.wait(LATE)
        self.times_out(responding, "response_header")

    def test_early_answer(self) -> None:
        """An answer that comes and ends before the upload does leaves nothing behind."""
        producing = self.read(self.upload())
        self.body.end()
        self.successResultOf(producing)
        self.sending.write(b"x")
        self.sending.end()

    def test_left(self) -> None:
        """A client that leaves during its upload is not called slow."""
        responding = self.upload()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)


class BodyTests(DeadlinesCase):
    def test_talking(self) -> None:
        """A stream that keeps talking is never cut, however long it takes."""
        producing = self.read(self.begin())
        for _ in range(20):
            self.wait(4.5)
            self.body.write(b"x")
        self.body.end()
        self.successResultOf(producing)
        self.assertEqual(self.reader.data, b"x" * 20)

    def test_silence(self) -> None:
        """A stream that has gone silent is broken off, and its connection closed."""
        producing = self.read(self.begin())
        self.wait(3)
        self.body.write(b"x")
        self.wait(4.9)
        self.assertNoResult(producing)
        self.wait(LATE)
        self.times_out(producing, "silence")
        self.assertEqual(self.body.calls, ["cancelled"])

    def test_slow_reader(self) -> None:
        """A client that reads slowly is not upstream's silence, which counts anew when it goes on."""
        producing = self.read(self.begin())
        self.reading.pauseProducing()
        self.wait(60)
        self.reading.resumeProducing()
        self.wait(4.9)
        self.assertNoResult(producing)
        self.wait(LATE)
        self.times_out(producing, "silence")
        self.assertEqual(self.body.calls, ["paused", "resumed", "cancelled"])

    def test_head_limit_is_over(self) -> None:
        """The limit of the head means nothing once it is there."""
        responding = self.begin()
        self.wait(9.9)
        producing = self.read(responding)
        self.wait(4.5)
        self.body.write(b"x")
        self.assertNoResult(producing)
        self.body.end()
        self.successResultOf(producing)

    def test_left(self) -> None:
        """A client that leaves in the body is not a timeout."""
        producing = self.read(self.begin())
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.assertEqual(self.body.calls, ["cancelled"])

    def test_stopped(self) -> None:
        """A body that was dropped is not waited for."""
        self.read(self.begin())
        self.reading.stopProducing()
        self.assertEqual(self.body.calls, ["stopped"])

    def test_upstream_died(self) -> None:
        """A reset is a reset."""
        producing = self.read(self.begin())
        self.body.fail(UpstreamReset())
        self.failureResultOf(producing, UpstreamReset)


class WholeTests(DeadlinesCase):
    timeouts = Timeouts(response_header=10.0, silence=5.0, request=12.0)

    def test_in_body(self) -> None:
        """The limit of the whole exchange cuts a stream that keeps talking."""
        producing = self.read(self.begin())
        for _ in range(11):
            self.wait(1)
            self.body.write(b"x")
        self.assertNoResult(producing)
        self.wait(1 + LATE)
        self.times_out(producing, "request")

    def test_paused(self) -> None:
        """It counts for slow readers too."""
        producing = self.read(self.begin())
        self.reading.pauseProducing()
        self.wait(12 + LATE)
        self.times_out(producing, "request")

    def test_upload(self) -> None:
        """It counts from the first byte of the request."""
        sending = HeldBody()
        responding = self.begin(sending)
        body = self.inner.requests[0].body
        assert body is not None
        body.startProducing(Reader())
        for _ in range(11):
            self.wait(1)
            sending.write(b"x")
        self.assertNoResult(responding)
        self.wait(1 + LATE)
        self.times_out(responding, "request")


class NoneTests(DeadlinesCase):
    timeouts = Timeouts(None, None, None, None)

    def test_unlimited(self) -> None:
        """Where there is no limit, nothing is timed."""
        producing = self.read(self.begin(HeldBody()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.body.end()
        self.successResultOf(producing)
