"""Tests for L{llmproxy.middleware.attribution}: in the whole chain, between the bytes of a client and of upstream."""

from __future__ import annotations

import gzip
import json
from typing import Any

from h2.connection import H2Connection
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import AttributionSettings
from llmproxy.config.model import AttributionConfig, CacheConfig
from llmproxy.core.attributing.attribution import Hashing
from llmproxy.core.attributing.said import MembersReader
from llmproxy.middleware.attribution import _MOST_PROGRAMS, _Asking, _in_pieces, _Programs, _Reading
from llmproxy.record import Attribution
from tests.tables import row

from .. import http2client
from ..harness import Exchange
from ..harness import a_request as on_the_wire
from ..http2client import Http2Connection
from ..sinks.records import a_record

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
STORED = ANSWER.replace(b"\r\n\r\n", b"\r\nCache-Control: public, max-age=60\r\n\r\n")
TAGS = b"X-LLMProxy-Tags: team=search, feature=summary"


def asked(*fields: bytes, body: dict[str, Any] | bytes | None = None, path: bytes = b"/v1/chat/completions") -> bytes:
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    return on_the_wire(path, b"Content-Type: application/json", *fields, body=content or b"")


class AttributionTests(SynchronousTestCase):
    def exchange(self, *fields: bytes, body: dict[str, Any] | None = None, **options: Any) -> Exchange:
        self.proxy = Exchange(base_url="http://openai.com", **options)
        self.client = self.proxy.client()
        self.client.receive(asked(*fields, body=body))
        if self.proxy.upstream:
            self.sent = self.proxy.upstream[0].take()
            self.proxy.upstream[0].receive(ANSWER)
        return self.proxy

    def noted(self) -> Attribution | None:
        [record] = self.proxy.records
        return record.attribution

    def test_tags(self) -> None:
        """They are noted, and go no further."""
        self.exchange(TAGS, b"X-Other: 1", b"x-llmproxy-TAGS: stage=test")
        noted = self.noted()
        assert noted is not None
        self.assertEqual(noted.tags, {"team": "search", "feature": "summary", "stage": "test"})
        self.assertNotIn(b"tags", self.sent.lower())
        self.assertIn(b"X-Other: 1\r\n", self.sent)

    def test_nothing(self) -> None:
        """A request that says nothing has nothing; one of a program that is known has that."""
        self.exchange(body={"model": "m"})
        self.assertIsNone(self.noted())
        self.exchange(b"User-Agent: OpenAI/Python 2.8.1")
        self.assertEqual(self.noted(), Attribution(program="openai-python"))
        self.exchange(b"User-Agent: my-app/1", attribution=AttributionConfig(programs=("My-App",)))
        self.assertEqual(self.noted(), Attribution(program="my-app"))

    def test_wrong_tags(self) -> None:
        """One that would be missed in a report is refused before anything is spent, and says what to do."""
        for value, options, words in (
            (b"team", {}, "expected NAME=VALUE, got 'team'"),
            (b"team=", {}, "team has no value"),
            (b"team=x", {"tags": ("feature",)}, "team is not one of the names that may be used: feature"),
            (b"team=x", {"tags": (), "project_tags": {"two": ("team",)}}, "may be used: none"),
        ):
            with row(value, options):
                self.exchange(b"X-LLMProxy-Tags: " + value, attribution=AttributionConfig(**options))
                self.assertEqual(self.proxy.upstream, [])
                answer = self.client.take()
                self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
                error = json.loads(answer.partition(b"\r\n\r\n")[2])
                self.assertEqual(error["code"], "invalid_tags")
                self.assertIn(words, error["description"])
                self.assertEqual(self.proxy.records[0].error_code, "invalid_tags")

    def test_allowed_by_project(self) -> None:
        """The names of an API, and further ones of a project, by its name or id."""
        for whose in ("one", "p"):
            options = AttributionConfig(tags=("team",), project_tags={whose: ("feature",), "two": ("x",)})
            with row(whose):
                self.exchange(TAGS, attribution=options)
                noted = self.noted()
                self.assertEqual(noted and noted.tags, {"team": "search", "feature": "summary"})

    def test_off(self) -> None:
        """Nothing is noted, and the field goes no further all the same, whatever is in it."""
        self.exchange(b"X-LLMProxy-Tags: =", b"User-Agent: curl/8", attribution=AttributionConfig(enabled=False))
        self.assertIsNone(self.noted())
        self.assertNotIn(b"tags", self.sent.lower())

    def test_members(self) -> None:
        """What the body says, beside the model."""
        self.exchange(body={"model": "m", "user": "ann", "metadata": {"k": "v"}, "conversation": "c-1"})
        self.assertEqual(self.noted(), Attribution("ann", "c-1", metadata={"k": "v"}))
        self.assertEqual(self.proxy.records[0].model, "m")

    def test_bodies_unread(self) -> None:
        """No body is looked into where the vendor is not known, or the API wants it so."""
        body = {"model": "m", "user": "ann"}
        self.exchange(body=body, attribution=AttributionConfig(bodies=False))
        self.assertIsNone(self.noted())
        proxy = Exchange()
        proxy.client().receive(asked(body=body))
        proxy.upstream[0].receive(ANSWER)
        self.assertIsNone(proxy.records[0].attribution)

    def test_sessions(self) -> None:
        """Coding agents name theirs in a field of their own, which stays; it stands above what the body says."""
        for fields, expected in (
            ((b"X-Claude-Code-Session-Id: s-1",), "s-1"),
            ((b"session-id: s-2", b"thread-id: t-2"), "s-2"),
            ((b"thread-id: t-2", b"session_id: s-3"), "s-3"),
            ((b"thread-id: t-2",), "t-2"),
            ((b"session-id:", b"thread-id: t-2"), "t-2"),
            ((), "c-1"),
        ):
            with row(fields):
                self.exchange(*fields, body={"conversation": "c-1"})
                noted = self.noted()
                self.assertEqual(noted and noted.session, expected)
                for field in fields:
                    self.assertIn(field, self.sent)

    def test_hashed(self) -> None:
        """Where an API wants it, a user is kept as a hash, and upstream still gets the name."""
        self.exchange(body={"user": "ann"}, attribution=AttributionConfig(hash=("user",)))
        self.assertEqual(self.noted(), Attribution(Hashing(None).text("ann")))
        self.assertIn(b'"ann"', self.sent)

    def test_streamed_body(self) -> None:
        """A body that is on its way is read as it passes, cut anywhere, in a coding too, and is not held for it."""
        body = {"model": "m", "messages": ["x" * 300_000], "metadata": {"user_id": "ann"}}
        plain = json.dumps(body).encode()
        for content, coding in ((plain, ()), (gzip.compress(plain), (b"Content-Encoding: gzip",))):
            for step in (97, 20_000):
                with row(coding, step):
                    proxy = Exchange(base_url="http://openai.com")
                    client = proxy.client()
                    request = asked(*coding, body=content)
                    for at in range(0, len(request), step):
                        client.receive(request[at : at + step])
                        proxy.turn()
                    self.assertTrue(proxy.upstream[0].take().endswith(content[-50:]))
                    proxy.upstream[0].receive(ANSWER)
                    [record] = proxy.records
                    self.assertEqual(record.attribution, Attribution("ann", metadata={"user_id": "ann"}))
                    self.assertEqual(record.model, "m")

    def test_long_body_at_hand(self) -> None:
        """One that a whitelist has held back is read in turns, while the request is on its way already."""
        body = {"model": "m", "messages": ["x" * 1_000_000], "metadata": {"user_id": "ann"}}
        proxy = Exchange(base_url="http://openai.com", param_whitelist={"model": ("m",)})
        client = proxy.client()
        client.receive(asked(body=body))
        proxy.turn()
        self.assertTrue(proxy.upstream[0].take().endswith(b'"metadata": {"user_id": "ann"}}'))
        for _ in range(20):
            proxy.turn()
        proxy.upstream[0].receive(ANSWER)
        self.assertEqual(proxy.records[0].attribution, Attribution("ann", metadata={"user_id": "ann"}))

    def test_answered_meanwhile(self) -> None:
        """What is found when the exchange has ended is not noted, since nobody would mask it, and no more is read."""
        record = a_record()
        asking = _Asking(record, Attribution(), AttributionSettings(), Hashing(None))
        reading = _Reading(MembersReader(asking.found))
        steps = _in_pieces(reading, json.dumps({"x": "x" * 200_000, "user": "ann"}).encode(), record)
        next(steps)
        record.sealed = True
        self.assertEqual(list(steps), [])
        reading.seen(b'"}{"user": "ann"}')
        self.assertIsNone(record.attribution)

    def test_cut_upload(self) -> None:
        """What was said until a client has left is known of it."""
        proxy = Exchange(base_url="http://openai.com")
        client = proxy.client()
        client.receive(asked(TAGS, body={"user": "ann", "messages": ["x" * 200_000]})[:100_000])
        proxy.turn()
        client.close()
        proxy.turn()
        [record] = proxy.records
        self.assertEqual(record.ended, "client_left")
        self.assertEqual(record.attribution, Attribution("ann", tags={"team": "search", "feature": "summary"}))

    def test_malformed_body(self) -> None:
        """A body that cannot be read goes on as it is."""
        for content, coding in (
            (b"\x1f\x8bnonsense", b"gzip"),
            (b"x", b"unheard-of"),
            (b"{", b"identity"),
            (b"\xff", b""),
        ):
            for rest in (b"", b"z" * 200_000):
                with row(content, coding, len(rest)):
                    proxy = Exchange(base_url="http://openai.com")
                    client = proxy.client()
                    request = asked(*([b"Content-Encoding: " + coding] if coding else []), body=content + rest)
                    for at in range(0, len(request), 50_000):
                        client.receive(request[at : at + 50_000])
                        proxy.turn()
                    self.assertTrue(proxy.upstream[0].take().endswith(content + rest))
                    proxy.upstream[0].receive(ANSWER)
                    self.assertEqual((proxy.records[0].status, proxy.records[0].attribution), (200, None))

    def test_cache(self) -> None:
        """Requests for different teams share what is stored, and each is noted as its own."""
        proxy = Exchange(cached=True, cache=CacheConfig(scope="shared"), base_url="http://openai.com")
        for team in (b"one", b"two"):
            client = proxy.client()
            client.receive(on_the_wire(b"/v1/models", b"X-LLMProxy-Tags: team=" + team))
            if team == b"one":
                self.assertNotIn(b"Tags", proxy.upstream[0].take())
                proxy.upstream[0].receive(STORED)
        self.assertEqual(len(proxy.upstream), 1)
        self.assertEqual([record.cache for record in proxy.records], ["uri-miss", "hit"])
        tags = [record.attribution and record.attribution.tags for record in proxy.records]
        self.assertEqual(tags, [{"team": "one"}, {"team": "two"}])

    def test_http2(self) -> None:
        """The same over HTTP/2."""
        proxy = Exchange(base_url="http://openai.com")
        client = Http2Connection(proxy)
        http: H2Connection = client._http
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, [*http2client.HEAD, ("x-llmproxy-tags", "team=search")])
        http.send_data(stream, http2client.BODY, end_stream=True)
        client.socket.receive(http.data_to_send())
        proxy.turn()
        self.assertNotIn(b"tags", proxy.upstream[0].take().lower())
        proxy.upstream[0].receive(ANSWER)
        proxy.turn()
        self.assertEqual(proxy.records[0].attribution, Attribution(program="openai-python", tags={"team": "search"}))

    def test_websocket(self) -> None:
        """And in the handshake of a WebSocket."""
        proxy = Exchange(base_url="http://openai.com")
        client = proxy.client()
        handshake = (b"Connection: upgrade", b"Upgrade: websocket")
        client.receive(on_the_wire(b"/v1/realtime", *handshake, b"X-LLMProxy-Tags: team=search"))
        self.assertNotIn(b"tags", proxy.upstream[0].take().lower())
        proxy.upstream[0].receive(b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        client.close()
        proxy.turn()
        noted = proxy.records[0].attribution
        self.assertEqual(noted and noted.tags, {"team": "search"})


class ProgramsTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """Whatever programs call themselves, a bounded number of short names is remembered."""
        programs = _Programs(frozenset())
        for number in range(3 * _MOST_PROGRAMS):
            self.assertEqual(programs[f"x{number}/1"], Attribution(program="other"), number)
        self.assertLessEqual(len(programs), _MOST_PROGRAMS)
        self.assertEqual(programs["curl/8 " + "x" * 5000], Attribution(program="curl"))
        self.assertIs(programs["curl/8"], programs["curl/8"])
        self.assertIsNone(programs[""])
        self.assertLess(max(map(len, programs)), 300)
