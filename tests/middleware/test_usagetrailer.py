"""Tests for L{llmproxy.middleware.usagetrailer}."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, TrailersReceived
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import CacheConfig, MeterConfig
from llmproxy.message import Record
from llmproxy.middleware.usagetrailer import summary_of
from llmproxy.usage import UNKNOWN, Usage

from ..harness import Exchange, Socket
from ..harness import a_request as on_the_wire
from ..http2client import BODY, HEAD
from ..providers.answers import GOLDEN, JSON, SSE

CHAT, STREAM = GOLDEN["chat"].body, GOLDEN["chat, streamed"].body
REQUEST = on_the_wire(b"/v1/chat/completions", b"Content-Type: application/json", body=b'{"model":"small"}')
TELLS = MeterConfig(usage_trailer=True)
ANNOUNCED = b"\r\nTrailer: X-LLMProxy-Usage\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(media_type: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Type: " + media_type, *fields, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"


class UsageTrailerTests(SynchronousTestCase):
    """In the whole chain, between the bytes of a client and those of upstream."""

    def begin(self, meter: MeterConfig = TELLS, request: bytes = REQUEST, **options: Any) -> Exchange:
        self.proxy = Exchange(base_url="http://openai.com", meter=meter, **options)
        self.client = self.proxy.client()
        self.client.receive(request)
        return self.proxy

    def answer(self, data: bytes) -> bytes:
        self.proxy.upstream[-1].receive(data)
        return bytes(self.client.sent)

    def told(self, sent: bytes) -> dict[str, Any]:
        """What the trailer says."""
        trailers = sent.rpartition(b"\r\n0\r\n")[2]
        name, _, value = trailers.removesuffix(b"\r\n\r\n").partition(b": ")
        self.assertEqual(name, b"X-LLMProxy-Usage", trailers)
        found: dict[str, Any] = json.loads(value)
        return found

    def test_stream(self) -> None:
        """Behind the last event stands what was used; before it, every byte as it came."""
        self.begin()
        self.answer(head(SSE, CHUNKED))
        sent = self.answer(chunk(STREAM))
        self.assertIn(ANNOUNCED, sent)
        self.assertTrue(sent.endswith(chunk(STREAM)))
        told = self.told(self.answer(b"0\r\n\r\n"))
        self.assertEqual((told["input_tokens"], told["output_tokens"], told["reasoning_tokens"]), (30, 12, 5))
        self.assertEqual((told["model"], told["served_model"]), ("small", "small-2"))
        self.assertEqual(self.proxy.priced, self.proxy.records)

    def test_at_once(self) -> None:
        """Of an answer that comes in one piece, in chunks, too; and behind trailers of upstream."""
        self.begin()
        sent = self.answer(head(JSON, CHUNKED) + chunk(CHAT) + b"0\r\n\r\n")
        self.assertEqual(self.told(sent)["output_tokens"], 12)
        self.begin()
        sent = self.answer(head(JSON, CHUNKED, b"Trailer: X-Sum") + chunk(CHAT) + b"0\r\nX-Sum: 1\r\n\r\n")
        self.assertTrue(sent.rpartition(b"\r\n0\r\n")[2].startswith(b"X-Sum: 1\r\nX-LLMProxy-Usage: {"), sent)

    def test_chained(self) -> None:
        """One of a proxy behind this one gives way to ours."""
        self.begin()
        sent = self.answer(head(JSON, CHUNKED) + chunk(CHAT) + b"0\r\nx-llmproxy-usage: {}\r\n\r\n")
        self.assertEqual(self.told(sent)["output_tokens"], 12)
        self.assertEqual(sent.lower().count(b"x-llmproxy-usage: "), 1)

    def test_none(self) -> None:
        """No other answer changes: with a length, to HTTP/1.0, an error, of an API that does not ask for it."""
        length = b"Content-Length: %d" % len(CHAT)
        old = REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        for answer, options in (
            (head(JSON, length) + CHAT, {}),
            (head(JSON, CHUNKED) + chunk(CHAT) + b"0\r\n\r\n", {"request": old}),
            (head(JSON, CHUNKED, status=b"400 Bad Request") + chunk(CHAT) + b"0\r\n\r\n", {}),
            (head(JSON, CHUNKED) + chunk(CHAT) + b"0\r\n\r\n", {"meter": MeterConfig()}),
        ):
            self.begin(**options)  # type: ignore[arg-type]
            sent = self.answer(answer)
            self.assertIn(CHAT, sent, answer)
            self.assertNotIn(b"LLMProxy-Usage", sent, answer)

    def test_cut(self) -> None:
        """An answer that breaks off has none."""
        self.begin()
        self.answer(head(SSE, CHUNKED) + chunk(STREAM[:50]))
        self.proxy.upstream[-1].close()
        self.assertTrue(bytes(self.client.sent).endswith(chunk(STREAM[:50])))

    def test_unknown(self) -> None:
        """That nothing is known is said, and where nothing was used there is nothing to say."""
        self.begin()
        sent = self.answer(head(SSE, CHUNKED) + chunk(b"data: {}\n\n") + b"0\r\n\r\n")
        self.assertEqual(self.told(sent), {"model": "small", "unknown": True})
        self.begin(request=on_the_wire(b"/v1/models"))
        sent = self.answer(head(JSON, CHUNKED) + chunk(b"{}") + b"0\r\n\r\n")
        self.assertTrue(sent.endswith(chunk(b"{}") + b"0\r\n\r\n"))

    def test_stored(self) -> None:
        """The cache keeps the answer without it."""
        fresh = b"Cache-Control: public, max-age=60"
        request = REQUEST.replace(b"\r\n\r\n", b"\r\n" + fresh + b"\r\n\r\n", 1)
        self.begin(request=request, cached=True, cache=CacheConfig(post="opt_in"))
        sent = self.answer(head(JSON, CHUNKED, fresh) + chunk(CHAT) + b"0\r\n\r\n")
        self.assertEqual(self.told(sent)["output_tokens"], 12)
        again = self.proxy.client()
        again.receive(request)
        self.assertEqual(self.proxy.records[-1].cache, "hit")
        self.assertEqual(bytes(again.sent).count(CHAT), 1)
        self.assertNotIn(b"X-LLMProxy-Usage: {", bytes(again.sent))

    def test_http2(self) -> None:
        """HTTP/2 has trailers behind every answer, with a length too."""
        for at_once, framing in ((True, b"Content-Length: %d" % len(CHAT)), (False, CHUNKED)):
            self.proxy = Exchange(base_url="http://openai.com", meter=TELLS)
            socket = Socket(self.proxy.site.http2_connection(), "192.0.2.7")
            client = H2Connection(H2Configuration(header_encoding="utf-8"))
            client.initiate_connection()
            client.send_headers(1, HEAD)
            client.send_data(1, BODY, end_stream=True)
            socket.receive(client.data_to_send())
            self.proxy.turn()
            upstream = self.proxy.upstream[-1]
            if at_once:
                upstream.receive(head(JSON, framing) + CHAT)
            else:
                for piece in (head(SSE, framing), chunk(STREAM), b"0\r\n\r\n"):
                    upstream.receive(piece)
                    self.proxy.turn()
            self.proxy.turn()
            events = client.receive_data(socket.take())
            [answered] = [dict(event.headers) for event in events if isinstance(event, ResponseReceived)]
            [trailers] = [dict(event.headers) for event in events if isinstance(event, TrailersReceived)]
            self.assertEqual(answered["trailer"], "X-LLMProxy-Usage", at_once)
            self.assertEqual(json.loads(trailers["x-llmproxy-usage"])["output_tokens"], 12, at_once)


class SummaryTests(SynchronousTestCase):
    def test_words(self) -> None:
        """What is not known is left out, costs are exact decimals, and what a hit saved is said."""
        used = Usage(input_tokens=1, output_tokens=0, seconds=2.5, served_model="é")
        for changes, expected in (
            ({}, {}),
            ({"usage": UNKNOWN}, {"unknown": True}),
            (
                {"usage": used, "cost": Decimal("1E-7"), "estimated": True},
                {
                    "input_tokens": 1,
                    "output_tokens": 0,
                    "seconds": 2.5,
                    "served_model": "é",
                    "estimated": True,
                    "cost": "0.0000001",
                },
            ),
            (
                {"saved": Usage(output_tokens=3), "cost": Decimal(0), "cost_saved": Decimal("0.10")},
                {"cost": "0", "saved": {"output_tokens": 3}, "cost_saved": "0.1"},
            ),
        ):
            record = Record("r", "POST", "/v1", "c", 0.0, **changes)  # type: ignore[arg-type]
            self.assertEqual(summary_of(record), expected, changes)
