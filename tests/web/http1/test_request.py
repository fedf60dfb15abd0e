"""Tests for L{llmproxy.web.http1.request}."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from llmproxy.web.http1.request import ProxyRequest

from ..wire import PRODUCER_LIMIT, Client, Streaming, get, post

CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nB: 1\r\n\r\n"


class Producer:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("paused")

    def resumeProducing(self) -> None:
        self.calls.append("resumed")

    def stopProducing(self) -> None:
        self.calls.append("stopped")


class RequestTests(SynchronousTestCase):
    """A request whose response is written as it is given."""

    def setUp(self) -> None:
        self.resource = Streaming()
        self.client = Client(self.resource)

    def ask(self, data: bytes = get()) -> ProxyRequest:
        self.client.send(data)
        request: ProxyRequest = self.resource.seen[-1].request
        return request

    def test_interface(self) -> None:
        """twisted.web's resources find what they expect."""
        verifyObject(IRequest, self.ask())

    def test_producer(self) -> None:
        """A producer is paused while the client does not read, and goes on when it does."""
        request, producer = self.ask(), Producer()
        self.client.transport.take(0)
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.registerProducer(producer, True)
        request.write(b"x" * (PRODUCER_LIMIT + 1))
        self.assertEqual(producer.calls, ["paused"])
        self.client.transport.take(None)
        self.client.run()
        self.assertEqual(producer.calls, ["paused", "resumed"])
        request.unregisterProducer()
        request.finish()
        self.assertIsNone(request.producer)

    def test_producer_of_a_congested_client(self) -> None:
        """One that comes while the client does not read waits from the beginning."""
        request, producer = self.ask(), Producer()
        self.client.transport.take(0)
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.write(b"x" * (PRODUCER_LIMIT + 1))
        request.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["paused"])
        self.assertRaises(ValueError, request.registerProducer, producer, True)

    def test_producer_stopped(self) -> None:
        """A producer of a client that left is stopped, also if it comes later, unless somebody else sees to it."""
        request, producer = self.ask(), Producer()
        request.on_disconnect = None
        request.registerProducer(producer, True)
        self.client.leave()
        late = Producer()
        request.registerProducer(late, True)
        self.assertEqual((producer.calls, late.calls), (["stopped"], ["stopped"]))

    def test_take_over(self) -> None:
        """After a 101 the connection is another protocol's, with the bytes that came early, and its end too."""
        events: list[Any] = []

        class Other(Protocol):
            def dataReceived(self, data: bytes) -> None:
                events.append(data)
                assert self.transport is not None
                self.transport.write(b"<" + data + b">")

            def connectionLost(self, reason: Failure = Failure(Exception())) -> None:
                events.append("lost")

            def readConnectionLost(self) -> None:
                events.append("ended")

            def close_if_idle(self) -> None:
                events.append("site closed")

        request = self.ask(get(b"/", b"Connection: upgrade", b"Upgrade: x") + b"early")
        request.write_head(101, b"Switching Protocols", [(b"Connection", b"upgrade"), (b"Upgrade", b"x")], None)
        request.take_over(Other())
        self.client.send(b"more")
        self.client.site.stopFactory()
        self.client.transport.end()
        self.client.leave()
        self.assertEqual(events, [b"early", b"more", "site closed", "ended", "lost"])
        self.assertTrue(self.client.received.endswith(b"Upgrade: x\r\n\r\n<early><more>"))
        self.assertEqual((self.resource.seen[0].left, self.client.site.connections), ([], 0))


class Ordinary(Resource):
    """Does what the test says."""

    isLeaf = True

    def __init__(self, render: Any) -> None:
        super().__init__()
        self.render = render


class OrdinaryTests(SynchronousTestCase):
    """twisted.web's own resources."""

    def answer(self, render: Any, data: bytes = get()) -> bytes:
        self.client = Client(Ordinary(render))
        self.client.send(data)
        return self.client.received

    def test_whole(self) -> None:
        """They answer as on twisted.web's site: length, type and date; what serves them is nobody's business."""
        received = self.answer(lambda request: b"abc")
        for line in (b"Content-Length: 3\r\n", b"Content-Type: text/html\r\n", b"Date: "):
            self.assertIn(line, received)
        self.assertNotIn(b"Server: ", received)
        self.assertTrue(received.endswith(b"\r\n\r\nabc"))

    def test_ids(self) -> None:
        """Every answer of ours has an id, the client's or a new one, and one that a resource has set is left."""
        fields = (b"X-Request-ID: ", b"request-id: ")
        for sent, known_as in (((b"X-Request-ID: mine",), b"mine"), ((b"X-Request-ID: a b",), b""), ((), b"")):
            received = self.answer(lambda request: b"abc", get(b"/", *sent))
            found = [line.partition(b": ")[2] for line in received.split(b"\r\n") if line.startswith(fields)]
            self.assertEqual((len(found), len(set(found))), (2, 1), (sent, known_as))
            self.assertTrue(found[0] == known_as if known_as else len(found[0]) > 20, found)
        received = self.answer(lambda request: request.setHeader(b"x-request-id", b"set") or b"", get())
        self.assertEqual((received.lower().count(b"\r\nx-request-id: "), received.count(b": set\r\n")), (1, 1))

    def test_reasons(self) -> None:
        """Every registered status has its words, those included that Twisted does not know."""
        for status, line in ((429, b"429 Too Many Requests"), (426, b"426 Upgrade Required"), (599, b"599 ")):
            received = self.answer(lambda request, status=status: request.setResponseCode(status) or b"")
            self.assertEqual(received.partition(b"\r\n")[0], b"HTTP/1.1 " + line, (status, line))

    def test_failing(self) -> None:
        """A fault of ours is a whole answer too, with a date and without a name."""

        def fails(request: Any) -> bytes:
            raise RuntimeError("broken")

        received = self.answer(fails)
        self.flushLoggedErrors(RuntimeError)
        self.assertTrue(received.startswith(b"HTTP/1.1 500 Internal Server Error\r\nDate: "))
        self.assertNotIn(b"TwistedWeb", received)

    def test_what_they_see(self) -> None:
        """Arguments, form, cookies, headers, addresses."""
        seen: list[Any] = []

        def render(request: Any) -> bytes:
            seen.append((request.args, request.getCookie(b"c"), request.getHeader("x-y"), request.content.read()))
            seen.append((request.getClientAddress().host, request.client.host, request.host.port, request.isSecure()))
            seen.append((request.path, request.prepath, request.postpath, request.clientproto))
            return b""

        form = b"Content-Type: application/x-www-form-urlencoded"
        self.answer(render, post(b"a=2&b=3", form, b"Cookie: c=d; e", b"X-Y: z", target=b"/p/q%20r?a=1"))
        self.assertEqual(seen[0], ({b"a": [b"2"], b"b": [b"3"]}, b"d", "z", b"a=2&b=3"))
        self.assertEqual(seen[1], ("192.0.2.1", "192.0.2.1", 80, False))
        self.assertEqual(seen[2], (b"/p/q%20r", [], [b"p", b"q r"], b"HTTP/1.1"))

    def test_multipart(self) -> None:
        """Forms of several parts are read too."""
        seen: list[Any] = []
        body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
        self.answer(
            lambda request: seen.append(request.args) or b"",
            post(body, b"Content-Type: multipart/form-data; boundary=x"),
        )
        self.assertEqual(seen, [{b"a": [b"b"]}])

    def test_in_pieces(self) -> None:
        """What they write is sent at once, in chunks, with the headers and cookies that they set."""

        def render(request: Any) -> int:
            request.setResponseCode(404)
            request.addCookie("a", "b")
            request.setLastModified(1.0)
            request.setETag(b'"x"')
            request.write(b"one")
            request.write(b"two")
            request.finish()
            return NOT_DONE_YET

        received = self.answer(render)
        self.assertTrue(received.startswith(b"HTTP/1.1 404 Not Found\r\n"))
        self.assertTrue(received.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"))
        for line in (b"Set-Cookie: a=b", b'ETag: "x"', b"Last-Modified: Thu, 01 Jan 1970 00:00:01 GMT"):
            self.assertIn(line, received)

    def test_head(self) -> None:
        """An answer to HEAD has the head of the GET, and no content."""
        received = self.answer(lambda request: b"abc", get(method=b"HEAD"))
        self.assertIn(b"Content-Length: 3\r\n", received)
        self.assertTrue(received.endswith(b"\r\n\r\n"))

    def test_failure(self) -> None:
        """One that fails is a 500 that tells nothing, and the connection goes on."""

        def render(request: Any) -> bytes:
            raise RuntimeError("canary")

        received = self.answer(render)
        self.assertEqual((self.client.status, self.client.ended), (500, ""))
        self.assertNotIn(b"canary", received)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_failure_within(self) -> None:
        """One that fails within its response breaks it off."""

        def render(request: Any) -> bytes:
            request.write(b"abc")
            raise RuntimeError("canary")

        self.answer(render)
        self.client.run()
        self.assertFalse(self.client.received.endswith(b"0\r\n\r\n"))
        self.assertEqual(self.client.ended, "closed")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_after_the_end(self) -> None:
        """Twisted's rules: no write after finish, no finish after the client left."""
        requests: list[Any] = []

        def render(request: Any) -> int:
            requests.append(request)
            return NOT_DONE_YET

        self.answer(render)
        requests[0].finish()
        self.assertRaises(RuntimeError, requests[0].write, b"abc")
        self.client.send(get())
        self.client.leave()
        self.assertRaises(RuntimeError, requests[1].finish)
