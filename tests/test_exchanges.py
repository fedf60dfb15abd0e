"""Whole exchanges, from the bytes of a client to the bytes of upstream and back, in memory."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import TimeoutConfig
from llmproxy.core.websocket import CLOSE, PING, TEXT, FrameReader, close, frame
from llmproxy.middleware.caching.body import TURN

from .harness import KEY, SECRET, Exchange, Socket, a_request
from .properties import examples

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SEEN = (
    b"GET /v1/x HTTP/1.1\r\nHost: 192.0.2.9\r\nAuthorization: Bearer " + KEY.encode() + b"\r\nX-Request-ID: r-1\r\n"
    b"Via: 1.1 llmproxy\r\n\r\n"
)


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange()
        self.client = self.exchange.client()

    def streaming(self) -> Socket:
        """An exchange in the middle of its answer; upstream's end."""
        self.client.receive(a_request())
        self.exchange.turn()
        [upstream] = self.exchange.upstream
        upstream.receive(STREAM + b"3\r\none\r\n")
        self.exchange.turn()
        self.assertTrue(self.client.sent.endswith(b"3\r\none\r\n"))
        return upstream

    def test_there_and_back(self) -> None:
        """A request reaches upstream with the project's key, and the answer comes back as it is."""
        self.client.receive(a_request(b"/v1/x", b"X-Request-ID: r-1"))
        self.exchange.turn()
        [upstream] = self.exchange.upstream
        self.assertEqual(upstream.take(), SEEN)
        upstream.receive(ANSWER)
        self.exchange.turn()
        self.assertEqual(
            self.client.take(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Thu, 01 Jan 1970 00:16:40 GMT\r\nVia: 1.1 llmproxy\r\n"
            b"X-Request-ID: r-1\r\nrequest-id: r-1\r\n\r\nok",
        )
        [record] = self.exchange.records
        self.assertEqual((record.ended, record.status, record.bytes_out), ("complete", 200, 2))
        self.assertTrue(self.exchange.idle())

    def ask(self, head: bytes, answer: bytes) -> tuple[bytes, bytes]:
        """What upstream saw, and what the client did."""
        client = self.exchange.client()
        client.receive(head)
        self.exchange.turn()
        upstream = self.exchange.upstream[-1]
        seen = upstream.take()
        upstream.receive(answer)
        self.exchange.turn()
        return seen, client.take()

    def test_one_slash(self) -> None:
        """RFC 3986 aside: what is decided about and what upstream gets is one path, however often its slashes stand."""
        for path in (b"//v1//x?a=//b", b"/api//v1/x?a=//b", b"///api///v1///x?a=//b", b"http://proxy//v1/x?a=//b"):
            seen, _ = self.ask(a_request(path), ANSWER)
            self.assertEqual(seen.partition(b" HTTP")[0], b"GET /v1/x?a=//b", path)
        self.assertEqual({record.path for record in self.exchange.records}, {b"/v1/x".decode(), "/api/v1/x"})

    def test_leads_back(self) -> None:
        """What points to upstream leads to the API by the address that the client used."""
        answer = ANSWER.replace(b"\r\n\r\n", b"\r\nlocation: http://192.0.2.9/v1/x%2F?y\r\n\r\n")
        for path, led in ((b"/v1/x", b"http://proxy/v1/x%2F?y"), (b"/api/v1/x", b"http://proxy/api/v1/x%2F?y")):
            _, received = self.ask(a_request(path), answer)
            self.assertIn(b"\r\nlocation: " + led + b"\r\n", received)

    def test_another_protocol(self) -> None:
        """RFC 9110 section 7.8: upstream may switch to what was asked for; to anything else, and it is at fault."""
        asking = a_request(b"/v1/x", b"Connection: upgrade", b"Upgrade: WebSocket")
        switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
        for protocol, status in ((b"websocket", b"101"), (b"h2c", b"502"), (b"websocket, h2c", b"502"), (b"", b"502")):
            _, received = self.ask(asking, switched % protocol)
            self.assertEqual(received.split(b" ", 2)[1], status, protocol)
            if status == b"502":
                self.assertEqual(self.exchange.upstream[-1].state, "aborted", (protocol, status))

    def switched(self) -> tuple[Any, Any]:
        """A WebSocket, from both of its ends."""
        client = self.exchange.client()
        client.receive(a_request(b"/v1/x", b"Connection: upgrade", b"Upgrade: websocket"))
        self.exchange.turn()
        upstream = self.exchange.upstream[-1]
        upstream.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self.exchange.turn()
        client.take()
        upstream.take()
        return client, upstream

    def test_silent_websocket(self) -> None:
        """RFC 6455 section 7.4.1: after too long a silence both sides read why it ends; a ping of either keeps it."""
        self.exchange = Exchange(TimeoutConfig(silence=5.0))
        client, upstream = self.switched()
        for ping in (client, upstream) * 3:
            ping.receive(frame(PING, b"", mask=ping is client))
            self.exchange.turn(3.0)
        self.assertEqual((client.state, upstream.state), ("open", "open"))
        client.take()
        upstream.take()
        self.exchange.turn(3.0)
        self.assertEqual((client.take(), client.state), (close(1001), "closed"))
        (goodbye,) = FrameReader("client").feed(upstream.take())
        self.assertEqual((goodbye.frame.opcode, goodbye.payload, upstream.state), (CLOSE, b"\x03\xe9", "closed"))
        self.assertEqual(self.exchange.records[-1].ended, "timeout")
        self.assertTrue(self.exchange.idle())

    def test_websocket_within_a_frame(self) -> None:
        """Where a frame is not complete, nothing of ours can follow it: the cut is a cut."""
        for cut in (0, 1):
            self.exchange = Exchange(TimeoutConfig(silence=5.0))
            both = self.switched()
            both[cut].receive(frame(TEXT, b"half", mask=cut == 0)[:4])
            self.exchange.turn(6.0)
            # What one has begun to say, the other one waits for.
            self.assertEqual((both[1 - cut].state, both[cut].state), ("aborted", "closed"), cut)

    def test_websocket_that_has_said_goodbye(self) -> None:
        """After a close frame there is no further one."""
        client, upstream = self.switched()
        client.receive(close(1000, mask=True))
        self.exchange.turn()
        said = upstream.take()
        client.close()
        self.exchange.turn()
        self.assertEqual((len(said), upstream.take(), upstream.state), (8, b"", "closed"))

    def test_websocket_at_the_end(self) -> None:
        """At the end of a drain, and when a token is revoked, a WebSocket is closed with a word too."""
        client, upstream = self.switched()
        self.exchange.account.cut_all("shutdown")
        self.assertEqual((client.take(), client.state, upstream.state), (close(1001), "closed", "closed"))
        self.assertTrue(self.exchange.idle())

    def test_upgrade_required(self) -> None:
        """RFC 9110 section 15.5.22: a 426 is of no use without the protocol that would do."""
        for closing in (b"", b"Connection: close\r\n"):
            head = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2\r\n" + closing + b"Content-Length: 0\r\n\r\n"
            _, received = self.ask(a_request(b"/v1/x"), head)
            self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n", received)
            self.assertNotIn(b"close", received)

    def test_upload_while_it_arrives(self) -> None:
        """Upstream has the beginning of an upload before the client has sent its end."""
        request = a_request(body=b"x" * 100_000)
        self.client.receive(request[:-50_000])
        self.exchange.turn()
        [upstream] = self.exchange.upstream
        self.assertGreater(upstream.sent.count(b"x"), 40_000)
        self.client.receive(request[-50_000:])
        self.exchange.turn()
        self.assertEqual(upstream.sent.count(b"x" * 100_000), 1)

    def expecting(self) -> tuple[Any, Any]:
        """A client that waits to be asked for its body, and the upstream that was asked whether it wants it."""
        client = self.exchange.client()
        client.receive(a_request(b"/v1/x", b"Expect: 100-continue", b"Content-Length: 3", method=b"POST"))
        self.exchange.turn()
        upstream = self.exchange.upstream[-1]
        self.assertIn(b"\r\nExpect: 100-continue\r\n", upstream.take())
        self.assertEqual(client.take(), b"", "nobody has asked for the body yet")
        return client, upstream

    def test_refused_before_the_upload(self) -> None:
        """RFC 9110 section 10.1.1: upstream's 413 comes before the body that it does not want."""
        client, upstream = self.expecting()
        upstream.receive(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        self.exchange.turn()
        received = client.take()
        self.assertTrue(received.startswith(b"HTTP/1.1 413 "))
        self.assertIn(b"\r\nConnection: close\r\n", received)
        self.assertEqual((upstream.take(), upstream.state), (b"", "closed"), "it waits for a body that does not come")
        self.exchange.turn(2.0)
        self.assertTrue(self.exchange.idle())

    def test_asked_by_upstream(self) -> None:
        """Upstream's C{100} asks the client, once, and its body goes on; both connections are as good as before."""
        client, upstream = self.expecting()
        upstream.receive(b"HTTP/1.1 100 Continue\r\n\r\n")
        upstream.receive(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(client.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.receive(b"abc")
        self.exchange.turn(2.0)
        self.assertEqual(upstream.take(), b"abc")
        upstream.receive(ANSWER)
        self.exchange.turn()
        self.assertTrue(client.take().startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual((client.state, upstream.state), ("open", "open"))

    def test_upstream_that_does_not_know(self) -> None:
        """An upstream that says nothing is sent the body after a second."""
        client, upstream = self.expecting()
        self.exchange.turn(0.8)
        self.assertEqual(client.take(), b"")
        self.exchange.turn(0.5)
        self.assertEqual(client.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.receive(b"abc")
        self.exchange.turn()
        self.assertEqual(upstream.take(), b"abc")

    def test_nothing_waits_for_nobody(self) -> None:
        """A client that leaves, or an upstream that does, while one waits for the other leaves nothing behind."""
        for leaving in (0, 1):
            both = self.expecting()
            both[leaving].close()
            self.exchange.turn(2.0)
            self.assertNotEqual(both[1].state, "open")
            self.assertTrue(self.exchange.idle(), leaving)
            if leaving:
                self.assertTrue(both[0].take().startswith(b"HTTP/1.1 502 "), leaving)

    def test_expectation_that_is_met(self) -> None:
        """A body that has come already is sent with its head, and nobody is asked."""
        for fields in ((b"Expect: 100-continue",), (b"expect: 100-Continue",)):
            seen, received = self.ask(a_request(b"/v1/x", *fields, body=b"abc"), ANSWER)
            self.assertTrue(seen.endswith(b"\r\n\r\nabc"), fields)
            self.assertNotIn(b"xpect", seen)
            self.assertTrue(received.startswith(b"HTTP/1.1 200 "), fields)

    def test_nothing_is_read_before_the_caller_is_known(self) -> None:
        """The body of a stranger's request stays in the network."""
        request = a_request(body=b"x" * 1_000_000).replace(SECRET, b"sk-" + b"B" * 22)
        self.client.receive(request[:1000])
        self.exchange.turn()
        self.assertEqual(self.exchange.upstream, [])
        self.assertEqual(self.exchange.records, [])

    def test_slow_client_slows_upstream(self) -> None:
        """A client that does not read has upstream not read from either."""
        upstream = self.streaming()
        self.client.fill()
        self.assertFalse(upstream.reading)
        upstream.receive(b"3\r\ntwo\r\n")
        self.assertNotIn(b"two", self.client.sent)
        self.client.drain()
        self.assertIn(b"two", self.client.sent)

    def test_large_hit(self) -> None:
        """
        Of a large answer that is stored, a client that does not read gets only a little, however large it is; all of
        it once he reads, and nothing more if he leaves.
        """
        self.exchange = Exchange(cached=True)
        content = bytes(range(256)) * 3000
        head = b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: %d\r\n\r\n" % len(content)
        first = self.exchange.client()
        first.receive(a_request())
        for start in range(0, len(content), 65_000):
            self.exchange.upstream[0].receive((head if not start else b"") + content[start : start + 65_000])
        slow, leaving = self.exchange.client(), self.exchange.client()
        for client in (slow, leaving):
            client.receive(a_request())
            client.fill()
            for _ in range(5):
                self.exchange.turn()
            self.assertIn(b"llmproxy; hit", client.sent)
            self.assertLess(len(client.sent), TURN + 70_000, client)
        leaving.close()
        slow.drain()
        for _ in range(5):
            self.exchange.turn()
        self.assertTrue(first.sent.endswith(content) and slow.sent.endswith(content))
        self.assertEqual([record.ended for record in self.exchange.records], ["complete", "client_left", "complete"])
        self.assertTrue(self.exchange.idle())

    def test_slow_upstream_slows_the_client(self) -> None:
        """An upstream that takes no more of an upload has the client not read from."""
        request = a_request(body=b"x" * 1_000_000)
        self.client.receive(request[:200_000])
        self.exchange.turn()
        [upstream] = self.exchange.upstream
        upstream.fill()
        self.client.receive(b"x" * 50_000)
        self.client.receive(b"x" * 50_000)
        self.exchange.turn()
        self.assertFalse(self.client.reading)
        upstream.drain()
        self.assertTrue(self.client.reading)

    def test_client_leaves(self) -> None:
        """In the head or in the body: upstream's connection is closed at once, and one record says so."""
        for answer in (b"", STREAM + b"3\r\none\r\n"):
            exchange = Exchange()
            client = exchange.client()
            client.receive(a_request())
            exchange.turn()
            [upstream] = exchange.upstream
            upstream.receive(answer)
            exchange.turn()
            client.close()
            exchange.turn()
            self.assertNotEqual(upstream.state, "open")
            self.assertEqual([record.ended for record in exchange.records], ["client_left"], answer)
            self.assertTrue(exchange.idle(), answer)

    def test_upstream_dies(self) -> None:
        """In the body: the client's connection is broken off, without the end that would make a part look whole."""
        self.streaming().close()
        self.exchange.turn()
        self.assertNotEqual(self.client.state, "open")
        self.assertFalse(self.client.sent.endswith(b"0\r\n\r\n"))
        self.assertEqual([record.ended for record in self.exchange.records], ["upstream_failed"])

    def test_sent_twice(self) -> None:
        """A GET that goes out a second time because a kept connection broke has been sent twice, and says so."""
        self.ask(a_request(b"/v1/x"), ANSWER)
        self.client.receive(a_request(b"/v1/x"))
        self.exchange.turn()
        self.exchange.upstream[0].close()
        self.exchange.turn()
        self.exchange.upstream[1].receive(ANSWER)
        self.exchange.turn()
        self.assertEqual([record.attempts for record in self.exchange.records], [1, 2])
        self.assertEqual(self.exchange.quota.balance, 2)

    def test_never_sent(self) -> None:
        """What no connection could be had for has not been sent, and uses up nothing."""
        self.exchange.refuses = True
        self.client.receive(a_request(b"/v1/x"))
        self.exchange.turn()
        [record] = self.exchange.records
        self.assertEqual((record.attempts, record.cause, self.exchange.quota.balance), (0, "refused", 0))

    def test_revoked(self) -> None:
        """A running stream is cut when its token is revoked."""
        upstream = self.streaming()
        self.exchange.revocations.revoke()
        self.exchange.turn()
        self.assertEqual((upstream.state != "open", self.client.state != "open"), (True, True))
        self.assertEqual([record.ended for record in self.exchange.records], ["revoked"])

    def test_revoked_while_it_waits(self) -> None:
        """Wherever a request waits, a revocation ends it with an answer, closes upstream, and leaves nothing."""
        length, chunked = b"Content-Length: 100", b"Transfer-Encoding: chunked"
        uploading = a_request(b"/v1/files", length, method=b"POST") + b"x" * 10
        in_chunks = a_request(b"/v1/files", chunked, method=b"POST") + b"5\r\nhello\r\n"
        inspected = a_request(b"/v1/chat", length, b"Content-Type: application/json", method=b"POST") + b"{"
        table = {
            "upstream's head": (a_request(), {}, 1),
            "its upload": (uploading, {}, 1),
            "its upload in chunks": (in_chunks, {}, 1),
            "the body that is looked at": (inspected, {"param_whitelist": {"model": ("x",)}}, 0),
        }
        for name, (request, rules, connections) in table.items():
            exchange = Exchange(**rules)
            client = exchange.client()
            client.receive(request)
            exchange.turn()
            self.assertEqual((len(exchange.upstream), client.sent), (connections, b""), name)
            exchange.revocations.revoke()
            exchange.turn(0.1)
            self.assertTrue(client.sent.startswith(b"HTTP/1.1 401 "), (name, client.sent))
            self.assertIn(b"token_inactive", client.sent, name)
            self.assertEqual([each.state for each in exchange.upstream if each.state == "open"], [], name)
            self.assertEqual([(each.ended, each.status) for each in exchange.records], [("revoked", 401)], name)
            self.assertTrue(exchange.idle(), name)

    def test_revoked_while_it_connects(self) -> None:
        """A request whose connection is not there yet does not wait for it, and the attempt ends."""
        attempts: list[Deferred[Any]] = []
        ended: list[Any] = []

        class Nowhere:
            def connect(self, factory: Any) -> Deferred[Any]:
                attempts.append(Deferred(ended.append))
                return attempts[-1]

        class Unconnected(Exchange):
            def _endpoint(self, host: str, port: int) -> Any:
                return Nowhere()

        exchange = Unconnected()
        client = exchange.client()
        client.receive(a_request())
        exchange.turn()
        self.assertEqual((len(attempts), client.sent), (1, b""))
        exchange.revocations.revoke()
        exchange.turn(0.1)
        self.assertTrue(client.sent.startswith(b"HTTP/1.1 401 "), client.sent)
        self.assertEqual((ended, [each.ended for each in exchange.records]), (attempts, ["revoked"]))
        self.assertTrue(exchange.idle())

    def test_revoked_while_another_fetches(self) -> None:
        """Requests that wait for a fetch end, the one that began it too."""
        exchange = Exchange(cached=True)
        clients = [exchange.client() for _ in range(3)]
        for client in clients:
            client.receive(a_request())
        exchange.turn()
        self.assertEqual(len(exchange.upstream), 1)
        exchange.revocations.revoke()
        exchange.turn(0.1)
        for client in clients:
            self.assertTrue(client.sent.startswith(b"HTTP/1.1 401 "), client.sent)
        self.assertEqual([each.ended for each in exchange.records], ["revoked"] * 3)
        self.assertEqual([each.state for each in exchange.upstream if each.state == "open"], [])
        self.assertTrue(exchange.idle())

    def test_long_stream(self) -> None:
        """A stream that talks for an hour is not cut by a timeout of seconds."""
        exchange = Exchange(TimeoutConfig(response_header=5.0, silence=10.0))
        client = exchange.client()
        client.receive(a_request())
        exchange.turn(3)
        [upstream] = exchange.upstream
        upstream.receive(STREAM)
        for _ in range(400):
            exchange.clock.advance(9.0)
            upstream.receive(b"3\r\none\r\n")
        upstream.receive(b"0\r\n\r\n")
        exchange.turn()
        self.assertEqual([record.ended for record in exchange.records], ["complete"])

    def test_no_timer_is_left(self) -> None:
        """When clients and upstream are gone, no delayed call is."""
        upstream = self.streaming()
        upstream.receive(b"0\r\n\r\n")
        self.exchange.turn()
        self.client.close()
        self.exchange.client_pool.close()
        self.exchange.turn(1.0)
        self.assertEqual(self.exchange.clock.getDelayedCalls(), [])

    @settings(max_examples=examples(40), deadline=None)
    @given(st.data())
    def test_any_split(self, data: st.DataObject) -> None:
        """However the network cuts the bytes of both sides, the same bytes come out."""
        exchange = Exchange()
        client = exchange.client()
        body = b"some content, more than a little\r\n\r\n0\r\n\r\n"
        for piece in pieces(data, a_request(b"/v1/x", b"X-Request-ID: r-1", body=body)):
            client.receive(piece)
            exchange.turn()
        [upstream] = exchange.upstream
        self.assertTrue(upstream.sent.endswith(b"\r\n\r\n" + body), upstream.sent)
        answer = STREAM + b"5\r\nhello\r\n7;x=1\r\n world!\r\n0\r\nX-T: 1\r\n\r\n"
        for piece in pieces(data, answer):
            upstream.receive(piece)
            exchange.turn()
        head, _, rest = client.sent.partition(b"\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", head)
        self.assertEqual(dechunked(rest), (b"hello world!", b"X-T: 1\r\n\r\n"))
        self.assertEqual([record.ended for record in exchange.records], ["complete"])


def pieces(data: st.DataObject, whole: bytes) -> list[bytes]:
    """C{whole}, cut at places that hypothesis chooses."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def dechunked(rest: bytes) -> tuple[bytes, bytes]:
    """Content and trailer section of a chunked body."""
    content = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return content, rest
        content, rest = content + rest[:length], rest[length + 2 :]
