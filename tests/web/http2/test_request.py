"""Tests for L{llmproxy.web.http2.request}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.resource import Resource

from llmproxy.core.clientlimits import Limits
from llmproxy.core.http11 import Refusal
from llmproxy.errors import ClientLeft, RequestBodyTimeout

from ..http2wire import Header, Http2Client
from ..wire import Echo, Streaming, Whole

LIMITS = Limits(target=50, head=1000, fields=10, body=100, body_silence=1.0)


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Http2Client(self.resource, LIMITS)

    def test_at_the_head(self) -> None:
        """A resource that takes a stream is called when the head is here, and gets each piece when it comes."""
        stream = self.client.begin("POST", "/x?y=%2F", ("b", "1"), ("a", "2"))
        [seen] = self.resource.seen
        self.assertEqual(seen.line, (b"POST", b"/x?y=%2F"))
        self.assertEqual(seen.request.raw_fields, [(b"Host", b"a"), (b"b", b"1"), (b"a", b"2")])
        seen.read()
        for piece in (b"one", b"two"):
            self.client.send(stream, piece)
            self.assertEqual(seen.consumer.pieces[-1], piece, piece)
        self.assertEqual(seen.ended, [])
        self.client.send(stream, b"", end=True)
        self.assertEqual(seen.ended, [None])

    def test_small_body_is_at_hand(self) -> None:
        """What came together with the head is there at once."""
        self.client.post(b"abc")
        body = self.resource.seen[0].request.body
        self.assertTrue(body.at_hand)
        self.resource.seen[0].read()
        self.assertEqual((self.resource.seen[0].consumer.data, self.resource.seen[0].ended), (b"abc", [None]))

    def test_without_a_body(self) -> None:
        """Where nothing follows there is no body, and its answer comes."""
        stream = self.client.get()
        self.assertIsNone(self.resource.seen[0].request.body)
        self.resource.seen[0].answer()
        self.client.run()
        self.assertEqual((self.client.ended[stream], self.client.contents[stream]), ("complete", b"ok"))

    def test_backpressure(self) -> None:
        """While nobody reads, no more than the stream's window comes, and what is read makes room."""
        stream = self.client.begin()
        self.assertEqual(self.client.fill(stream), 65_535)
        seen = self.resource.seen[0]
        seen.read()
        self.client.run()
        self.assertEqual(len(seen.consumer.data), 65_535)
        self.assertGreater(self.client.fill(stream), 0)
        seen.request.body.pauseProducing()
        self.client.fill(stream)
        taken = len(seen.consumer.data)
        self.client.fill(stream)
        self.assertEqual((len(seen.consumer.data), self.client.fill(stream)), (taken, 0))
        seen.request.body.resumeProducing()
        self.assertGreater(len(seen.consumer.data), taken)

    def test_trailers(self) -> None:
        """Trailers come with the end of the body; what must not stand there ends it with an error."""
        for trailers, ends in (([("x-sum", "7")], None), ([("content-length", "1")], Refusal)):
            stream = self.client.begin()
            seen = self.resource.seen[-1]
            seen.read()
            self.client.send(stream, b"abc")
            self.client.http.send_headers(stream, trailers, end_stream=True)
            self.client.run()
            if ends is None:
                self.assertEqual(
                    (seen.ended, seen.request.body.trailers), ([None], [(b"x-sum", b"7")]), (trailers, ends)
                )
            else:
                self.assertTrue(seen.ended[0].check(ends), trailers)

    def test_trailers_beside_a_length(self) -> None:
        """Where trailers were announced, or are here with the content, they are kept: in chunks, without the length."""
        for fields, at_once in (((("trailer", "x-sum"),), False), ((), True)):
            stream = self.client.http.get_next_available_stream_id()
            head: list[Header] = [(":method", "POST"), (":path", "/"), (":scheme", "https"), (":authority", "a")]
            self.client.http.send_headers(stream, [*head, ("content-length", "3"), *fields])
            if not at_once:
                self.client.run()
            self.client.http.send_data(stream, b"abc")
            self.client.http.send_headers(stream, [("x-sum", "7")], end_stream=True)
            self.client.run()
            seen = self.resource.seen[-1]
            seen.read()
            body = seen.request.body
            self.assertEqual(
                (seen.consumer.data, body.length, body.trailers),
                (b"abc", UNKNOWN_LENGTH, [(b"x-sum", b"7")]),
                (fields, at_once),
            )
            self.assertNotIn(b"content-length", dict(seen.request.raw_fields))

    def test_length_without_trailers(self) -> None:
        """Without any it stays."""
        self.client.post(b"abc", "/", ("content-length", "3"))
        seen = self.resource.seen[-1]
        self.assertEqual(seen.request.body.length, 3)
        self.assertIn((b"content-length", b"3"), seen.request.raw_fields)

    def test_expectation(self) -> None:
        """Who waits to be asked for the body is asked when somebody wants it, and not before."""
        stream = self.client.begin("POST", "/", ("expect", "100-continue"))
        self.assertEqual(self.client.interim, {})
        self.resource.seen[0].read()
        self.client.run()
        self.assertEqual(self.client.interim, {stream: [b"100"]})
        refused = self.client.begin("POST", "/", ("expect", "100-continue"))
        self.resource.seen[1].answer(status=401)
        self.client.run()
        self.assertNotIn(refused, self.client.interim)
        self.assertEqual((self.client.status(refused), self.client.ended[refused]), (401, "complete NO_ERROR"))

    def test_silence(self) -> None:
        """A body that is wanted and does not come is given up; one that nobody wants yet has time."""
        self.client.begin()
        self.client.wait(5)
        seen = self.resource.seen[0]
        seen.read()
        self.client.wait(1.3)
        self.assertTrue(seen.ended[0].check(RequestBodyTimeout))

    def test_slow_is_not_silent(self) -> None:
        """As long as something comes the client has time, and after the body nothing is waited for."""
        stream = self.client.begin()
        seen = self.resource.seen[0]
        seen.read()
        for _ in range(5):
            self.client.wait(0.7)
            self.client.send(stream, b"x")
        self.client.send(stream, b"", end=True)
        self.client.wait(3)
        self.assertEqual(seen.ended, [None])

    def test_client_resets(self) -> None:
        """A stream that is reset is a client that left: whoever answers hears of it, and so does who reads."""
        stream = self.client.begin()
        seen = self.resource.seen[0]
        seen.read()
        self.client.reset(stream)
        self.assertEqual([reason.type for reason in (*seen.left, *seen.ended)], [ClientLeft, ClientLeft])

    def test_connection_is_lost(self) -> None:
        """So is one whose connection is lost, however many streams that had."""
        for _ in range(3):
            self.client.get()
        self.client.transport.reset()
        self.client.clock.advance(0)
        self.assertEqual([len(seen.left) for seen in self.resource.seen], [1, 1, 1])

    def test_failing_resource(self) -> None:
        """What a resource raises is a 500 of that stream alone."""
        client = Http2Client(_Failing())
        stream = client.get()
        self.assertEqual(client.status(stream), 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(client.status(client.get()), 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_told_of_proxies(self) -> None:
        """Address and security are those of the connection."""
        self.client.get()
        request = self.resource.seen[0].request
        self.assertEqual((request.client_host, request.secure, request.clientproto), ("192.0.2.1", False, b"HTTP/2"))


class RefusalTests(SynchronousTestCase):
    def test_each(self) -> None:
        """What is refused is told to the client, log and metrics, and ends its stream alone."""
        resource = Streaming()
        client = Http2Client(resource, LIMITS, strict=False)
        base: list[Header] = [(b":scheme", b"https"), (b":authority", b"a")]
        refused: tuple[tuple[list[Header], int, str], ...] = (
            ([(b":method", b"GET"), (b":path", b"/a b"), *base], 400, "malformed_request"),
            ([(b":method", b"GET"), (b":path", b"/" + b"x" * 50), *base], 414, "target_too_long"),
            ([(b":method", b"GET"), (b":path", b"/"), *base, *[(b"x", b"y")] * 10], 431, "header_too_large"),
            ([(b":method", b"GET"), (b":path", b"/"), *base, (b"x", b"y" * 1000)], 431, "header_too_large"),
            ([(b":method", b"GET"), (b":path", b"/"), *base, (b"expect", b"x")], 417, "expectation_failed"),
            ([(b":method", b"CONNECT"), (b":authority", b"a:1")], 501, "method_not_supported"),
        )
        for section, status, code in refused:
            stream = client.send_section(section, end=True)
            self.assertEqual((client.status(stream), client.ended.get(stream)), (status, "complete"), section)
            self.assertIn(code.encode(), client.contents[stream])
            head, refusal = client.heads[stream], client.refusals.pop()
            self.assertEqual(refusal[:3], (status, code, "192.0.2.1"), (section, status, code))
            self.assertTrue(head[b"date"].endswith(b" GMT"), section)
            self.assertEqual(
                (head[b"x-request-id"], head[b"request-id"]), (refusal[4].encode(),) * 2, (section, status, code)
            )
        self.assertEqual(resource.seen, [])
        client.get()
        self.assertEqual(len(resource.seen), 1)

    def test_id(self) -> None:
        """A refusal has the id that the client sent."""
        client = Http2Client(Whole(), LIMITS)
        head = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), ("x-request-id", "mine")]
        for path, more in (("/", ("content-length", "101")), ("/a b", ("x", "y"))):
            stream = client.send_section([*head[:1], (":path", path), *head[1:], more], end=False)
            self.assertEqual(
                (client.heads[stream][b"x-request-id"], client.refusals.pop()[4]), (b"mine", "mine"), (path, more)
            )

    def test_head_method(self) -> None:
        """A refusal of a HEAD has no content."""
        client = Http2Client(Whole(), LIMITS)
        stream = client.send_section(
            [(":method", "HEAD"), (":path", "/"), (":scheme", "https"), (":authority", "a"), ("content-length", "101")],
            end=False,
        )
        self.assertEqual((client.status(stream), client.contents.get(stream, b"")), (413, b""))


class WholeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.resource = Whole()
        self.client = Http2Client(self.resource, LIMITS)

    def test_in_pieces(self) -> None:
        """The content is collected up to the limit."""
        stream = self.client.begin()
        self.client.send(stream, b"x" * 60)
        self.assertEqual(self.resource.requests, [])
        self.client.send(stream, b"y" * 40, end=True)
        self.assertEqual(self.resource.requests, [(b"POST", b"/", b"x" * 60 + b"y" * 40)])
        self.assertEqual(self.client.contents[stream], b"ok")

    def test_too_large(self) -> None:
        """Beyond it the client is told at once, whether it said so before or not, and asked for no more."""
        stream = self.client.begin()
        self.client.send(stream, b"x" * 60)
        self.client.send(stream, b"x" * 60)
        announced = self.client.begin("POST", "/", ("content-length", "101"))
        for each in (stream, announced):
            self.assertEqual((self.client.status(each), self.client.ended[each]), (413, "complete NO_ERROR"), each)
        self.assertEqual([refusal[:2] for refusal in self.client.refusals], [(413, "content_too_large")] * 2)
        self.assertEqual(self.resource.requests, [])

    def test_too_slow(self) -> None:
        """A body that does not come is refused."""
        stream = self.client.begin()
        self.client.send(stream, b"x")
        self.client.wait(1.3)
        self.assertEqual((self.client.status(stream), self.client.refusals[0][:2]), (408, (408, "request_timeout")))

    def test_asked_for(self) -> None:
        """What is read whole is wanted."""
        stream = self.client.begin("POST", "/", ("expect", "100-continue"))
        self.assertEqual(self.client.interim, {stream: [b"100"]})

    def test_left(self) -> None:
        """A client that leaves within its body is told nothing, and nobody is asked."""
        stream = self.client.begin()
        self.client.reset(stream)
        self.assertEqual((self.resource.requests, self.client.refusals), ([], []))


class EchoTests(SynchronousTestCase):
    def test_many(self) -> None:
        """Bodies of streams that come in turns are not mixed up."""
        client = Http2Client(Echo())
        streams = [client.begin("POST", f"/{number}") for number in range(5)]
        for piece in range(3):
            for number, stream in enumerate(streams):
                client.send(stream, b"%d%d " % (number, piece), end=piece == 2)
        for number, stream in enumerate(streams):
            expected = b"POST /%d " % number + b"".join(b"%d%d " % (number, piece) for piece in range(3))
            self.assertEqual(client.contents[stream], expected, (number, stream))


class _Failing(Resource):
    isLeaf = True

    def render(self, request: object) -> bytes:
        return b"%d" % (1 // 0)
