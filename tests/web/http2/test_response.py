"""Tests for L{llmproxy.web.http2.response}."""

from __future__ import annotations

import time
from typing import Any

from h2.settings import SettingCodes
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from ..http2wire import Http2Client
from ..wire import Streaming


class Source:
    """Notes whether it may produce."""

    def __init__(self) -> None:
        self.flowing = True
        self.stopped = False

    def pauseProducing(self) -> None:
        self.flowing = False

    def resumeProducing(self) -> None:
        self.flowing = True

    def stopProducing(self) -> None:
        self.stopped = True


class Ending(Source):
    """Has nothing more to say when it is resumed."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self._request = request

    def resumeProducing(self) -> None:
        self._request.unregisterProducer()
        self._request.finish()


class ResponseTests(SynchronousTestCase):
    window = 65_535

    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Http2Client(self.resource, window=self.window)
        self.stream = self.client.get()
        self.request: Any = self.resource.seen[0].request

    def test_head_as_given(self) -> None:
        """The fields are those that are given, in lower case, but for those of a connection; nothing is added."""
        fields = [(b"X-A", b"1"), (b"Connection", b"close"), (b"Transfer-Encoding", b"chunked"), (b"Set-Cookie", b"a")]
        self.request.write_head(201, b"Made", fields, UNKNOWN_LENGTH)
        self.request.finish()
        self.client.run()
        self.assertEqual(self.client.heads[self.stream], {b":status": b"201", b"x-a": b"1", b"set-cookie": b"a"})
        self.assertEqual(self.client.ended[self.stream], "complete")

    def test_length(self) -> None:
        """A known length is announced, once."""
        self.request.write_whole(200, b"OK", [(b"Content-Length", b"2")], 2, b"ok")
        self.client.run()
        self.assertEqual(self.client.heads[self.stream][b"content-length"], b"2")
        other = self.client.get()
        self.resource.seen[1].request.write_whole(200, b"OK", [], 2, b"ok")
        self.client.run()
        self.assertEqual(self.client.heads[other][b"content-length"], b"2")

    def test_no_content(self) -> None:
        """An answer without content has none, and says nothing of its length."""
        self.request.write_head(304, b"", [(b"etag", b'"a"')], None)
        self.request.finish()
        self.client.run()
        self.assertEqual(self.client.heads[self.stream], {b":status": b"304", b"etag": b'"a"'})
        self.assertEqual(
            (self.client.contents.get(self.stream, b""), self.client.ended[self.stream]), (b"", "complete")
        )

    def test_interim_and_trailers(self) -> None:
        """What comes before the head and behind the content passes."""
        self.request.write_interim(103, b"Early Hints", [(b"Link", b"</a>")])
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.write(b"ok")
        self.request.write_interim(103, b"Late", [])
        self.request.finish([(b"X-Sum", b"7")])
        self.client.run()
        self.assertEqual(self.client.interim, {self.stream: [b"103"]})
        self.assertEqual(self.client.trailers, {self.stream: [(b"x-sum", b"7")]})
        self.assertEqual((self.client.contents[self.stream], self.client.ended[self.stream]), (b"ok", "complete"))

    def test_each_piece_at_once(self) -> None:
        """No piece waits for the next one."""
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        for piece in (b"one", b"two"):
            self.request.write(piece)
            self.client.run()
            self.assertTrue(self.client.contents[self.stream].endswith(piece), piece)

    def test_cut(self) -> None:
        """What is not complete is reset, with a code that says so; the others go on."""
        self.request.write_head(200, b"OK", [], 5)
        self.request.write(b"abc")
        self.request.finish()
        self.client.run()
        self.assertEqual(self.client.ended[self.stream], "INTERNAL_ERROR")
        other = self.client.get()
        self.resource.seen[1].request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.resource.seen[1].request.abort()
        self.client.run()
        self.assertEqual(self.client.ended[other], "INTERNAL_ERROR")
        last = self.client.get()
        self.resource.seen[2].answer()
        self.client.run()
        self.assertEqual(self.client.ended[last], "complete")

    def test_cut_with_much_waiting(self) -> None:
        """What waits for a stream that was cut goes nowhere."""
        self.client.takes = False
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.write(b"x" * 100_000)
        self.client.run()
        self.request.abort()
        self.client.run()
        self.assertEqual(self.client.ended[self.stream], "INTERNAL_ERROR")
        self.client.http.increment_flow_control_window(100_000)
        self.client.run()
        self.assertEqual(len(self.client.contents[self.stream]), 65_535)

    def test_window(self) -> None:
        """A client that takes nothing pauses the source; what it takes resumes it."""
        source = Source()
        self.client.takes = False
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.registerProducer(source, True)
        for _ in range(4):
            self.request.write(b"x" * 16_384)
        self.client.run()
        self.assertFalse(source.flowing)
        self.client.take(self.stream, 40_000)
        self.assertTrue(source.flowing)

    def test_cut_while_more_is_wanted(self) -> None:
        """A window that the client opens just then opens nothing."""
        self.client.takes = False
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.write(b"x" * 100_000)
        self.client.run()
        self.client.http.increment_flow_control_window(100_000, self.stream)
        self.client.run()
        self.request.abort()
        self.client.http.increment_flow_control_window(100_000)
        self.client.run()
        other = self.client.get()
        self.resource.seen[1].answer()
        self.client.run()
        self.assertEqual((self.client.ended[self.stream], self.client.ended[other]), ("INTERNAL_ERROR", "complete"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_later_settings(self) -> None:
        """A client that takes more from now on, by its settings, resumes the source."""
        source = Source()
        self.client.takes = False
        self.client.http.increment_flow_control_window(1_000_000)
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.registerProducer(source, True)
        self.request.write(b"x" * 65_535)
        self.client.run()
        self.assertFalse(source.flowing)
        self.client.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 200_000})
        self.client.run()
        self.assertTrue(source.flowing)

    def test_end_at_the_opening(self) -> None:
        """A source that is at its end when it is resumed, for one window of all streams, disturbs no other stream."""
        self.client.takes = False
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.registerProducer(Ending(self.request), True)
        self.request.write(b"x" * 65_535)
        self.client.run()
        self.client.http.increment_flow_control_window(100_000, self.stream)
        self.client.run()
        self.assertNotIn(self.stream, self.client.ended)
        self.client.http.increment_flow_control_window(100_000)
        self.client.run()
        self.assertEqual((self.client.ended[self.stream], self.client.transport.ended), ("complete", ""))

    def test_left(self) -> None:
        """After the client has left nothing that is written does harm, and the source hears of it once."""
        self.request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        self.request.registerProducer(Source(), True)
        self.client.reset(self.stream)
        self.request.write(b"x")
        self.request.unregisterProducer()
        self.request.finish()
        self.request.abort()
        self.client.run()
        self.assertEqual(len(self.resource.seen[0].left), 1)

    def test_impossible_head(self) -> None:
        """A head that HTTP/2 does not know ends the stream, not the connection."""
        self.request.write_head(200, b"OK", [(b":status", b"200")], 0)
        self.client.run()
        self.assertEqual(self.client.ended[self.stream], "INTERNAL_ERROR")
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class LargeWindowTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        """However much the client says it would take, only so much waits here."""
        resource = Streaming()
        client = Http2Client(resource, window=2**30)
        client.get()
        request = resource.seen[0].request
        client.transport.take(0)
        source = Source()
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.registerProducer(source, True)
        written = 0
        while source.flowing and written < 10_000_000:
            request.write(b"x" * 16_384)
            written += 16_384
            client.run()
        self.assertLess(written, 300_000)
        client.transport.take(None)
        client.run()
        self.assertTrue(source.flowing)

    def test_large_answer(self) -> None:
        """An answer of many megabytes in one piece costs in proportion: its rest is not copied for each frame."""

        def spent(size: int) -> float:
            resource = Streaming()
            client = Http2Client(resource, window=2**30)
            client.get()
            client.connection._to_transport = lambda data: None
            start = time.process_time()
            resource.seen[0].answer(b"x" * size)
            return time.process_time() - start

        small = min(spent(1 << 20) for _ in range(3))
        self.assertLess(min(spent(16 << 20) for _ in range(3)), 64 * small)
