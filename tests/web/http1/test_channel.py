"""Tests for L{llmproxy.web.http1.channel}."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.resource import Resource
from zope.interface.verify import verifyObject

from llmproxy.core.clientlimits import Limits
from llmproxy.core.descriptors import TURNED_AWAY
from llmproxy.core.http11 import Refusal
from llmproxy.errors import ClientLeft, RequestBodyTimeout

from ...middleware.fakes import Reader
from ...properties import examples
from ..wire import Client, Echo, Streaming, Whole, chunked, get, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class InterfaceTests(SynchronousTestCase):
    def test_provides(self) -> None:
        """Twisted's transports can drive it."""
        channel = Client(Whole()).channel
        for interface in (IProtocol, IPushProducer, IHalfCloseableProtocol):
            verifyObject(interface, channel)


class KeepAliveTests(SynchronousTestCase):
    def test_one_after_another(self) -> None:
        """A connection serves one request after another."""
        resource = Streaming()
        client = Client(resource)
        for number in range(3):
            client.send(get(b"/%d" % number))
            resource.seen[number].answer()
        self.assertEqual((client.received, client.ended), (OK * 3, ""))

    def test_close(self) -> None:
        """A client that says close gets its answer, hears that it is the last, and the connection ends."""
        client = Client(Whole())
        client.send(get(b"/", b"Connection: close") + get(b"/second"))
        self.assertIn(b"Connection: close\r\n", client.received)
        self.assertEqual((client.received.count(b"HTTP/1.1"), client.transport.half_closed), (1, True))

    def test_closed_at_once(self) -> None:
        """Where the client sent nothing more, both sides close at once."""
        client = Client(Whole())
        client.send(get(b"/", b"Connection: close"))
        self.assertEqual(client.ended, "closed")

    def test_old_client(self) -> None:
        """An HTTP/1.0 client gets no chunks and a connection that ends, unless it asked to keep it."""
        client = Client(resource := Streaming())
        client.send(get(version=b"1.0"))
        request = resource.seen[0].request
        request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
        request.write(b"abc")
        request.finish()
        client.run()
        self.assertEqual(client.received, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")
        self.assertEqual(client.ended, "closed")
        kept = Client(resource := Streaming())
        kept.send(get(b"/", b"Connection: keep-alive", version=b"1.0"))
        resource.seen[0].answer()
        self.assertIn(b"Connection: keep-alive", kept.received)
        kept.send(get(version=b"1.0"))
        self.assertEqual(len(resource.seen), 2)

    def test_empty_lines(self) -> None:
        """RFC 9112 section 2.2: a client that sends an empty line too many is served."""
        client = Client(whole := Whole())
        client.send(b"\r", b"\n", b"\r\n\r\n" + get(), b"\r\n" + get())
        self.assertEqual(len(whole.requests), 2)

    def test_many_empty_lines(self) -> None:
        """Thousands of them are passed over in one go: each costs nothing."""
        client = Client(whole := Whole())
        client.send(b"\r\n" * 30_000 + get())
        self.assertEqual(len(whole.requests), 1)

    def test_site_closing(self) -> None:
        """While the service stops, idle connections end and the others after their response."""
        client = Client(resource := Streaming())
        idle = Client(site=client.site, clock=client.clock)
        client.send(get())
        client.site.stopFactory()
        client.run()
        self.assertEqual((client.ended, idle.ended), ("", "closed"))
        resource.seen[0].answer()
        client.run()
        self.assertIn(b"Connection: close", client.received)
        self.assertEqual((client.ended, client.site.connections), ("closed", 0))


class PipeliningTests(SynchronousTestCase):
    def test_in_order(self) -> None:
        """RFC 9112 section 9.3.2: requests that came together are answered one after another, in their order."""
        client = Client(resource := Streaming())
        client.send(get(b"/a") + get(b"/b"))
        self.assertEqual([seen.line[1] for seen in resource.seen], [b"/a"])
        resource.seen[0].answer(b"1")
        self.assertEqual([seen.line[1] for seen in resource.seen], [b"/a", b"/b"])
        resource.seen[1].answer(b"2")
        self.assertLess(client.received.index(b"\r\n\r\n1"), client.received.index(b"\r\n\r\n2"))

    def test_bounded(self) -> None:
        """What a client sends ahead is not read without end, and all of it is served in time."""
        client = Client(resource := Streaming(), limits=Limits(waiting=1000))
        client.send(*[get(b"/%d" % number) for number in range(100)])
        self.assertFalse(client.transport.reading)
        self.assertLess(len(client.channel._reader.unread), 1100)
        for number in range(100):
            resource.seen[number].answer()
            client.run()
        self.assertEqual((client.received, client.transport.reading), (OK * 100, True))

    def test_deep(self) -> None:
        """Thousands of requests in one read are served without a stack as deep."""
        client = Client(whole := Whole())
        client.send(get() * 1500)
        self.assertEqual(len(whole.requests), 1500)

    def test_client_does_not_read(self) -> None:
        """No request is begun while the client does not take the responses to those before."""
        client = Client(resource := Streaming())
        client.transport.take(0)
        client.send(get(b"/a") + get(b"/b"))
        resource.seen[0].answer(b"x" * 100_000)
        client.run()
        self.assertEqual(len(resource.seen), 1)
        client.transport.take(None)
        client.run()
        self.assertEqual(len(resource.seen), 2)


class ExpectTests(SynchronousTestCase):
    HEAD = get(b"/", b"Content-Length: 3", b"Expect: 100-continue", method=b"POST")

    def test_when_wanted(self) -> None:
        """RFC 9110 section 10.1.1: the client is asked for its body when somebody reads it, and only then."""
        client = Client(resource := Streaming())
        client.send(self.HEAD)
        self.assertEqual(client.received, b"")
        resource.seen[0].read()
        self.assertEqual(client.received, CONTINUE)
        client.send(b"abc")
        resource.seen[0].answer()
        self.assertEqual(client.received, CONTINUE + OK)

    def test_ordinary_resource(self) -> None:
        """For a resource that gets its body whole the client is asked at once."""
        client = Client(whole := Whole())
        client.send(self.HEAD)
        self.assertEqual(client.received, CONTINUE)
        client.send(b"abc")
        self.assertEqual(whole.requests, [(b"POST", b"/", b"abc")])

    def test_refused_before(self) -> None:
        """
        A client whose request is refused is not asked, and the connection ends: what it sends next could
        be its body or a request.
        """
        client = Client(resource := Streaming())
        client.send(self.HEAD)
        resource.seen[0].answer(b"no", 403)
        self.assertNotIn(b"100 Continue", client.received)
        self.assertIn(b"Connection: close", client.received)
        client.send(get(b"/smuggled"))
        self.assertEqual(len(resource.seen), 1)

    def test_not_waited_for(self) -> None:
        """A client that did not wait is not asked."""
        client = Client(resource := Streaming())
        client.send(self.HEAD + b"a")
        resource.seen[0].read()
        client.send(b"bc")
        resource.seen[0].answer()
        self.assertEqual(client.received, OK)

    def test_old_client(self) -> None:
        """An HTTP/1.0 client never sees a 1xx."""
        client = Client(whole := Whole())
        client.send(self.HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"), b"abc")
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200"))
        self.assertEqual(len(whole.requests), 1)

    def test_unknown(self) -> None:
        """Any other expectation is 417, before any resource hears of it."""
        client = Client(whole := Whole())
        client.send(get(b"/", b"Expect: wonders"))
        self.assertEqual((client.status, whole.requests), (417, []))


class UnreadBodyTests(SynchronousTestCase):
    def test_small_one_is_read(self) -> None:
        """The connection is kept if what is left of a refused body is small."""
        client = Client(resource := Streaming())
        client.send(get(b"/a", b"Content-Length: 10", method=b"POST"))
        resource.seen[0].answer(b"no", 403)
        self.assertNotIn(b"Connection: close", client.received)
        client.send(b"01234", b"56789" + get(b"/b"))
        self.assertEqual([seen.line[1] for seen in resource.seen], [b"/a", b"/b"])

    def test_large_one_is_not(self) -> None:
        """With more to come the response is the last, and nothing of the body becomes a request."""
        client = Client(resource := Streaming(), limits=Limits(unread=1000))
        client.send(get(b"/a", b"Content-Length: 2000", method=b"POST"))
        resource.seen[0].answer(b"no", 403)
        self.assertIn(b"Connection: close", client.received)
        self.assertTrue(client.transport.half_closed)
        client.send(get(b"/smuggled") * 10)
        self.assertEqual(len(resource.seen), 1)

    def test_answered_while_it_is_read(self) -> None:
        """A response that ends before the body was read keeps the connection only for a small rest."""
        for length, requests in ((900, [b"/a", b"/b"]), (2000, [b"/a"])):
            client = Client(resource := Streaming(), limits=Limits(unread=1000))
            client.send(get(b"/a", b"Content-Length: %d" % length, method=b"POST"))
            resource.seen[0].request.body.startProducing(Reader()).addErrback(lambda _: None)
            resource.seen[0].answer(b"ok")
            self.assertEqual(client.transport.half_closed, len(requests) == 1, (length, requests))
            client.send(b"x" * length + get(b"/b"))
            self.assertEqual([seen.line[1] for seen in resource.seen], requests, (length, requests))

    def test_chunked_one_is_not(self) -> None:
        """Nobody knows how much is left of a chunked body."""
        client = Client(resource := Streaming())
        client.send(get(b"/a", b"Transfer-Encoding: chunked", method=b"POST") + b"5\r\nab")
        resource.seen[0].answer(b"no", 403)
        self.assertIn(b"Connection: close", client.received)
        self.assertTrue(client.transport.half_closed)

    def test_read_slowly(self) -> None:
        """A client that does not send the rest does not keep the connection for it."""
        client = Client(resource := Streaming(), limits=Limits(body_silence=2.0))
        client.send(get(b"/a", b"Content-Length: 10", method=b"POST"))
        resource.seen[0].answer(b"no", 403)
        client.wait(2.3)
        self.assertEqual((client.ended, client.status), ("closed", 403))

    def test_failed_lookup(self) -> None:
        """A body that nobody is found for does not become the next request."""

        class Broken(Resource):
            def getChild(self, path: bytes, request: Any) -> Any:
                raise RuntimeError("no such child")

        client = Client(Broken())
        client.send(post(get(b"/smuggled"), target=b"/a") + get(b"/b"))
        self.assertEqual((client.status, client.received.count(b"HTTP/1.1")), (500, 1))
        self.assertIn(b"Connection: close", client.received)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class BodyTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """An ordinary resource gets its body whole, of known length or in chunks."""
        client = Client(whole := Whole())
        client.send(post(b"abc")[:-1], b"c", chunked(b"de", b"fg"))
        self.assertEqual([content for _, _, content in whole.requests], [b"abc", b"defg"])

    def test_too_large(self) -> None:
        """What such a resource would have to hold is bounded: 413, and it is never called."""
        for request, limit in ((post(b"x" * 11), 10), (chunked(b"x" * 6, b"y" * 5), 10)):
            client = Client(whole := Whole(), limits=Limits(body=limit))
            client.send(request)
            self.assertEqual((client.status, whole.requests), (413, []), (request, limit))
            self.assertEqual(
                [refusal[:4] for refusal in client.refusals],
                [(413, "content_too_large", "192.0.2.1", "request body is too large")],
                (request, limit),
            )
        client = Client(whole := Whole(), limits=Limits(body=10))
        client.send(post(b"x" * 10) + chunked(b"x" * 10))
        self.assertEqual(len(whole.requests), 2)

    def test_stream_backpressure(self) -> None:
        """Nothing is read from a client whose body nobody takes: one read buffer waits, not more."""
        client = Client(resource := Streaming())
        client.send(get(b"/", b"Content-Length: 1000000", method=b"POST"))
        client.send(*[b"x" * 50_000] * 20)
        seen = resource.seen[0]
        self.assertFalse(client.transport.reading)
        self.assertLessEqual(sum(map(len, seen.request.body._waiting)), 65536)
        seen.read()
        seen.request.body.pauseProducing()
        client.run()
        had = len(seen.consumer.data)
        self.assertLess(had, 200_000)
        client.run()
        self.assertEqual(len(seen.consumer.data), had)
        seen.request.body.resumeProducing()
        client.run()
        self.assertEqual((seen.consumer.data, seen.ended), (b"x" * 1_000_000, [None]))

    def test_trailers(self) -> None:
        """Trailers reach who reads the body, once it has ended."""
        client = Client(Echo())
        client.send(chunked(b"abc", trailers=b"X-Sum: 1\r\n"))
        self.assertTrue(client.received.endswith(b"POST / abc|X-Sum=1"))

    def test_bad_chunk(self) -> None:
        """Chunks that are none end the body with a fault, and the connection with the response."""
        client = Client(resource := Streaming())
        client.send(get(b"/", b"Transfer-Encoding: chunked", method=b"POST"), b"3\r\nabc\r\n")
        seen = resource.seen[0]
        seen.read()
        client.send(b"zz\r\n" + get(b"/smuggled"))
        seen.ended[0].trap(Refusal)
        seen.answer(b"bad", 400)
        client.run()
        self.assertIn(b"Connection: close", client.received)
        self.assertEqual((len(resource.seen), seen.consumer.data), (1, b"abc"))
        self.assertEqual(client.refusals[0][:2], (400, "malformed_request"))

    def test_bad_first_chunk(self) -> None:
        """If it came with the head, the resource never hears of it."""
        client = Client(resource := Streaming())
        client.send(get(b"/", b"Transfer-Encoding: chunked", method=b"POST") + b"zz\r\n")
        self.assertEqual((client.status, resource.seen), (400, []))

    def test_left(self) -> None:
        """A client that leaves within its body: who reads it hears of it, and so does who answers."""
        client = Client(resource := Streaming())
        client.send(get(b"/", b"Content-Length: 5", method=b"POST") + b"ab")
        seen = resource.seen[0]
        seen.read()
        client.leave()
        seen.ended[0].trap(ClientLeft)
        seen.left[0].trap(ClientLeft)
        self.assertEqual((len(seen.ended), len(seen.left), client.site.connections), (1, 1, 0))

    def test_half_closed_within(self) -> None:
        """A client that ends its side within its body will never send the rest: it counts as gone."""
        client = Client(resource := Streaming())
        client.send(get(b"/", b"Content-Length: 5", method=b"POST") + b"ab")
        resource.seen[0].read()
        client.transport.end()
        client.run()
        resource.seen[0].ended[0].trap(ClientLeft)
        self.assertEqual(client.ended, "closed")


class LimitTests(SynchronousTestCase):
    def refused(self, client: Client, status: int, code: str) -> None:
        self.assertEqual((client.status, client.refusals[0][:3]), (status, (status, code, "192.0.2.1")))
        self.assertIn(b"Connection: close", client.received)
        self.assertEqual(client.received.count(b"HTTP/1.1"), 1)

    def test_head(self) -> None:
        """A header section that is too large is 431, whole or piece by piece, and is not kept."""
        data = get(b"/", b"A: " + b"x" * 1000)
        for pieces in ([data], [data[at : at + 100] for at in range(0, len(data), 100)]):
            client = Client(whole := Whole(), limits=Limits(head=500))
            client.send(*pieces)
            self.refused(client, 431, "header_too_large")
            self.assertEqual((whole.requests, client.channel._reader.unread), ([], b""), pieces)

    def test_target(self) -> None:
        """A target that is too long is 414, as soon as that is seen."""
        data = get(b"/" + b"x" * 1000)
        for pieces in ([data], [data[at : at + 100] for at in range(0, len(data), 100)], [data[:300]]):
            client = Client(whole := Whole(), limits=Limits(target=200, head=500))
            client.send(*pieces)
            self.refused(client, 414, "target_too_long")
            self.assertEqual(whole.requests, [], pieces)

    def test_fields(self) -> None:
        """Too many fields are 431."""
        client = Client(Whole(), limits=Limits(fields=3))
        client.send(get(b"/", b"A: 1", b"B: 2"))
        self.assertEqual(client.status, 200)
        client.send(get(b"/", b"A: 1", b"B: 2", b"C: 3"))
        self.assertEqual(client.status, 431)

    def test_trailers(self) -> None:
        """A trailer section is as bounded as a head."""
        client = Client(whole := Whole(), limits=Limits(head=300))
        client.send(chunked(b"abc", trailers=b"A: " + b"x" * 400 + b"\r\n"))
        self.refused(client, 431, "header_too_large")
        self.assertEqual(whole.requests, [])

    def test_connections(self) -> None:
        """One connection more than allowed is answered with 503, and admitted once another has ended."""
        first = Client(whole := Whole(), limits=Limits(connections=1))
        second = Client(site=first.site, clock=first.clock)
        self.assertEqual((second.received, second.ended, first.refusals), (b"", "", []))
        second.send(get())
        self.assertEqual((second.status, first.refusals[0][:2]), (503, (503, "too_many_connections")))
        self.assertIn(b"Retry-After: 1\r\n", second.received)
        self.assertEqual(whole.requests, [])
        first.leave()
        third = Client(site=first.site, clock=first.clock)
        third.send(get())
        self.assertEqual((third.status, first.site.connections), (200, 1))

    def test_connections_of_a_process(self) -> None:
        """What a process has descriptors for is the same limit; who stays open and is answered is not disturbed."""
        first = Client(Whole())
        first.site.most = 1
        second = Client(site=first.site, clock=first.clock)
        second.send(get())
        self.assertEqual(second.status, 503)
        second.leave()
        first.site.turned_away = 0
        self.assertEqual(Client(site=first.site, clock=first.clock).ended, "reset")
        first.send(get())
        self.assertEqual(first.status, 200)

    def test_far_too_many_connections(self) -> None:
        """Those that are told so are bounded in number and time; others are reset."""
        first = Client(Whole(), limits=Limits(connections=1, head_time=2.0))
        told = [Client(site=first.site, clock=first.clock) for _ in range(TURNED_AWAY)]
        reset = Client(site=first.site, clock=first.clock)
        self.assertEqual((reset.ended, first.refusals[0][:2]), ("reset", (503, "too_many_connections")))
        self.assertEqual({each.ended for each in told}, {""})
        first.clock.pump([0.5] * 40)
        self.assertNotIn("", {each.ended for each in told})
        for each in told:
            each.leave()
        again = Client(site=first.site, clock=first.clock)
        self.assertEqual(again.ended, "")
        first.leave()
        last = Client(site=first.site, clock=first.clock)
        last.send(get())
        self.assertEqual(last.status, 200)

    def test_connections_per_client(self) -> None:
        """One client's connections do not take the place of another's."""
        first = Client(Whole(), limits=Limits(connections_per_client=1))
        again = Client(site=first.site, clock=first.clock)
        other = Client(site=first.site, clock=first.clock, host="192.0.2.2")
        self.assertEqual((again.ended, other.ended), ("reset", ""))
        self.assertEqual(first.refusals[0][:3], (503, "too_many_connections_of_client", "192.0.2.1"))
        first.leave()
        self.assertEqual(Client(site=first.site, clock=first.clock).ended, "")


class TimeTests(SynchronousTestCase):
    def test_idle(self) -> None:
        """A connection that waits for nothing ends silently."""
        for before in ((), (get(),)):
            client = Client(Whole(), limits=Limits(idle=3.0))
            client.send(*before)
            had = client.received
            client.wait(2.8)
            self.assertEqual(client.ended, "", before)
            client.wait(0.5)
            self.assertEqual((client.ended, client.received), ("closed", had), before)

    def test_slow_head(self) -> None:
        """A head that does not end is 408, even while bytes of it trickle in."""
        client = Client(Whole(), limits=Limits(head_time=2.0))
        for byte in b"GET / HTTP/1.1\r\nA: ":
            client.send(bytes([byte]))
            client.wait(0.2)
        self.assertEqual((client.status, client.refusals[0][1]), (408, "request_timeout"))
        self.assertEqual(client.received.count(b"HTTP/1.1"), 1)

    def test_slow_second_head(self) -> None:
        """The time of a head counts from its own first byte, not from the request before."""
        client = Client(resource := Streaming(), limits=Limits(head_time=2.0))
        client.send(get() + b"GET /b")
        client.wait(5)
        resource.seen[0].answer()
        client.wait(1.5)
        client.send(get(b"/b")[6:])
        self.assertEqual(len(resource.seen), 2)

    def test_slow_body(self) -> None:
        """A body for an ordinary resource that stops coming is 408; one that is slow but comes is not."""
        client = Client(whole := Whole(), limits=Limits(body_silence=2.0))
        client.send(get(b"/", b"Content-Length: 4", method=b"POST"))
        for _ in range(3):
            client.wait(1.5)
            client.send(b"x")
        self.assertEqual(client.status, 0)
        client.wait(2.5)
        self.assertEqual((client.status, whole.requests), (408, []))

    def test_slow_stream(self) -> None:
        """Who reads a stream that stops coming hears of it, and still answers."""
        client = Client(resource := Streaming(), limits=Limits(body_silence=2.0))
        client.send(get(b"/", b"Content-Length: 4", method=b"POST"))
        seen = resource.seen[0]
        client.wait(5)
        self.assertEqual(seen.ended, [])
        seen.read()
        client.wait(2.5)
        seen.ended[0].trap(RequestBodyTimeout)
        seen.answer(b"slow", 408)
        self.assertIn(b"Connection: close", client.received)

    def test_paused_stream(self) -> None:
        """A client is not blamed for a body that we do not take."""
        client = Client(resource := Streaming(), limits=Limits(body_silence=2.0))
        client.send(get(b"/", b"Content-Length: 400", method=b"POST"))
        seen = resource.seen[0]
        seen.read()
        seen.request.body.pauseProducing()
        client.send(b"abc")
        client.wait(10)
        self.assertEqual((seen.ended, client.status), ([], 0))

    def test_long_answer(self) -> None:
        """An answer may take its time: none of these limits is about it."""
        client = Client(resource := Streaming(), limits=Limits(head_time=1, body_silence=1, idle=1, closing=1))
        client.send(get())
        client.wait(20)
        resource.seen[0].answer()
        self.assertEqual(client.received, OK)

    def test_slow_reader(self) -> None:
        """A client that takes a long response slowly gets all of it, however long that takes."""
        for request in (get(b"/", b"Connection: close"), get()):
            client = Client(resource := Streaming(), limits=Limits(closing=2.0, idle=3.0, head_time=2.0))
            client.transport.take(0)
            client.send(request)
            resource.seen[0].answer(b"x" * 200_000)
            for _ in range(10):
                client.wait(1)
                client.transport.take(20_000)
                self.assertEqual(client.ended, "", request)
            client.transport.take(None)
            client.run()
            self.assertTrue(client.received.endswith(b"x" * 200_000), request)

    def test_no_reader(self) -> None:
        """One that takes nothing is reset, and does not hold what it was sent for ever."""
        for request in (get(b"/", b"Connection: close"), get()):
            client = Client(resource := Streaming(), limits=Limits(closing=2.0, idle=3.0))
            client.transport.take(0)
            client.send(request)
            resource.seen[0].answer(b"x" * 200_000)
            client.wait(10)
            self.assertEqual((client.ended, client.site.connections), ("reset", 0), request)

    def test_no_reader_of_an_answer_that_goes_on(self) -> None:
        """One that takes nothing of an answer of which more waits is reset, and whoever answers is told."""
        for content in (b"", b"one more chunk"):
            client = Client(resource := Streaming(), limits=Limits(send_silence=4.0, head_time=2.0))
            client.transport.take(0)
            client.send(get())
            seen = resource.seen[0]
            seen.request.write(b"x" * 200_000)
            for _ in range(6):
                client.wait(0.5)
                seen.request.write(content)
            self.assertEqual((client.ended, seen.left), ("", []), content)
            client.wait(6)
            self.assertEqual((client.ended, len(seen.left), client.site.connections), ("reset", 1, 0), content)

    def test_slow_reader_of_an_answer_that_goes_on(self) -> None:
        """One that takes a little now and then is not; nor is one to whom nothing is to be sent."""
        client = Client(resource := Streaming(), limits=Limits(send_silence=4.0))
        client.transport.take(0)
        client.send(get())
        seen = resource.seen[0]
        seen.request.write(b"x" * 200_000)
        for _ in range(20):
            client.wait(3)
            client.transport.take(100)
            self.assertEqual(client.ended, "")
        client.transport.take(None)
        client.wait(20)
        self.assertEqual((client.ended, seen.left), ("", []))

    def test_sends_and_does_not_read(self) -> None:
        """Who sends its body and reads nothing is not reading."""
        client = Client(resource := Streaming(), limits=Limits(send_silence=4.0, body_silence=4.0))
        client.transport.take(0)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        seen = resource.seen[0]
        seen.read()
        seen.request.write(b"x" * 200_000)
        for _ in range(20):
            client.wait(1)
            client.send(b"y")
        self.assertEqual(client.ended, "reset")

    def test_pipelined_slow_reader(self) -> None:
        """A request that waits until the responses before it are taken is not called slow."""
        client = Client(resource := Streaming(), limits=Limits(closing=2.0, idle=60.0, head_time=2.0))
        client.transport.take(0)
        client.send(get(b"/a") + get(b"/b"))
        resource.seen[0].answer(b"x" * 100_000)
        client.wait(5)
        client.transport.take(None)
        client.run()
        self.assertEqual((len(resource.seen), client.status), (2, 200))

    def test_closing(self) -> None:
        """After the last response the client has a moment to close; then the connection is reset."""
        client = Client(Whole(), limits=Limits(closing=2.0))
        client.send(b"nonsense\r\n\r\n")
        self.assertEqual((client.status, client.transport.half_closed, client.ended), (400, True, ""))
        client.send(b"more " * 1000)
        client.wait(1)
        self.assertEqual((client.ended, client.channel._reader.unread), ("", b""))
        client.wait(1.5)
        self.assertEqual(client.ended, "reset")

    def test_no_timers_left(self) -> None:
        """A site whose connections have ended leaves no timer behind."""
        client = Client(Whole())
        client.send(get())
        client.leave()
        client.site.stopFactory()
        self.assertEqual(client.clock.getDelayedCalls(), [])


class HalfClosedTests(SynchronousTestCase):
    def test_waits_for_its_answer(self) -> None:
        """RFC 9112 section 9.6: a client that has closed its side still gets its answer."""
        client = Client(resource := Streaming())
        client.send(get())
        client.transport.end()
        client.run()
        resource.seen[0].answer()
        client.run()
        self.assertTrue(client.received.replace(CONTINUE, b"").endswith(b"\r\n\r\nok"))
        self.assertEqual((resource.seen[0].left, client.ended), ([], "closed"))

    def test_pipelined(self) -> None:
        """All that it asked for before it closed is answered."""
        client = Client(resource := Streaming())
        client.send(get(b"/a") + get(b"/b") + get(b"/c")[:-1])
        client.transport.end()
        client.run()
        for number in range(2):
            self.assertNotIn(b"Connection: close", client.received)
            resource.seen[number].answer(b"%d" % number)
            client.run()
        self.assertIn(b"Connection: close", client.received)
        self.assertEqual((client.received.count(b"200 OK"), client.ended), (2, "closed"))

    def test_pipelined_body(self) -> None:
        """But not what it had only begun to send."""
        client = Client(resource := Streaming())
        client.send(get(b"/a") + post(b"abc", target=b"/b")[:-1])
        client.transport.end()
        client.run()
        resource.seen[0].answer()
        client.run()
        self.assertEqual((client.received.count(b"200 OK"), client.ended), (1, "closed"))
        resource.seen[1].left[0].trap(ClientLeft)

    def test_idle(self) -> None:
        """One that waits for nothing is let go at once."""
        client = Client(Whole())
        client.send(get())
        client.transport.end()
        client.run()
        self.assertEqual(client.ended, "closed")

    def test_within_the_head(self) -> None:
        """Half a request is none."""
        client = Client(whole := Whole())
        client.send(get()[:-1])
        client.transport.end()
        client.run()
        self.assertEqual((client.ended, client.received, whole.requests), ("closed", b"", []))


PIPELINE = (
    get(b"/1")
    + post(b"abc", target=b"/2")
    + b"\r\n"
    + chunked(b"de", b"\r\n0\r\n\r\n", trailers=b"T: u\r\n", target=b"/3")
    + post(b"", target=b"/4")
    + get(b"/5", method=b"HEAD")
    + post(b"x" * 300, b"Expect: 100-continue", target=b"/6")
    + get(b"/7", b"Connection: close")
    + get(b"/8")
)


class SplitTests(SynchronousTestCase):
    """However the bytes of a client are cut, the requests and the answers are the same."""

    def served(self, resource: Any, *pieces: bytes) -> bytes:
        client = Client(resource)
        client.send(*pieces)
        return client.received.replace(CONTINUE, b"")

    @settings(max_examples=examples(40), deadline=None)
    @given(st.sets(st.integers(1, len(PIPELINE) - 1), max_size=20))
    def test_any_split(self, cuts: set[int]) -> None:
        """Whether they come in one piece or in many."""
        places = [0, *sorted(cuts), len(PIPELINE)]
        pieces = [PIPELINE[start:end] for start, end in pairwise(places)]
        self.assertEqual(self.served(Echo(), *pieces), self.served(Echo(), PIPELINE))
        whole, split = Whole(), Whole()
        self.assertEqual(_same(self.served(split, *pieces)), _same(self.served(whole, PIPELINE)))
        self.assertEqual(split.requests, whole.requests)

    def test_each_byte(self) -> None:
        """Or byte for byte."""
        echo = Echo()
        received = self.served(echo, *[PIPELINE[at : at + 1] for at in range(len(PIPELINE))])
        self.assertEqual(_same(received), _same(self.served(Echo(), PIPELINE)))
        self.assertEqual(echo.called, 7)
        self.assertIn(b"POST /3 de\r\n0\r\n\r\n|T=u", received)


_VARYING = (b"date: ", b"x-request-id: ", b"request-id: ")


def _same(data: bytes) -> bytes:
    """What does not depend on when it was asked, and by whom."""
    return b"\r\n".join(line for line in data.split(b"\r\n") if not line.lower().startswith(_VARYING))
