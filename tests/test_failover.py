"""Several upstreams through a whole proxy in memory: what the client, the quota, the record and the cache see."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.upstreams import RetryConfig, UpstreamConfig
from llmproxy.sinks.accesslog import line
from tests.harness import Exchange, Socket, a_request
from tests.tables import row

UPSTREAMS = (UpstreamConfig("a", "http://192.0.2.8/a"), UpstreamConfig("b", "http://192.0.2.9/b", priority=2))
BAD = b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nbad"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"


def good(content: bytes = b"{}", fields: bytes = b"") -> bytes:
    return GOOD % (fields, len(content), content)


class FailoverTests(SynchronousTestCase):
    def begin(self, **api: Any) -> Exchange:
        values: dict[str, Any] = {"base_url": "", "upstreams": UPSTREAMS, "retry": RetryConfig(2), **api}
        self.exchange = Exchange(**values)
        return self.exchange

    def ask(self, request: bytes = b"") -> Socket:
        client = self.exchange.client()
        client.receive(request or a_request(body=b'{"n":1}'))
        return client

    def test_answered(self) -> None:
        """The client sees one answer, the quota one use, the record two attempts; the first connection is kept."""
        exchange = self.begin(debug_headers=True)
        client = self.ask()
        first = exchange.upstream[0]
        self.assertTrue(first.take().startswith(b"POST /a/v1/x HTTP/1.1\r\n"))
        first.receive(BAD)
        second = exchange.upstream[1].take()
        self.assertTrue(second.startswith(b"POST /b/v1/x HTTP/1.1\r\n") and second.endswith(b'{"n":1}'), second)
        exchange.upstream[1].receive(good())
        sent = client.take()
        self.assertTrue(sent.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertNotIn(b"bad", sent)
        self.assertIn(b"X-Proxy-Attempts: a 503 0ms, b 200 0ms\r\n", sent)
        [record] = exchange.records
        self.assertEqual((record.attempts, record.upstream, record.upstream_status), (2, "b", 200))
        self.assertEqual((exchange.quota.balance, first.state), (1, "open"))
        written = json.loads(line(record))
        self.assertEqual((written["upstream"], [each["upstream"] for each in written["tried"]]), ("b", ["a", "b"]))

    def test_unsent(self) -> None:
        """A request that could be sent nowhere has used up nothing."""
        exchange = self.begin()
        exchange.refuses = True
        client = self.ask()
        self.assertTrue(client.take().startswith(b"HTTP/1.1 502"))
        self.assertEqual((exchange.quota.balance, exchange.records[0].cause), (0, "refused"))

    def test_streamed(self) -> None:
        """An answer with a body that has not come whole is cut, and its connection with it."""
        exchange = self.begin()
        client = self.ask()
        exchange.upstream[0].receive(b"HTTP/1.1 503 No\r\nContent-Length: 300\r\n\r\nbad")
        self.assertEqual(exchange.upstream[0].state, "aborted")
        exchange.upstream[1].receive(good())
        self.assertIn(b"200 OK", client.take())
        self.assertTrue(exchange.idle())

    def test_after_the_first_byte(self) -> None:
        """What breaks in its body is cut at the client too: nothing else is sent in its place."""
        exchange = self.begin()
        client = self.ask()
        exchange.upstream[0].receive(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nhalf")
        exchange.upstream[0].close()
        self.assertTrue(client.take().endswith(b"half"))
        self.assertNotEqual(client.state, "open")
        self.assertEqual(len(exchange.upstream), 1)

    def test_upload(self) -> None:
        """
        An upstream that answers early, while the client uploads: the next one gets all that has come and the rest.
        """
        exchange = self.begin()
        client = self.exchange.client()
        whole = a_request(body=b"x" * 200_000)
        client.receive(whole[:100_000])
        exchange.upstream[0].receive(BAD)
        client.receive(whole[100_000:])
        exchange.turn()
        sent = exchange.upstream[1].take()
        self.assertTrue(sent.endswith(b"\r\n\r\n" + b"x" * 200_000), len(sent))
        exchange.upstream[1].receive(good())
        self.assertIn(b"200 OK", client.take())
        self.assertEqual(exchange.quota.balance, 1)

    def test_too_large(self) -> None:
        """A body above the bound is sent once."""
        exchange = self.begin(retry=RetryConfig(2, replay=1000))
        client = self.ask(a_request(body=b"x" * 2000))
        exchange.upstream[0].receive(BAD)
        self.assertIn(b"503 No", client.take())
        self.assertEqual((exchange.records[0].details or {})["not_retried"], "body")

    def test_leaving(self) -> None:
        """A client that leaves, in the second attempt or while the same upstream is waited for, leaves nothing."""
        for upstreams in (UPSTREAMS, UPSTREAMS[:1]):
            with row(upstreams):
                exchange = self.begin(upstreams=upstreams)
                client = self.ask()
                exchange.upstream[0].receive(BAD)
                client.close()
                exchange.turn(20.0)
                self.assertTrue(exchange.idle())
                self.assertEqual([record.ended for record in exchange.records], ["client_left"])
                self.assertEqual([socket.state for socket in exchange.upstream[1:]], ["aborted"] * (len(upstreams) - 1))

    def test_cached(self) -> None:
        """What a later attempt answers is stored as any answer, and asks no upstream the next time."""
        self.exchange = exchange = Exchange(base_url="", upstreams=UPSTREAMS, retry=RetryConfig(2), cached=True)
        client = self.ask(a_request())
        exchange.upstream[0].receive(BAD)
        exchange.upstream[1].receive(good(b"[1]", b"Cache-Control: public, max-age=60\r\n"))
        self.assertTrue(client.take().endswith(b"[1]"))
        client.receive(a_request())
        self.assertTrue(client.take().endswith(b"[1]"))
        self.assertEqual((len(exchange.upstream), exchange.quota.balance), (2, 1))
