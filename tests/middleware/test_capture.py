"""Tests for L{llmproxy.middleware.capture}."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.capture import CaptureConfig
from llmproxy.core.events import Content
from llmproxy.core.masking import MASKED
from llmproxy.core.redaction.patterns import MARK
from llmproxy.middleware.capture import WEBSOCKET

from ..garbage import Garbage
from ..harness import KEY, Exchange
from ..harness import a_request as on_the_wire
from ..tables import row

PATH = b"/v1/chat/completions"
JSON = b"Content-Type: application/json"
CALL: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "jo@example.com asks"}], "user": "jo"}
ANSWER = {"choices": [{"message": {"content": "Hello"}}]}


def answer(body: bytes, *fields: bytes, media_type: bytes = b"application/json", status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Type: " + media_type, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"", body])


class CaptureTests(SynchronousTestCase):
    """In the whole chain, between the bytes of a client and those of upstream."""

    def setUp(self) -> None:
        self.garbage = Garbage()
        self.garbage.__enter__()
        self.addCleanup(self.garbage.__exit__, None, None, None)

    def begin(self, *fields: bytes, body: bytes | None = None, path: bytes = PATH, **options: Any) -> Exchange:
        options.setdefault("capture", CaptureConfig())
        self.proxy = Exchange(**options)
        self.client = self.proxy.client()
        body = json.dumps(CALL).encode() if body is None else body
        request = on_the_wire(path, *(fields or (JSON,)), body=body or None)
        # A body that comes later than its head.
        head = request.index(b"\r\n\r\n") + 4
        self.client.receive(request[:head])
        for at in range(head, len(request), 1000):
            self.client.receive(request[at : at + 1000])
        return self.proxy

    def upstream(self, data: bytes) -> None:
        self.proxy.upstream[-1].receive(data)

    def content(self) -> Content:
        """What the event of the only exchange says; everything that was held is given back."""
        [record] = self.proxy.records
        assert record.captured is not None
        found = record.captured.content()
        record.captured = None
        assert isinstance(found, Content)
        self.garbage.collected()
        self.assertEqual(self.proxy.capturing.held.size, 0)
        return found

    def test_both(self) -> None:
        """What was asked and what was answered, as JSON."""
        self.begin()
        self.upstream(answer(json.dumps(ANSWER).encode()))
        content = self.content()
        self.assertEqual((content.request_body, content.response_body), (CALL, ANSWER))
        self.assertEqual((content.request_truncated, content.response_truncated, content.merged), (False, False, False))
        self.assertEqual((content.request_headers, content.response_headers), ({}, {}))

    def test_off(self) -> None:
        """Nothing is kept of an API that says nothing of it, or says no."""
        for capture in (None, CaptureConfig(enabled=False), CaptureConfig(sample=0.0)):
            self.begin(capture=capture)
            self.upstream(answer(b"{}"))
            self.assertIsNone(self.proxy.records[0].captured, capture)

    def test_stream(self) -> None:
        """A stream is merged, and the client has every event as it came."""
        self.begin()
        pieces = [
            b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        ]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.upstream(head)
        for piece in pieces:
            self.client.take()
            self.upstream(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.assertIn(piece, self.client.take())
        self.upstream(b"0\r\n\r\n")
        content = self.content()
        self.assertTrue(content.merged)
        self.assertFalse(content.response_truncated)
        self.assertEqual(content.response_body["choices"][0]["message"], {"role": "assistant", "content": "Hello"})

    def test_left(self) -> None:
        """Of a stream that the client left there is what had come, and that there was more."""
        self.begin()
        self.upstream(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        self.upstream(b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n')
        self.client.close()
        content = self.content()
        self.assertEqual(content.response_body["choices"][0]["message"]["content"], "Hel")
        self.assertTrue(content.response_truncated)

    def test_bounds(self) -> None:
        """So much is kept and no more, wherever a body is cut, and that there was more is said."""
        call = {**CALL, "messages": [{"content": "word " * 2000}]}
        self.begin(body=json.dumps(call).encode(), capture=CaptureConfig(request=1000, response=50))
        self.upstream(answer(b'{"a": "' + b"x " * 1000 + b'"}'))
        [record] = self.proxy.records
        assert record.captured is not None
        self.assertEqual(record.captured.size, 1050)
        content = self.content()
        self.assertEqual((content.request_truncated, content.response_truncated), (True, True))
        said = content.request_body["messages"][0]["content"]
        self.assertTrue(said.startswith("word word") and len(said) < 1000, said)
        self.assertTrue(content.response_body["a"].startswith("x x"))

    def test_none(self) -> None:
        """A size of 0 keeps nothing of one side, and says so."""
        self.begin(capture=CaptureConfig(request=0))
        self.upstream(answer(b"{}"))
        content = self.content()
        self.assertEqual((content.request_body, content.request_omitted, content.response_body), (None, "off", {}))

    def test_fields(self) -> None:
        """Fields that were chosen, of both sides, in whatever case they are written; secrets in them are masked."""
        capture = CaptureConfig(headers=("X-Team", "x-answer"), redact=("email",))
        self.begin(JSON, b"x-team: a", b"X-TEAM: jo@example.com sk-abcdefghijklmnop", b"X-Other: b", capture=capture)
        self.upstream(answer(b"{}", b"X-Answer: yes"))
        content = self.content()
        self.assertEqual(content.request_headers, {"x-team": ["a", f"{MARK} {MASKED}"]})
        self.assertEqual(content.response_headers, {"x-answer": ["yes"]})

    def test_redacted(self) -> None:
        """What is to be taken out is not there, and the client's bytes are what they were."""
        self.begin(capture=CaptureConfig(redact=("$.user", "email")))
        self.assertIn(json.dumps(CALL).encode(), self.proxy.upstream[-1].sent)
        self.upstream(answer(json.dumps({"text": f"to jo@example.com with {KEY}"}).encode()))
        content = self.content()
        self.assertEqual(content.request_body["user"], MARK)
        self.assertEqual(content.request_body["messages"][0]["content"], f"{MARK} asks")
        self.assertEqual(content.response_body, {"text": f"to {MARK} with {MASKED}"})

    def test_opt_out(self) -> None:
        """A client that does not want it is not captured, where the API lets it choose; upstream never knows."""
        for opt_out, value, is_captured in (
            (True, b"off", False),
            (True, b" OFF ", False),
            (True, b"no", False),
            (True, b"on", True),
            (False, b"off", True),
        ):
            with row(opt_out, value):
                self.begin(JSON, b"X-LLMProxy-Capture: " + value, capture=CaptureConfig(opt_out=opt_out))
                self.assertNotIn(b"capture", self.proxy.upstream[-1].sent.lower())
                self.upstream(answer(b"{}"))
                self.assertEqual(self.proxy.records[0].captured is not None, is_captured)
                self.assertEqual(self.proxy.capturing.held.opted_out, not is_captured)

    def test_opt_out_elsewhere(self) -> None:
        """Nor does it where nothing is captured."""
        self.begin(JSON, b"x-llmproxy-capture: off", capture=None)
        self.assertNotIn(b"capture", self.proxy.upstream[-1].sent.lower())

    def test_sample(self) -> None:
        """A part of the exchanges is captured."""
        self.patch(random, "random", random.Random(5).random)
        self.proxy = Exchange(capture=CaptureConfig(sample=0.25))
        for _ in range(400):
            self.client = self.proxy.client()
            self.client.receive(on_the_wire(b"/v1/x"))
            self.upstream(answer(b"{}"))
        count = sum(record.captured is not None for record in self.proxy.records)
        self.assertEqual(count, self.proxy.capturing.held.captured)
        self.assertTrue(60 < count < 140, count)

    def test_binary(self) -> None:
        """Nothing is kept of what is no text; what it was and how much is said."""
        self.begin(b"Content-Type: multipart/form-data; boundary=x", body=b"--x\r\n" * 1000)
        self.upstream(answer(b"\x89PNG" * 1250, media_type=b"image/png"))
        [record] = self.proxy.records
        assert record.captured is not None
        self.assertEqual(record.captured.size, 0)
        content = self.content()
        self.assertEqual(content.request_omitted, "multipart (multipart/form-data, 5000 bytes)")
        self.assertEqual(content.response_omitted, "binary (image/png, 5000 bytes)")
        self.assertEqual((content.request_body, content.response_body), (None, None))

    def test_coded(self) -> None:
        """What comes in a coding is decoded for the event alone."""
        coded = gzip.compress(json.dumps(ANSWER).encode())
        self.begin()
        self.upstream(answer(coded, b"Content-Encoding: gzip"))
        self.assertIn(coded, self.client.take())
        self.assertEqual(self.content().response_body, ANSWER)

    def test_bomb(self) -> None:
        """However much would come out of a little, no more is decoded than is kept."""
        self.begin()
        self.upstream(answer(gzip.compress(b'"' + b"a " * 10_000_000), b"Content-Encoding: gzip"))
        content = self.content()
        self.assertLess(len(str(content.response_body)), 300_000)
        self.assertTrue(content.response_truncated)

    def test_refused(self) -> None:
        """Of a request that is refused there is what had come of it."""
        self.begin(param_whitelist={"model": ["other"]})
        self.assertEqual(self.proxy.upstream, [])
        content = self.content()
        self.assertEqual((content.request_body, content.response_body), (CALL, None))

    def test_stranger(self) -> None:
        """Nothing is kept of who is not known."""
        self.proxy = Exchange(capture=CaptureConfig())
        self.client = self.proxy.client()
        self.client.receive(b"POST /v1/x HTTP/1.1\r\nHost: p\r\nContent-Length: 2\r\n\r\n{}")
        self.assertEqual([record.captured for record in self.proxy.records], [None])

    def test_failure(self) -> None:
        """Upstream's failure leaves what was asked."""
        self.proxy = Exchange(capture=CaptureConfig())
        self.proxy.refuses = True
        self.proxy.client().receive(on_the_wire(PATH, JSON, body=json.dumps(CALL).encode()))
        self.assertEqual(self.content().request_body, CALL)

    def test_stored(self) -> None:
        """Answers of the cache are captured as any other."""
        self.proxy = Exchange(capture=CaptureConfig(), cached=True)
        for _ in range(2):
            self.client = self.proxy.client()
            self.client.receive(on_the_wire(b"/v1/models"))
            if not self.proxy.records:
                self.upstream(answer(json.dumps(ANSWER).encode(), b"Cache-Control: public, max-age=60"))
            self.proxy.turn()
        self.assertEqual([record.cache for record in self.proxy.records][1:], ["hit"])
        for record in self.proxy.records:
            assert record.captured is not None
            content: Any = record.captured.content()
            self.assertEqual((content.request_body, content.response_body), (None, ANSWER), record.cache)

    def test_websocket(self) -> None:
        """Messages of a WebSocket are not captured, which is said."""
        self.begin(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", body=b"")  # fmt: skip
        self.upstream(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi"
        )
        self.client.close()
        content = self.content()
        self.assertEqual((content.response_body, content.response_omitted), (None, WEBSOCKET))

    def test_overload(self) -> None:
        """Beyond the memory for it, events go without content, and are counted; what passes is untouched."""
        self.begin(body=b"")
        self.proxy.capturing.held.most = 5000
        clients = []
        for _ in range(3):
            client = self.proxy.client()
            clients.append(client)
            client.receive(on_the_wire(PATH, JSON, body=b'{"a":"' + b"x" * 3000 + b'"}'))
        self.assertEqual(self.proxy.capturing.held.overload, 2)
        self.assertLessEqual(self.proxy.capturing.held.size, 5000)
        self.assertEqual(len(self.proxy.upstream), 4)
        for upstream in self.proxy.upstream[1:]:
            self.assertIn(b"x" * 3000, upstream.sent)
            upstream.receive(answer(b"{}"))
        contents: list[Any] = [record.captured.content() for record in self.proxy.records if record.captured]
        self.assertEqual([each.request_omitted for each in contents], ["", "overload", "overload"])

    def test_fields_are_counted(self) -> None:
        """Fields that are kept take memory too; those that are not take none."""
        for names, size in (((), 20), (("x-a",), 20 + 3000)):
            with row(names):
                self.begin(
                    JSON, b"X-A: " + b"x" * 3000, body=b'{"a":"0123456789ab"}', capture=CaptureConfig(headers=names)
                )
                self.assertEqual(self.proxy.capturing.held.size, size)

    def test_nobody_reads(self) -> None:
        """What nobody makes an event of gives its memory back."""
        self.begin()
        self.upstream(answer(b"{}"))
        self.assertGreater(self.proxy.capturing.held.size, 0)
        self.proxy.records.clear()
        self.garbage.collected()
        self.assertEqual(self.proxy.capturing.held.size, 0)

    def test_client_leaves(self) -> None:
        """So does an exchange whose client leaves amid its request."""
        self.proxy = Exchange(capture=CaptureConfig())
        self.client = self.proxy.client()
        self.client.receive(on_the_wire(PATH, JSON, body=json.dumps(CALL).encode())[:-10])
        self.client.close()
        content = self.content()
        self.assertTrue(content.request_truncated)
        self.proxy.records.clear()

    def test_unredacted(self) -> None:
        """A body in which nothing can be found by a path is left out, and counted."""
        self.begin(capture=CaptureConfig(redact=("$.user",)))
        self.upstream(answer(b"no JSON"))
        content = self.content()
        self.assertTrue(content.response_omitted.startswith("unredactable"), content.response_omitted)
        self.assertEqual(self.proxy.capturing.held.unredacted, 1)

    def test_budget(self) -> None:
        """The budget is one for all configurations of a process."""
        self.begin()
        self.assertGreater(self.proxy.capturing.held.size, 0)
        self.assertIsNone(self.proxy.capturing.middleware(()))
        self.assertGreater(self.proxy.capturing.held.size, 0)
