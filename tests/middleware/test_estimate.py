"""Tests for L{llmproxy.middleware.estimate}."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import MeterConfig
from llmproxy.middleware.estimate import LONGEST
from llmproxy.providers.estimation import PER_CALL, PER_MESSAGE
from llmproxy.usage import Usage

from ..harness import Exchange
from ..harness import a_request as on_the_wire
from ..providers.answers import GOLDEN, JSON, SSE

CALL = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}
ASKED = PER_CALL + PER_MESSAGE + 3
PATH = b"/v1/chat/completions"
TYPE = b"Content-Type: application/json"
STREAM = b"".join(
    b"data: %b\n\n" % json.dumps({"model": "m", "choices": [{"delta": {"content": each}}]}).encode()
    for each in ("Hel", "lo you ", "there")
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(media_type: bytes, *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: " + media_type, b"Transfer-Encoding: chunked", *fields, b"", b""]
    return b"\r\n".join(lines)


class EstimateTests(SynchronousTestCase):
    """In the whole chain, between the bytes of a client and those of upstream."""

    def begin(self, request: bytes = b"", path: bytes = PATH, call: Any = CALL, **options: Any) -> Exchange:
        options.setdefault("meter", MeterConfig(estimate=True))
        self.proxy = Exchange(base_url="http://openai.com", **options)
        self.client = self.proxy.client()
        self.client.receive(request or on_the_wire(path, TYPE, body=json.dumps(call).encode()))
        return self.proxy

    def answer(self, body: bytes, media_type: bytes = SSE, *fields: bytes) -> None:
        upstream = self.proxy.upstream[-1]
        upstream.receive(head(media_type, *fields))
        for at in range(0, len(body), 11):
            upstream.receive(chunk(body[at : at + 11]))
        upstream.receive(b"0\r\n\r\n")

    def check(self, put_in: int | None, out: int | None, estimated: bool) -> None:
        [record] = self.proxy.records
        usage = record.usage
        assert usage is not None
        self.assertEqual((usage.input_tokens, usage.output_tokens, record.estimated), (put_in, out, estimated))
        self.assertEqual(self.proxy.estimates.budget.used, 0)

    def test_unknown(self) -> None:
        """What a stream does not say is estimated, and marked so."""
        self.begin()
        self.answer(STREAM)
        self.check(ASKED, 3, True)

    def test_known(self) -> None:
        """What is said is not."""
        self.begin()
        self.answer(GOLDEN["chat, streamed"].body)
        self.check(30, 12, False)

    def test_at_once(self) -> None:
        """An answer that is there in one piece."""
        self.begin()
        body = b'{"choices":[{"message":{"content":"a b"}}]}'
        self.proxy.upstream[-1].receive(head(JSON) + chunk(body) + b"0\r\n\r\n")
        self.check(ASKED, 2, True)

    def test_pieces(self) -> None:
        """A request that comes in pieces, and one that a whitelist has held back."""
        for options in ({}, {"param_whitelist": {"model": ["small"]}}):
            call = {**CALL, "messages": [{"role": "user", "content": "word " * 30_000}]}
            request = on_the_wire(PATH, TYPE, body=json.dumps(call).encode())
            self.begin(request[:1000], **options)
            for at in range(1000, len(request), 50_000):
                self.client.receive(request[at : at + 50_000])
                self.proxy.turn()
            self.answer(STREAM)
            self.check(PER_CALL + PER_MESSAGE + 30_000, 3, True)

    def test_cut(self) -> None:
        """Of a stream that the client left is estimated what had come."""
        self.begin()
        self.proxy.upstream[-1].receive(head(SSE) + chunk(STREAM[:-40]))
        self.client.close()
        self.check(ASKED, 2, True)
        self.assertTrue(self.proxy.records[0].truncated)

    def test_not(self) -> None:
        """Not for an API that does not want it, for what is no text, and for what is too long."""
        long = b"data: " + b"x" * LONGEST + b"\n\n"
        for options, media_type, body in (
            ({"meter": MeterConfig()}, SSE, STREAM),
            ({"path": b"/v1/audio/speech"}, b"audio/mpeg", b"sound"),
            ({"path": b"/v1/images/generations"}, JSON, b"{}"),
            ({}, b"text/plain", b"text"),
        ):
            self.begin(**options)  # type: ignore[arg-type]
            self.answer(body, media_type)
            self.check(None, None, False)
        self.begin()
        self.proxy.upstream[-1].receive(head(SSE) + chunk(long) + b"0\r\n\r\n")
        self.check(None, None, False)

    def test_refused(self) -> None:
        """What is refused, or fails upstream, leaves nothing behind."""
        self.begin()
        self.proxy.upstream[-1].close()
        self.proxy.turn()
        self.assertEqual([record.usage for record in self.proxy.records], [None])
        self.begin()
        body = b'{"error":{}}'
        answer = b"HTTP/1.1 400 No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.proxy.upstream[-1].receive(answer + body)
        self.assertEqual((self.proxy.records[0].usage, self.proxy.estimates.budget.used), (None, 0))

    def test_fault(self) -> None:
        """What cannot be read stays unknown, is counted, and passes."""
        self.begin(on_the_wire(PATH, TYPE, body=b"no json"))
        self.answer(STREAM)
        self.assertEqual((self.proxy.records[0].usage, len(self.proxy.unread)), (Usage(served_model="m"), 1))
        self.assertIn(b"there", bytes(self.client.sent))
