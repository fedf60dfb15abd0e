"""Tests for L{llmproxy.middleware.includeusage}."""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import CacheConfig, MeterConfig
from llmproxy.middleware.includeusage import HELD, LONGEST

from ..harness import Exchange, Socket
from ..harness import a_request as on_the_wire
from ..providers.answers import GOLDEN

STREAM = GOLDEN["chat, streamed"].body
USAGE = STREAM.index(b'data: {"model":"small-2","choices":[]')
DONE = STREAM.index(b"data: [DONE]")
WITHOUT = STREAM[:USAGE] + STREAM[DONE:]
BODY = b'{"model": "small",  "stream": true, "messages": [{"content": "\\u00e9"}]}'
ASKED = b'{"stream_options":{"include_usage":true},' + BODY[1:]
PATH = b"/v1/chat/completions"
JSON = b"Content-Type: application/json"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def content_of(data: bytes) -> bytes:
    """The content of a chunked answer."""
    found, rest = b"", data.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        found, rest = found + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return found


class IncludeUsageTests(SynchronousTestCase):
    """In the whole chain, between the bytes of a client and those of upstream."""

    def begin(self, request: bytes = b"", **options: Any) -> Exchange:
        options.setdefault("meter", MeterConfig(include_usage="inject"))
        self.proxy = Exchange(base_url="http://openai.com", **options)
        self.client = self.proxy.client()
        self.client.receive(request or on_the_wire(PATH, JSON, body=BODY))
        return self.proxy

    @property
    def upstream(self) -> Socket:
        return self.proxy.upstream[-1]

    def sent(self) -> tuple[bytes, bytes]:
        """Head and body of what upstream was asked."""
        head, _, body = bytes(self.upstream.sent).partition(b"\r\n\r\n")
        return head, body

    def answer(self, body: bytes = STREAM, *fields: bytes, size: int = 7) -> bytes:
        head = [
            b"HTTP/1.1 200 OK",
            b"Content-Type: text/event-stream",
            b"Transfer-Encoding: chunked",
            *fields,
            b"",
            b"",
        ]
        self.upstream.receive(b"\r\n".join(head))
        for at in range(0, len(body), size):
            self.upstream.receive(chunk(body[at : at + size]))
        self.upstream.receive(b"0\r\n\r\n")
        return content_of(bytes(self.client.sent))

    def counted(self) -> int | None:
        [record] = self.proxy.records
        return record.usage and record.usage.output_tokens

    def test_injected(self) -> None:
        """Upstream is asked, the client gets what it asked for, byte for byte, and the usage is known."""
        for size in (1, 7, 100, len(STREAM)):
            self.begin()
            head, body = self.sent()
            self.assertEqual(body, ASKED, size)
            self.assertIn(b"\r\nContent-Length: %d\r\n" % len(ASKED), head + b"\r\n")
            self.assertIn(b"\r\nAccept-Encoding: identity", head)
            self.assertEqual(self.answer(size=size), WITHOUT, size)
            self.assertEqual((self.counted(), self.proxy.records[0].model), (12, "small"), size)
            self.assertTrue(self.proxy.idle(), size)

    def test_kept(self) -> None:
        """Nothing happens to an API that does not say so, to other calls, and to a client that asks itself."""
        usage = on_the_wire(PATH, JSON, body=b'{"stream":true,"stream_options":{"include_usage":true}}')
        for request, options in (
            (on_the_wire(PATH, JSON, body=BODY), {"meter": MeterConfig()}),
            (on_the_wire(b"/v1/responses", JSON, body=BODY), {}),
            (on_the_wire(b"/v1/completions", JSON, body=b'{"stream": false}'), {}),
            (on_the_wire(b"/v1/completions", JSON, b"Content-Digest: sha-256=:x:", body=BODY), {}),
            (on_the_wire(b"/v1/completions", JSON, body=b"no json"), {}),
            (usage, {}),
        ):
            self.begin(request, **options)
            self.assertEqual(self.sent()[1], request.partition(b"\r\n\r\n")[2], request)
            self.assertNotIn(b"identity", self.sent()[0])
            self.assertEqual(self.answer(), STREAM, request)

    def test_coded_request(self) -> None:
        body = gzip.compress(BODY)
        self.begin(on_the_wire(PATH, JSON, b"Content-Encoding: gzip", body=body))
        self.assertEqual(self.sent()[1], body)

    def test_encodings(self) -> None:
        """What the client accepts is replaced where it stands."""
        fields = (b"Accept-Encoding: gzip", b"X-A: 1", b"accept-encoding: br")
        self.begin(on_the_wire(PATH, JSON, *fields, body=BODY))
        self.assertIn(b"\r\nAccept-Encoding: identity\r\nX-A: 1\r\n", self.sent()[0])
        self.assertNotIn(b"br\r\n", self.sent()[0])

    def test_coded_answer(self) -> None:
        """A stream that is coded all the same passes as it is, is counted, and that is said."""
        body = gzip.compress(STREAM)
        self.begin()
        self.assertEqual(self.answer(body, b"Content-Encoding: gzip"), body)
        self.assertEqual((self.counted(), [kind for kind, _ in self.proxy.unread]), (12, ["include_usage"]))

    def test_with_length(self) -> None:
        """An answer whose length upstream knows has another one."""
        for at_once in (True, False):
            self.begin()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(STREAM)
            if at_once:
                self.upstream.receive(head + STREAM)
                self.assertTrue(bytes(self.client.sent).endswith(b"\r\n\r\n" + WITHOUT), at_once)
                self.assertIn(b"\r\nContent-Length: %d\r\n" % len(WITHOUT), bytes(self.client.sent))
            else:
                self.upstream.receive(head)
                self.upstream.receive(STREAM)
                self.assertEqual(content_of(bytes(self.client.sent)), WITHOUT, at_once)
            self.assertEqual(self.counted(), 12, at_once)

    def test_no_stream(self) -> None:
        """An error, or an answer in one piece, passes as it is."""
        body = b'{"error":{"message":"no"}}'
        self.begin()
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.upstream.receive(head + body)
        self.assertTrue(bytes(self.client.sent).endswith(body))

    def test_upload(self) -> None:
        """A request that comes in pieces, with a length or in chunks, goes on in the same framing."""
        request = on_the_wire(PATH, JSON, body=BODY)
        self.begin(request[:-9])
        self.assertEqual(self.proxy.upstream, [])
        self.client.receive(request[-9:])
        self.assertEqual(self.sent()[1], ASKED)
        head = on_the_wire(PATH, JSON, b"Transfer-Encoding: chunked", method=b"POST").partition(b"\r\n\r\n")[0]
        self.begin(head + b"\r\n\r\n" + chunk(BODY[:9]))
        self.client.receive(chunk(BODY[9:]) + b"0\r\n\r\n")
        self.assertEqual(self.sent()[1], chunk(ASKED) + b"0\r\n\r\n")
        self.assertEqual(self.answer(), WITHOUT)
        self.assertTrue(self.proxy.idle())
        self.begin(head + b"\r\nTrailer: X-Sum\r\n\r\n" + chunk(BODY[:9]))
        self.client.receive(chunk(BODY[9:]) + b"0\r\nX-Sum: 1\r\n\r\n")
        self.assertEqual(self.sent()[1], chunk(ASKED) + b"0\r\nX-Sum: 1\r\n\r\n")

    def test_too_long(self) -> None:
        """A request that is too long to hold goes on as it is, and that is said."""
        body = BODY[:-1] + b',"x":"' + b"y" * LONGEST + b'"}'
        request = on_the_wire(PATH, JSON, body=body)
        self.begin(request)
        self.assertEqual(self.sent()[1], body)
        self.assertEqual([kind for kind, _ in self.proxy.unread], ["include_usage"])
        self.assertEqual(self.answer(), STREAM)
        head = on_the_wire(PATH, JSON, b"Transfer-Encoding: chunked", method=b"POST").partition(b"\r\n\r\n")[0]
        self.begin(head + b"\r\n\r\n")
        for at in range(0, len(body), 50_000):
            self.client.receive(chunk(body[at : at + 50_000]))
        self.client.receive(b"0\r\n\r\n")
        self.assertEqual(content_of(bytes(self.upstream.sent)), body)
        self.assertEqual(self.proxy.include_usage and self.proxy.include_usage.budget.used, 0)

    def test_continue(self) -> None:
        """A client that waits for a word is asked for its request, and upstream is not asked for that word."""
        request = on_the_wire(PATH, JSON, b"Expect: 100-continue", body=BODY)
        head, _, body = request.partition(b"\r\n\r\n")
        self.begin(head + b"\r\n\r\n")
        self.assertIn(b"100 Continue", bytes(self.client.sent))
        self.client.receive(body)
        self.assertEqual(self.sent()[1], ASKED)
        self.assertNotIn(b"Expect", self.sent()[0])

    def test_left(self) -> None:
        """A client that leaves, before its request is whole or in the answer, leaves nothing behind."""
        request = on_the_wire(PATH, JSON, body=BODY)
        for sent, answered in ((request[:-9], b""), (request, b""), (request, STREAM[: USAGE + 20])):
            self.begin(sent)
            if answered:
                self.upstream.receive(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                self.upstream.receive(chunk(answered))
            self.client.close()
            self.proxy.turn()
            [record] = self.proxy.records
            self.assertEqual(record.ended, "client_left", answered)
            budget = self.proxy.include_usage
            assert budget is not None
            self.assertEqual((budget.budget.used, self.proxy.idle()), (0, True), answered)

    def test_cut(self) -> None:
        """A stream that breaks off gives the client all that came, but for a usage that came whole."""
        for end in (5, USAGE - 1, DONE - 1, DONE):
            self.begin()
            self.upstream.receive(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            self.upstream.receive(chunk(STREAM[:end]))
            self.upstream.close()
            expected = STREAM[:end] if end < USAGE else STREAM[:USAGE]
            # A last line without its end is a whole one to some.
            self.assertEqual(content_of(bytes(self.client.sent)), expected, end)
            self.assertNotEqual(self.client.state, "open", end)

    def test_judged(self) -> None:
        """What is allowed is judged by the words of the client, not by ours."""
        whitelist = {"stream_options": ["null"], "model": ["small"]}
        self.begin(param_whitelist=whitelist)
        self.assertEqual(self.sent()[1], ASKED)
        self.assertEqual(self.answer(), WITHOUT)
        self.begin(on_the_wire(PATH, JSON, body=BODY.replace(b"small", b"large")), param_whitelist=whitelist)
        self.assertEqual(self.proxy.upstream, [])

    def test_stored(self) -> None:
        """What is stored is what the client got, and is found by what the client asked for."""
        request = on_the_wire(PATH, JSON, b"Cache-Control: public, max-age=60", body=BODY)
        self.begin(request, cached=True, cache=CacheConfig(post="opt_in", streams=True))
        fresh = b"Cache-Control: public, max-age=60"
        self.assertEqual(self.answer(STREAM, fresh), WITHOUT)
        again = self.proxy.client()
        again.receive(request)
        self.assertTrue(bytes(again.sent).endswith(WITHOUT))
        self.assertEqual([record.cache for record in self.proxy.records][1:], ["hit"])
        asking = self.proxy.client()
        body = json.dumps({"stream": True, "stream_options": {"include_usage": True}}).encode()
        asking.receive(on_the_wire(PATH, JSON, b"Cache-Control: public, max-age=60", body=body))
        self.assertTrue(bytes(self.upstream.sent).endswith(body))

    def test_bounds(self) -> None:
        """All requests together have a bound, of many."""
        self.assertGreaterEqual(HELD, 16 * LONGEST)
