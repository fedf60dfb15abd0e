"""
Heads that came before: a proxy that remembers them says the same as one that reads each anew, to upstream and to the
client, byte for byte.

The conversations are those of the vectors in tests/integration/vectors, as they are and changed at random; each is held
until its head is known, and between them the same with other lengths.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import MeterConfig, RetryConfig
from llmproxy.core.notable import Section
from llmproxy.message import Principal
from llmproxy.origin import CredentialPlace

from .harness import SECRET, Exchange, a_request
from .test_fuzz import CHANGES, EXAMPLES, REQUESTS, Fuzzed, changed

_OWN = re.compile(rb"[0-9a-f]{16}-[0-9a-f]{8}|\r\nDate: [^\r]*")
"""What each proxy has of its own: ids, and the time of the machine."""

TIMES = 4
"""A head is looked at twice before it is remembered, and again before it is known what becomes of it."""

LENGTH = re.compile(rb"(?i)(content-length):[ \t]*([^\r\n]*)")
WRITTEN = [
    b"Content-Length: 5", b"content-length: 5", b"content-LENGTH: 5", b"Content-Length:5", b"Content-Length: 05",
    b"Content-Length: +5", b"Content-Length: 0x5", b"Content-Length: 18446744073709551616", b"Content-Length: 0",
    b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 5\r\ncontent-length: 6", b"Content-Length: ",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked", b"Content-Length: 5, 5",
    b"X-Content-Length: 5", b"Content-Length: 5 ", b"Content-Length: 123456789012345678",
]  # fmt: skip


class Both:
    """Two proxies, of which one remembers."""

    def __init__(self, **api: Any) -> None:
        self.ends = [Fuzzed(Exchange(strangers=True, remembers=remembers, **api)) for remembers in (True, False)]

    def say(self, data: bytes) -> list[tuple[bytes, list[bytes], str]]:
        """What each says to the client and to upstream, on a connection of its own, and how that ends."""
        return [_said(end, data) for end in self.ends]

    @property
    def remembered(self) -> int:
        heads = self.ends[0].exchange.site.heads
        return 0 if heads is None else len(heads)


def _said(end: Fuzzed, data: bytes) -> tuple[bytes, list[bytes], str]:
    client = end.connect()
    end.seen.clear()
    client.deliver(data)
    end.turn()
    end.exchange.clock.advance(0.1)
    begun = [socket.sent for socket in end.partial()]
    said = _OWN.sub(b"", client.sent), [_OWN.sub(b"", seen) for seen in [*end.seen, *begun]], client.ended
    client.reset()
    end.turn()
    end.exchange.clock.advance(0.1)
    return said


class SameTests(SynchronousTestCase):
    def same(self, both: Both, data: bytes) -> tuple[bytes, list[bytes], str]:
        remembering, reading = both.say(data)
        self.assertEqual(remembering, reading, data)
        self.assertEqual(self.flushLoggedErrors(), [])
        return remembering

    def test_vectors(self) -> None:
        """Each conversation of the vectors, until its head is known."""
        both = Both()
        for data in dict.fromkeys(REQUESTS):
            for _ in range(TIMES):
                self.same(both, data)
        self.assertGreater(both.remembered, 20)

    def test_lengths(self) -> None:
        """One head with every length, each written in every way, in any order."""
        both = Both()
        for _ in range(TIMES):
            for line in WRITTEN:
                self.same(both, a_request(b"/v1/x", line, method=b"POST") + b"hello")
        self.assertGreater(both.remembered, 3)

    def test_apis(self) -> None:
        """Where other fields go on, a key is in another place, or upstream is behind a path."""
        requests = [
            a_request(b"/v1/x?a=b", b"Connection: x-hop", b"X-Hop: 1", b"X-Forwarded-For: 192.0.2.1", body=b"{}"),
            a_request(b"/v1/x", b"Via: 1.1 other", b"X-Request-ID: mine", b"Expect: 100-continue", body=b"{}"),
            a_request(b"/v1/x", b"x-api-key: other", b"Cookie: a=b; llmproxy_session=c", b"TE: trailers"),
            a_request(b"/v1/x", b"X-LLMProxy-Tags: a=b", b"User-Agent: curl", body=b"{}"),
            a_request(b"/v1/x", b"traceparent: 00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01", body=b"{}"),
            a_request(b"/v1/x?key=" + SECRET, b"Max-Forwards: 1", method=b"OPTIONS"),
            a_request(b"//v1/x", b"Transfer-Encoding: chunked", method=b"POST") + b"2\r\n{}\r\n0\r\n\r\n",
            a_request(b"/v1/x", method=b"GET").replace(b"HTTP/1.1", b"HTTP/1.0"),
        ]
        for api in (
            {"base_url": "http://192.0.2.9/deep/"},
            {"forwarded_fields": "append"},
            {"forwarded_fields": "pass"},
            {"auth": CredentialPlace("query", b"key", b"")},
            {"auth": CredentialPlace("header", b"x-api-key", b"")},
            {"auth": CredentialPlace("none")},
            {"headers": {"X-Request-ID": "ours", "User-Agent": "us"}},
            {"headers": {"Content-Length": "5"}},
            {"allowed_methods": ["GET", "POST", "OPTIONS"]},
            {"meter": MeterConfig(enabled=True), "cached": True},
            {"retry": RetryConfig()},
        ):
            both = Both(**api)
            for _ in range(TIMES):
                for data in requests:
                    self.same(both, data)
            self.assertGreater(both.remembered, 1, api)

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(REQUESTS), st.sampled_from([b"", *WRITTEN]), CHANGES), min_size=1, max_size=3
        )
    )
    def test_any(self, made: list[tuple[bytes, bytes, Any]]) -> None:
        """Random heads, changed at random, each until it is known."""
        both = Both()
        heads = []
        for seed, written, changes in made:
            heads += [seed, changed(LENGTH.sub(written, seed) if written else seed, changes)]
        for data in heads * TIMES:
            self.same(both, data)


class ForgottenTests(SynchronousTestCase):
    """What is remembered is forgotten when it must be."""

    def known(self, **options: Any) -> tuple[Exchange, Any]:
        """A proxy that knows a head, and its client."""
        exchange = Exchange(**options)
        client = exchange.client()
        self.ask(exchange, client)
        return exchange, client

    def ask(self, exchange: Exchange, client: Any, times: int = TIMES) -> None:
        for _ in range(times):
            client.receive(a_request(b"/v1/x", body=b"{}"))
            exchange.upstream[-1].receive(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def test_unused(self) -> None:
        """It is gone after a minute in which nobody asked for it, and no timer is left for what is not there."""
        exchange, client = self.known()
        heads = exchange.site.heads
        assert heads is not None
        exchange.turn(31)
        self.ask(exchange, client, 1)
        exchange.turn(31)
        self.assertEqual(len(heads), 1)
        exchange.turn(31)
        self.assertEqual(len(heads), 0)
        self.ask(exchange, client)
        self.assertEqual(len(heads), 1)
        exchange.turn(62)
        self.assertEqual(len(heads), 0)

    def test_revoked(self) -> None:
        """A token that may not be used any more: its head is forgotten with the first request that is refused."""
        exchange, client = self.known()
        principal = exchange.directory.known[SECRET]
        exchange.directory.known[SECRET] = Principal(evolve(principal.token, is_active=False), principal.project)
        client.sent = b""
        client.receive(a_request(b"/v1/x", body=b"{}"))
        self.assertIn(b"HTTP/1.1 401 ", client.sent)
        assert exchange.site.heads is not None
        self.assertEqual(len(exchange.site.heads), 0)

    def test_another_key(self) -> None:
        """A project's new key is the one that upstream gets, with a head that is known too."""
        exchange, client = self.known()
        principal = exchange.directory.known[SECRET]
        project = evolve(principal.project, api_keys={"api": ("sk-another",)})
        exchange.directory.known[SECRET] = Principal(principal.token, project)
        for _ in range(TIMES):
            exchange.upstream[0].sent = b""
            self.ask(exchange, client, 1)
            self.assertIn(b"\r\nAuthorization: Bearer sk-another\r\n", exchange.upstream[0].sent)

    def test_strangers(self) -> None:
        """Of those who may ask for nothing nothing is kept."""
        exchange = Exchange(strangers=True)
        client = exchange.client()
        for _ in range(TIMES):
            client.receive(a_request().replace(SECRET, SECRET[:-1] + b"B"))
        self.assertEqual(client.sent.count(b"HTTP/1.1 401 "), TIMES)
        assert exchange.site.heads is not None
        self.assertEqual(len(exchange.site.heads), 0)

    def test_a_middleware_changes_fields(self) -> None:
        """What a layer does to the fields in place reaches upstream, each time, and no other request."""
        exchange, client = self.known()
        seen = []
        responder = exchange.site.resource._proxy  # type: ignore[attr-defined]
        inner = responder._respond

        def changing(request: Any) -> Any:
            assert type(request.fields) is Section
            request.fields.append((b"X-Mine", b"%d" % len(seen)))
            seen.append(request)
            return inner(request)

        responder._respond = changing
        for number in range(TIMES):
            exchange.upstream[0].sent = b""
            self.ask(exchange, client, 1)
            self.assertEqual(re.findall(rb"X-Mine: (\d+)", exchange.upstream[0].sent), [b"%d" % number], number)
