"""Tests for L{llmproxy.bench.answers}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.answers import (
    COMPLETION,
    EVENT_LIMIT,
    STREAM_END,
    STREAM_HEAD,
    Pace,
    Plan,
    bytes_head,
    event,
    plan_of,
    received,
    wants_stream,
)
from llmproxy.bench.framing import Response
from llmproxy.bench.streams import STAMP

from ..tables import row

PACE = Pace(7, 5_000_000)

HEADS = [
    (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 12\r\n\r\n", Plan("completion", 12)),
    (b"GET / HTTP/1.0\r\n\r\n", Plan("completion", 0, close=True)),
    (b"POST /v1?sse=3&interval=20 HTTP/1.1\r\nHost: h\r\n\r\n", Plan("stream", 0, 3, 20_000_000)),
    (b"POST /v1?sse HTTP/1.1\r\n\r\n", Plan("completion", 0)),
    (b"POST /v1?sse=x HTTP/1.1\r\n\r\n", Plan("stream", 0, 7, 5_000_000)),
    (b"POST /v1?sse=99999999999 HTTP/1.1\r\n\r\n", Plan("stream", 0, EVENT_LIMIT, 5_000_000)),
    (b"GET /bytes/1000 HTTP/1.1\r\n\r\n", Plan("bytes", 0, 1000)),
    (b"POST /a/sink HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n", Plan("sink", None)),
    (b"POST / HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", Plan("completion", 0, 0, 0, True, True)),
]


class PlanTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What is asked for decides what is answered."""
        for head, plan in HEADS:
            self.assertEqual(plan_of(head, PACE), plan, head)

    def test_no_request(self) -> None:
        """What is no request is refused."""
        for head in (b"HELO\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            with row(head):
                self.assertRaises(ValueError, plan_of, head, PACE)

    def test_body_asks_for_a_stream(self) -> None:
        """A gateway that drops the query passes the body on."""
        self.assertTrue(wants_stream(b'{"stream": true}') and wants_stream(b'{"stream":true}'))
        self.assertFalse(wants_stream(b'{"stream": false}'))


class AnswerTests(SynchronousTestCase):
    def content(self, data: bytes) -> bytes:
        response = Response()
        content = response.feed(data)
        self.assertTrue(response.complete)
        return content

    def test_whole(self) -> None:
        """Each answer is framed rightly and is what an SDK reads."""
        self.assertEqual(json.loads(self.content(COMPLETION))["choices"][0]["finish_reason"], "stop")
        self.assertEqual(json.loads(self.content(received(12))), {"received": 12})
        self.assertEqual(self.content(bytes_head(3) + b"abc"), b"abc")

    def test_stream(self) -> None:
        """A stream is of events, each with the moment at which it was made, and ends as OpenAI's do."""
        events = self.content(STREAM_HEAD + event(5) + event(70) + STREAM_END).split(b"\n\n")
        self.assertEqual([int(STAMP.findall(one)[0]) for one in events[:2]], [5, 70])
        self.assertEqual(events[2:], [b"data: [DONE]", b""])
        self.assertEqual(json.loads(events[0].removeprefix(b"data: "))["object"], "chat.completion.chunk")
