"""Tests for L{llmproxy.upstream.http2.stream}; what exchanges do on a connection stands in test_connection.py."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core.http2.frames import ErrorCode
from llmproxy.errors import UpstreamReset
from llmproxy.upstream.http2.stream import phrase

from ..wire import Body, Reader
from .wire import OK, Http2Wire


class PhraseTests(SynchronousTestCase):
    def test_each(self) -> None:
        """A status has its usual phrase; one that nobody knows has none."""
        for status, expected in ((200, b"OK"), (429, b"Too Many Requests"), (103, b"Early Hints"), (599, b"")):
            self.assertEqual(phrase(status), expected, status)


class StreamTests(SynchronousTestCase):
    def test_one_write(self) -> None:
        """A small request leaves in one piece: preface aside, its head and its content."""
        held = Http2Wire()
        held.ask()
        upstream = held.accept()
        writes: list[bytes] = []
        connection: Any = upstream.socket.protocol
        self.patch(connection, "_to_transport", writes.append)
        held.send(b"POST", [], BytesBody(b"question"))
        self.assertEqual(len(writes), 1)
        self.assertTrue(writes[0].endswith(b"question"))

    def test_one_read(self) -> None:
        """What comes in one read reaches the reader in one piece, however many frames it has."""
        held = Http2Wire()
        asked = held.ask()
        upstream = held.accept()
        upstream.http.send_headers(1, OK)
        upstream.flush()
        self.successResultOf(asked).body.startProducing(reader := Reader())
        for _ in range(3):
            upstream.http.send_data(1, b"x" * 10_000)
        upstream.flush()
        self.assertEqual([len(each) for each in reader.chunks], [30_000])

    def test_reset_with_content(self) -> None:
        """What has come before upstream ends the stream is read, and then it is an error."""
        held = Http2Wire()
        asked = held.ask()
        upstream = held.accept()
        upstream.http.send_headers(1, OK)
        upstream.http.send_data(1, b"some")
        upstream.http.reset_stream(1, ErrorCode.INTERNAL_ERROR)
        upstream.flush()
        done = self.successResultOf(asked).body.startProducing(reader := Reader())
        self.failureResultOf(done, UpstreamReset)
        self.assertEqual(reader.data, b"some")

    def test_unfinished_upload(self) -> None:
        """An upload that upstream ends early is stopped, and its answer is whole: RFC 9113 section 8.1."""
        held = Http2Wire()
        body = Body()
        asked = held.send(b"POST", [], body)
        upstream = held.accept()
        body.write(b"x")
        upstream.hear()
        upstream.http.send_headers(1, [(b":status", b"403"), (b"content-length", b"2")])
        upstream.http.send_data(1, b"no", end_stream=True)
        upstream.http.reset_stream(1, ErrorCode.NO_ERROR)
        upstream.flush()
        response = self.successResultOf(asked)
        self.assertEqual((response.code, self.successResultOf(response.content()), body.stopped), (403, b"no", 1))
