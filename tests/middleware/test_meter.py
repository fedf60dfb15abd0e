"""Tests for L{llmproxy.middleware.meter}."""

from __future__ import annotations

import gzip
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, MeterSettings
from llmproxy.bodies import BytesBody
from llmproxy.config import ProxyConfig
from llmproxy.config.model import CacheConfig
from llmproxy.config.upstreams import RetryConfig
from llmproxy.core.websocket import TEXT, frame
from llmproxy.middleware.meter import meter_for
from llmproxy.testing import MemoryProxy
from llmproxy.usage import UNKNOWN, Usage

from ..harness import Exchange
from ..harness import a_request as on_the_wire
from ..providers.answers import GOLDEN, JSON, SSE, Golden
from ..providers.test_messagereader import CREATED, TALK, sent
from ..tables import row
from .fakes import a_request, a_response, an_api, answering

CHAT = GOLDEN["chat"]
STREAM = GOLDEN["chat, streamed"]
REQUEST = on_the_wire(b"/v1/chat/completions", b"Content-Type: application/json", body=b'{"model":"small"}')
STORED = REQUEST.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=60\r\n\r\n", 1)


def head(golden: Golden, *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: " + golden.media_type + b"; charset=utf-8", *fields]
    return b"\r\n".join([*lines, b"", b""])


def whole(golden: Golden, *fields: bytes) -> bytes:
    return head(golden, b"Content-Length: %d" % len(golden.body), *fields) + golden.body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class MeterTests(SynchronousTestCase):
    """In the whole chain, between the bytes of a client and those of upstream."""

    def exchange(self, **options: Any) -> Exchange:
        self.proxy = Exchange(base_url="http://openai.com", **options)
        self.client = self.proxy.client()
        self.client.receive(REQUEST)
        return self.proxy

    def counted(self) -> tuple[Usage, bool, str]:
        [record] = self.proxy.records
        usage = record.usage
        assert usage is not None
        return usage, record.truncated, record.model

    def check(self, golden: Golden) -> None:
        usage, truncated, model = self.counted()
        self.assertEqual(
            (usage.input_tokens, usage.output_tokens), (golden.usage.input_tokens, golden.usage.output_tokens)
        )
        self.assertEqual((usage.served_model, truncated, model), ("small-2", False, "small"))

    def test_small(self) -> None:
        """An answer that comes at once, and one in pieces."""
        for at in (0, 1, -1):
            proxy = self.exchange()
            answer = whole(CHAT)
            for piece in (answer[:at], answer[at:]):
                if piece:
                    proxy.upstream[0].receive(piece)
            self.check(CHAT)
            self.assertIsNone(proxy.records[0].first_token, at)

    def test_tried_again(self) -> None:
        """Of an exchange that is tried again it is the last answer that counts."""
        failed = b'{"error":{},"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"model":"small-1"}'
        head = b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        proxy = self.exchange(retry=RetryConfig(attempts=2, statuses=(500,), budget=1.0))
        proxy.upstream[0].receive(head % len(failed) + failed)
        for _ in range(100):
            proxy.turn(0.1)
        self.assertEqual(proxy.records, [])
        proxy.upstream[-1].receive(whole(CHAT))
        self.check(CHAT)

    def test_stream(self) -> None:
        """Events pass as they come, and are counted at the end; the first of them is timed."""
        proxy = self.exchange()
        proxy.upstream[0].receive(head(STREAM, b"Transfer-Encoding: chunked"))
        proxy.clock.advance(0.5)
        for at in range(0, len(STREAM.body), 7):
            piece = chunk(STREAM.body[at : at + 7])
            proxy.upstream[0].receive(piece)
            self.assertTrue(bytes(self.client.sent).endswith(piece), piece)
        proxy.clock.advance(2)
        proxy.upstream[0].receive(b"0\r\n\r\n")
        self.check(STREAM)
        self.assertEqual((proxy.records[0].first_token, proxy.records[0].streamed_for), (0.5, 2.0))

    def test_same_bytes(self) -> None:
        """An answer that is metered is the same as one that is not."""
        sent = []
        for address in ("http://openai.com", "http://192.0.2.9"):
            proxy = Exchange(base_url=address)
            client = proxy.client()
            client.receive(REQUEST)
            proxy.upstream[0].receive(whole(CHAT, b"Date: x", b"X-Request-ID: 1", b"Request-ID: 2"))
            sent.append(bytes(client.sent).partition(b"Via")[0])
        self.assertEqual(*sent)
        self.assertIsNone(proxy.records[0].usage)

    def test_left(self) -> None:
        """Of a stream that the client left counts what was seen; it is cut, but not behind the last event."""
        events = GOLDEN["messages, streamed"]
        for end, output, truncated in ((b"event: message_delta", 1, True), (b"nothing", 17, False)):
            proxy = self.exchange()
            proxy.upstream[0].receive(head(events, b"Transfer-Encoding: chunked"))
            proxy.upstream[0].receive(chunk(events.body.partition(end)[0]))
            self.client.close()
            usage, cut, _ = self.counted()
            self.assertEqual((usage.input_tokens, usage.output_tokens, cut), (543, output, truncated), (end, output))

    def test_unknown(self) -> None:
        """A stream whose usage nobody has asked for, and that its client leaves, names the model all the same."""
        event = b'data: {"id":"c","model":"small-2","choices":[{"delta":{"content":"a"}}]}\n\n'
        for ends in (True, False):
            proxy = self.exchange()
            proxy.upstream[0].receive(head(STREAM, b"Transfer-Encoding: chunked") + chunk(event) + chunk(event))
            if ends:
                proxy.upstream[0].receive(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            else:
                self.client.close()
            [record] = proxy.records
            with row(self, ends):
                self.assertEqual((record.usage, record.truncated), (Usage(served_model="small-2"), not ends))

    def test_streamed(self) -> None:
        """The record says whether an answer came as a stream."""
        for golden, streamed in ((CHAT, False), (STREAM, True)):
            proxy = self.exchange()
            proxy.upstream[0].receive(whole(golden))
            with row(self, streamed):
                self.assertEqual(proxy.records[0].streamed, streamed)

    def test_coded(self) -> None:
        body = gzip.compress(CHAT.body)
        proxy = self.exchange()
        proxy.upstream[0].receive(head(CHAT, b"Content-Encoding: gzip", b"Content-Length: %d" % len(body)) + body)
        self.check(CHAT)

    def test_unread(self) -> None:
        """What cannot be read passes, is unknown, and is counted."""
        for coding, kind in ((b"gzip", "coding"), (b"other", "coding")):
            proxy = self.exchange()
            proxy.upstream[0].receive(whole(CHAT, b"Content-Encoding: " + coding))
            self.assertTrue(bytes(self.client.sent).endswith(CHAT.body), coding)
            self.assertEqual(
                (proxy.records[0].usage, [each[0] for each in proxy.unread]), (UNKNOWN, [kind]), (coding, kind)
            )

    def test_stored_stream(self) -> None:
        """A stream that is stored on its way is counted in the record of its client, whoever leaves."""
        fields = b"Cache-Control: public, max-age=60", b"Transfer-Encoding: chunked"
        for leaves in (False, True):
            self.proxy = proxy = Exchange(base_url="http://openai.com", cached=True, cache=CacheConfig(post="opt_in"))
            clients = [proxy.client(), proxy.client()]
            for client in clients:
                client.receive(STORED)
            [upstream] = proxy.upstream
            upstream.receive(head(CHAT, *fields) + chunk(CHAT.body[:9]))
            if leaves:
                clients[0].close()
            upstream.receive(chunk(CHAT.body[9:]) + b"0\r\n\r\n")
            counted = [record.usage for record in proxy.records if record.usage is not None and record.usage.is_known]
            self.assertEqual([usage.input_tokens for usage in counted], [30], leaves)
            # The other one has got it for nothing, unless it has left.
            others = [record for record in proxy.records if record.usage is None]
            expected = [("uri-miss", None)] if leaves else [("hit", 30)]
            saved = [(record.cache, record.saved and record.saved.input_tokens) for record in others]
            self.assertEqual(saved, expected, leaves)
            self.assertEqual({record.cache for record in proxy.records} - {"hit"}, {"uri-miss"}, leaves)
            clients[1].receive(STORED)
            self.assertEqual(self.saved(), ("hit", 30, "small-2"), leaves)

    def saved(self) -> tuple[str, int | None, str]:
        """Of the exchange that has ended last."""
        record = self.proxy.records[-1]
        assert record.saved is not None and record.usage is None
        return record.cache, record.saved.input_tokens, record.saved.served_model

    def test_shared(self) -> None:
        """Those who wait for an answer that comes whole have saved what it used."""
        fields = b"Cache-Control: public, max-age=60", b"Content-Encoding: gzip"
        body = gzip.compress(CHAT.body)
        answer = head(CHAT, b"Content-Length: %d" % len(body), *fields) + body
        for leaves in (False, True):
            self.proxy = proxy = Exchange(base_url="http://openai.com", cached=True, cache=CacheConfig(post="opt_in"))
            clients = [proxy.client() for _ in range(3)]
            for client in clients:
                client.receive(STORED)
            if leaves:
                clients[0].close()
            proxy.upstream[0].receive(answer)
            found = [(r.cache, bool(r.usage), r.saved and r.saved.output_tokens, r.attempts) for r in proxy.records]
            paid, shared = ("uri-miss", True, None, 1), ("hit", False, 12, 0)
            expected = [("uri-miss", False, None, 0), paid, shared] if leaves else [paid, shared, shared]
            self.assertEqual(found, expected, leaves)

    def test_hit(self) -> None:
        """What comes from the cache has used nothing, and says what it saved."""
        self.proxy = proxy = Exchange(base_url="http://openai.com", cached=True, cache=CacheConfig(post="opt_in"))
        self.client = self.proxy.client()
        self.client.receive(STORED)
        proxy.upstream[0].receive(whole(CHAT, b"Cache-Control: public, max-age=60"))
        self.client.receive(STORED)
        stored, hit = proxy.records
        self.assertEqual(hit.cache, "hit")
        self.assertEqual((stored.usage is None, stored.saved, hit.usage), (False, None, None))
        self.assertEqual(self.saved(), ("hit", 30, "small-2"))


METERED = ApiSettings(meter=MeterSettings())


class FetchedTests(SynchronousTestCase):
    def test_background(self) -> None:
        """An answer of the background that is asked for until it is there counts once, and then never again."""
        proxy = Exchange(base_url="http://openai.com")
        client = proxy.client()
        queued = b'{"id":"resp_1","status":"queued","background":true,"model":"big-1","usage":null}'
        done = b'{"id":"resp_1","status":"completed","background":true,"model":"big-1","usage":%b}' % (
            b'{"input_tokens":9,"output_tokens":7,"total_tokens":16}'
        )
        fetch = on_the_wire(b"/v1/responses/resp_1")
        asking = on_the_wire(b"/v1/responses", b"Content-Type: application/json", body=b'{"background":true}')
        for request, body in ((asking, queued), (fetch, queued), (fetch, done), (fetch, done), (fetch, done)):
            client.receive(request)
            proxy.upstream[-1].receive(whole(Golden(JSON, body, UNKNOWN, frozenset())))
        self.assertEqual(
            [usage and (usage.is_known, usage.output_tokens) for usage in (record.usage for record in proxy.records)],
            [(False, None), None, (True, 7), None, None],
        )


class KeptTests(SynchronousTestCase):
    def test_changed(self) -> None:
        """What is noted about a chat that is kept makes no use of it, though all of it comes again."""
        proxy = Exchange(base_url="http://openai.com")
        client = proxy.client()
        for path in (b"/v1/chat/completions", b"/v1/chat/completions/chatcmpl-1"):
            client.receive(on_the_wire(path, b"Content-Type: application/json", body=b"{}"))
            proxy.upstream[-1].receive(whole(CHAT))
        self.assertEqual([record.usage is None for record in proxy.records], [False, True])


class MessagesTests(SynchronousTestCase):
    def talk(self, data: bytes, *fields: bytes) -> Exchange:
        proxy = Exchange(base_url="http://openai.com")
        client = proxy.client()
        client.receive(on_the_wire(b"/v1/realtime?model=gpt-rt", b"Connection: upgrade", b"Upgrade: websocket"))
        [upstream] = proxy.upstream
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket", *fields, b"", b""]
        upstream.receive(b"\r\n".join(lines))
        asked = frame(TEXT, b'{"type":"response.create"}', mask=True)
        client.receive(asked)
        self.assertTrue(bytes(upstream.sent).endswith(asked))
        for at in range(0, len(data), 5):
            upstream.receive(data[at : at + 5])
        self.assertTrue(bytes(client.sent).endswith(data))
        client.close()
        return proxy

    def test_realtime(self) -> None:
        """What the answers of a session have used is read from a copy of its messages; neither side notices."""
        [record] = self.talk(sent(TALK)).records
        usage = record.usage
        assert usage is not None
        self.assertEqual((usage.input_tokens, usage.output_tokens, record.truncated), (30, 12, False))
        self.assertEqual((usage.served_model, record.model), ("gpt-realtime", "gpt-rt"))

    def test_cut(self) -> None:
        """Of a session that ends within an answer counts what was said until then."""
        [record] = self.talk(sent([*TALK, CREATED])).records
        self.assertEqual((record.usage and record.usage.output_tokens, record.truncated), (12, True))

    def test_unread(self) -> None:
        """What is no message, or in an extension that cannot be undone, passes and is unknown."""
        for data, fields in ((b"nonsense", ()), (b"\xc1\x01a", (b"Sec-WebSocket-Extensions: x-other",))):
            proxy = self.talk(data, *fields)
            self.assertEqual(
                ([record.usage for record in proxy.records], [each[0] for each in proxy.unread]),
                ([UNKNOWN], ["coding"]),
                data,
            )


class WhichTests(SynchronousTestCase):
    def test_metered(self) -> None:
        """APIs that have a meter: nothing stands in the chain where none has."""
        off, on = an_api(), an_api("on", settings=METERED)
        self.assertIsNone(meter_for([off], Clock().seconds, self.fail))
        meter = meter_for([off, on], Clock().seconds, self.fail)
        assert meter is not None
        for api, usage in ((off, None), (on, 12)):
            request = a_request(api=api)
            response = a_response(200, BytesBody(CHAT.body), [(b"Content-Type", b"application/json")])
            self.successResultOf(meter.respond(request, answering(response)))
            self.assertEqual(request.record.usage and request.record.usage.output_tokens, usage, api.name)

    def test_not_looked_at(self) -> None:
        """Errors, and what has no content; what can be no use is none, and what cannot be read is unknown."""
        api = an_api(settings=METERED)
        meter = meter_for([api], Clock().seconds, self.fail)
        assert meter is not None
        json = [(b"Content-Type", b"application/json")]
        audio = [(b"Content-Type", b"audio/mpeg")]
        for method, response, usage in (
            (b"POST", a_response(500, BytesBody(b'{"error":{}}'), json), None),
            (b"POST", a_response(502, BytesBody(b"<html>"), [(b"Content-Type", b"text/html")]), None),
            (b"POST", a_response(302, BytesBody(CHAT.body), json), None),
            (b"POST", a_response(204, None, []), None),
            (b"POST", a_response(200, BytesBody(CHAT.body), audio), UNKNOWN),
            (b"POST", a_response(200, BytesBody(CHAT.body), []), UNKNOWN),
            (b"GET", a_response(200, BytesBody(CHAT.body), audio), None),
            (b"GET", a_response(304, None, json), None),
            (b"HEAD", a_response(200, BytesBody(b""), json), None),
        ):
            request, body = a_request(method, api=api), response.body
            self.assertIs(self.successResultOf(meter.respond(request, answering(response))).body, body)
            self.assertEqual(request.record.usage, usage, (method, response))

    def test_error(self) -> None:
        """An error that says what it used counts, as of what a model made and nobody could read."""
        api = an_api(settings=METERED)
        meter = meter_for([api], Clock().seconds, self.fail)
        assert meter is not None
        for status in (400, 424, 500):
            request = a_request(api=api)
            response = a_response(status, BytesBody(CHAT.body), [(b"Content-Type", b"application/json")])
            self.successResultOf(meter.respond(request, answering(response)))
            self.assertEqual(request.record.usage and request.record.usage.output_tokens, 12, status)

    def test_fault(self) -> None:
        """A fault of the meter's own hurts no answer, and is said without a word of the answer."""
        api, said = an_api(settings=METERED), []

        def broken() -> float:
            return 0.0

        meter = meter_for([api], broken, lambda *what: said.append(what))
        assert meter is not None
        request = a_request(api=api)
        request.body = BytesBody(b"{}")
        request.body.content = None  # type: ignore[assignment]
        response = a_response(200, BytesBody(b"{}"), [(b"Content-Type", SSE)])
        self.assertIs(self.successResultOf(meter.respond(request, answering(response))), response)
        self.assertEqual([kind for kind, _ in said], ["fault"])
        self.assertEqual(request.record.usage, UNKNOWN)


class WholeProxyTests(SynchronousTestCase):
    def test_shown(self) -> None:
        """What an answer used is in the record and the counters; so is what could not be read."""
        config = ProxyConfig(
            base_url="https://api.openai.com", allowed_endpoints=["/v1"], allowed_methods=["POST"], api_name="openai"
        )
        memory = MemoryProxy(config)
        for fields in ([], [(b"Content-Encoding", b"gzip")]):
            memory.request("POST", "/v1/chat/completions", body=b'{"model":"small"}')
            memory.upstream.next().answer(200, CHAT.body, [(b"Content-Type", b"application/json"), *fields])
        read, unread = memory.records
        self.assertEqual((read.model, read.usage and read.usage.output_tokens, unread.usage), ("small", 12, UNKNOWN))
        metrics = memory.proxy.metrics()
        self.assertEqual(metrics.tokens["openai", "small-2", "reasoning"], 5)
        self.assertEqual(metrics.counters["llmproxy_meter_errors"][1](), 1)
        self.successResultOf(memory.stop())
