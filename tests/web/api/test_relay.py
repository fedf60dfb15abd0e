"""Tests for L{llmproxy.web.api.relay}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.bodies import BytesBody
from llmproxy.errors import UpstreamReset
from llmproxy.message import ApiResponse
from llmproxy.web.api.relay import Relay
from tests.test_bodies import HeldBody

from ..downstream import Downstream

FIELDS = [(b"content-TYPE", b"text/event-stream"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")]


class RelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Downstream()
        self.responding: Deferred[ApiResponse] = Deferred(lambda _: self.client.log.append("cancelled"))
        Relay(self.client, False).start(self.responding)

    def test_at_hand(self) -> None:
        """A response at hand is written whole: its head as it is, its bytes, its end."""
        self.responding.callback(ApiResponse(200, b"Fine", FIELDS, BytesBody(b"abc")))
        self.assertEqual(self.client.head, (200, b"Fine", FIELDS, 3))
        self.assertEqual((self.client.written, self.client.state), (b"abc", "finished"))
        self.assertIsNone(self.client.producer)

    def test_streamed(self) -> None:
        """The head goes out before the body is there, and each chunk when it comes."""
        body = HeldBody()
        response = ApiResponse(200, b"OK", FIELDS, body)
        self.responding.callback(response)
        self.assertEqual(self.client.head, (200, b"OK", FIELDS, UNKNOWN_LENGTH))
        body.consumer.write(b"data: 1\n\n")
        self.assertEqual((self.client.written, self.client.state), (b"data: 1\n\n", "open"))
        self.assertIs(self.client.producer, body)
        response.trailers.append((b"X-Checksum", b"1"))
        body.done.callback(None)
        self.assertEqual((self.client.state, self.client.producer), ("finished", None))
        self.assertEqual(self.client.trailers, [(b"X-Checksum", b"1")])

    def test_no_content(self) -> None:
        """A 204 has a head and nothing else."""
        self.responding.callback(ApiResponse(204, b"No Content", [], None))
        self.assertEqual((self.client.head, self.client.state), ((204, b"No Content", [], None), "finished"))

    def test_head(self) -> None:
        """An answer to HEAD is written without content, and a body that came along is stopped."""
        client, body = Downstream(b"HEAD"), HeldBody()
        Relay(client, True).start(succeed(ApiResponse(200, b"OK", FIELDS, body)))
        self.assertEqual((client.head, client.state), ((200, b"OK", FIELDS, None), "finished"))
        self.assertEqual(body.calls, ["stopped"])

    def test_broken(self) -> None:
        """A body that breaks breaks the client's transfer: a part never looks like the whole."""
        body = HeldBody()
        self.responding.callback(ApiResponse(200, b"OK", FIELDS, body))
        body.consumer.write(b"half")
        body.done.errback(UpstreamReset())
        self.assertEqual(self.client.state, "aborted")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_left_before_the_head(self) -> None:
        """A client that leaves before the head cancels the exchange."""
        self.client.leave()
        self.assertEqual(self.client.log, ["cancelled"])
        self.assertIsNone(self.client.head)

    def test_left_in_the_body(self) -> None:
        """A client that leaves in the body cancels the body, and nothing is written any more."""
        body = HeldBody()
        self.responding.callback(ApiResponse(200, b"OK", FIELDS, body))
        self.client.leave()
        self.assertEqual((body.calls, self.client.state), (["cancelled"], "left"))

    def test_left_after_the_end(self) -> None:
        """A connection that closes after the answer is nobody's fault."""
        self.responding.callback(ApiResponse(200, b"OK", FIELDS, BytesBody(b"abc")))
        self.client.leave()
        self.assertEqual(self.client.log, [])

    def test_head_after_the_client_left(self) -> None:
        """A head that could not be held back any more has its body stopped."""
        client, body = Downstream(), HeldBody()
        shielded: Deferred[ApiResponse] = Deferred(lambda d: d.callback(ApiResponse(200, b"OK", FIELDS, body)))
        Relay(client, False).start(shielded)
        client.leave()
        self.assertEqual((body.calls, client.head), (["stopped"], None))

    def test_our_own_fault(self) -> None:
        """A chain that fails without an answer is logged, and the client sees a broken transfer."""
        self.responding.errback(ValueError("a bug"))
        self.assertEqual(self.client.state, "aborted")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
