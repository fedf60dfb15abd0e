"""
The faults W1 to W28 of a cache that went before this one: each has a test that shows it is not here.

Who may see what (W1 to W8), and what HTTP wants of a cache (W9 to W28).
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from llmproxy.apisettings import ApiSettings, CacheSettings
from llmproxy.config import CacheConfig
from llmproxy.config.cachevariables import read_cache_environment
from llmproxy.core.caching.dates import format_date
from llmproxy.core.caching.key import Key, primary_key
from llmproxy.errors import NotCached, RateLimitExceeded, UpstreamReset
from llmproxy.message import Principal
from llmproxy.sinks.accesslog import line
from llmproxy.sinks.metrics import ProxyMetrics

from ..harness import SECRET, Exchange
from ..harness import a_request as raw
from .caching.case import FRESH, NOW, OPT_IN, CacheTestCase, principal
from .fakes import HeldBody

SHAREABLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: public, max-age=60\r\n\r\nok"


class TenancyTests(CacheTestCase):
    settings = CacheSettings(post="opt_in", post_max_age=3600.0)

    def test_w1_one_cache_for_all_tenants(self) -> None:
        """Neither a GET nor an opted-in POST of one project answers another's."""
        self.fill(OPT_IN, of=(OPT_IN,))
        self.post(OPT_IN)
        self.answer()
        self.assertTrue(self.missed(OPT_IN, who=principal("p-2")))
        self.post(OPT_IN, who=principal("p-2"))
        self.assertEqual(len(self.inner.pending), 1)

    def test_w2_client_decides_what_is_cacheable(self) -> None:
        """A client's directives store no GET, and no POST for longer than the operator allows."""
        for answer in ((), (b"Cache-Control: max-age=60",), (b"Cache-Control: private, max-age=60",)):
            responding = self.send(b"Cache-Control: public, max-age=1000000000")
            self.answer(*answer)
            self.got(responding)
        self.assertEqual(self.store.statistics()["entries"], 0)
        self.post(b"Cache-Control: public, max-age=1000000000")
        self.answer()
        self.clock.advance(3600)
        self.post(OPT_IN)
        self.assertEqual(len(self.inner.pending), 1)

    def test_w3_body_hash_of_the_clients(self) -> None:
        """C{X-Body-Hash} is a field like any other: it opens nobody's answer, and does not stand for a body."""
        self.post(OPT_IN, body=b"the victim's question")
        self.answer(body=b"the victim's answer")
        for body in (b"mine", HeldBody()):
            self.post(OPT_IN, b"X-Body-Hash: " + b"0" * 64, body=body)
            if isinstance(body, HeldBody):
                self.assertIs(self.inner.requests[-1].body, body)
            self.assertEqual(len(self.inner.pending), 1, body)
            self.inner.pending.clear()

    def test_w4_ambiguous_keys(self) -> None:
        """Two targets that upstream could tell apart have two entries."""
        targets = (b"/v1/a?x=1%26y%3D2", b"/v1/a?x=1&y=2", b"/v1/a?a=1,2", b"/v1/a?a=1&a=2", b"/v1/a?a=2&a=1",
                   b"/v1/a%2Fb", b"/v1/a/b", b"/v1/a|b", b"/v1/a")  # fmt: skip
        for target in targets:
            self.fill(target=target, body=target)
        for target in targets:
            self.assertEqual(self.hit(target=target).body, target, target)
        self.fill(FRESH, b"Vary: Accept, Accept-Encoding", of=(b"Accept: x|accept-encoding:gzip",), target=b"/v1/v")
        self.assertTrue(self.missed(b"Accept: x", b"Accept-Encoding: gzip", target=b"/v1/v"))

    def test_w5_fields_of_the_first_client(self) -> None:
        """What belonged to the first client is not replayed to the next."""
        own = (b"Access-Control-Allow-Origin: https://a", b"X-Request-ID: 1", b"openai-organization: org-1",
               b"x-ratelimit-remaining-requests: 9", b"openai-processing-ms: 7", b"CF-Ray: x", b"Server-Timing: a",
               b"anthropic-ratelimit-tokens-remaining: 3", b"request-id: r")  # fmt: skip
        self.fill(FRESH, b"X-Kept: 1", *own)
        hit = self.hit()
        self.assertEqual(hit.field(b"x-kept"), b"1")
        for field in own:
            self.assertIsNone(hit.field(field.partition(b":")[0].lower()), field)

    def test_w6_revoked_and_spent_tokens(self) -> None:
        """A spent token is refused before anything is looked up, and a revoked one before that."""
        self.fill()
        self.quota.checking = Deferred()
        responding = self.send()
        self.quota.checking.errback(RateLimitExceeded())
        self.failureResultOf(responding, RateLimitExceeded)
        exchange = Exchange(cached=True)
        client = exchange.client()
        client.receive(raw())
        exchange.turn()
        exchange.upstream[0].receive(SHAREABLE)
        client.take()
        known = exchange.directory.known[SECRET]
        exchange.directory.known[SECRET] = Principal(evolve(known.token, is_active=False), known.project)
        client.receive(raw())
        exchange.turn()
        self.assertTrue(client.take().startswith(b"HTTP/1.1 401 "))
        self.assertEqual(exchange.outcomes("hit"), 0)

    def test_w7_looked_up_before_authentication(self) -> None:
        """For a stranger nothing is looked up, and nothing of a body is read."""
        exchange = Exchange(cached=True, cache=CacheConfig(post="opt_in"))
        assert exchange.cache is not None
        exchange.cache.store.lookup = lambda *arguments: self.fail("looked up")  # type: ignore[method-assign]
        client = exchange.client()
        client.receive(raw(b"/v1/x", OPT_IN, body=b"x" * 1000).replace(SECRET, b"sk-" + b"B" * 22)[:-500])
        exchange.turn()
        self.assertEqual((client.sent, exchange.upstream), (b"", []))

    def test_w8_cookies(self) -> None:
        """An answer that sets a cookie is somebody's own."""
        self.fill(FRESH, b"Set-Cookie: session=1")
        self.assertTrue(self.missed())


class HttpTests(CacheTestCase):
    def test_w9_vary(self) -> None:
        """Every field that any C{Vary} line names tells answers apart, and no other does."""
        self.fill(FRESH, b"Vary: Accept-Encoding", b"vary: X-Mode", of=(b"Accept-Encoding: gzip", b"X-Mode: 1"))
        same = (b"Accept-Encoding: gzip", b"X-Mode: 1", b"Accept: text/plain", b"Origin: https://a")
        self.assertEqual(self.hit(*same).body, b"content")
        self.assertTrue(self.missed(b"Accept-Encoding: gzip", b"X-Mode: 2"))
        self.assertTrue(self.missed(b"Accept-Encoding: br", b"X-Mode: 1"))

    def test_w9_origins_of_browsers(self) -> None:
        """What one page was allowed to read is a hit for another, with that one's own CORS fields."""
        exchange = Exchange(cached=True, allowed_origins=["https://a.example", "https://b.example"])
        client = exchange.client()
        client.receive(raw(b"/v1/x", b"Origin: https://a.example"))
        exchange.turn()
        exchange.upstream[0].receive(SHAREABLE)
        self.assertIn(b"Access-Control-Allow-Origin: https://a.example\r\n", client.take())
        client.receive(raw(b"/v1/x", b"Origin: https://b.example"))
        exchange.turn()
        answer = client.take()
        self.assertIn(b"llmproxy; hit", answer)
        self.assertEqual(answer.count(b"Access-Control-Allow-Origin"), 1)
        self.assertIn(b"Access-Control-Allow-Origin: https://b.example\r\n", answer)

    def test_w10_vary_star(self) -> None:
        """C{Vary: *} is never stored, by a POST that asks for it neither."""
        self.fill(FRESH, b"Vary: *")
        self.assertTrue(self.missed())
        self.api = evolve(self.api, settings=ApiSettings(cache=CacheSettings(post="opt_in")))
        self.post(OPT_IN)
        self.answer(b"Vary: Accept, *")
        self.post(OPT_IN)
        self.assertEqual(len(self.inner.pending), 1)

    def test_w11_bare_304(self) -> None:
        """A client that sent no validator gets the whole answer after a validation, and the entry is fresh again."""
        self.fill(FRESH, b'ETag: "a"')
        responding = self.send(b"Cache-Control: no-cache")
        self.answer(FRESH, b'ETag: "a"', status=304, body=None)
        answered = self.got(responding)
        self.assertEqual((answered.status, answered.body), (200, b"content"))
        self.clock.advance(59)
        self.assertEqual(self.hit().status, 200)

    def test_w12_age(self) -> None:
        """Upstream's own C{Age} and C{Date} count, and every hit says how old it is."""
        self.fill(b"Cache-Control: public, max-age=60", b"Age: 50")
        self.clock.advance(5)
        hit = self.hit()
        self.assertEqual((hit.field(b"age"), hit.field(b"date")), (b"55", format_date(NOW)))
        self.clock.advance(5)
        self.assertTrue(self.missed())

    def test_w13_directives_of_responses(self) -> None:
        """Each directive of an answer counts, wherever it stands and however it is written."""
        for fields in ((b"Cache-Control: public, max-age=60, no-cache",),
                       (b"Cache-Control: public, max-age=60, s-maxage=0",),
                       (b"Cache-Control: public, max-age=60", b"Cache-Control: no-store"),
                       (b"Cache-Control: public, max-age=60, max-age=10, private",),
                       (b"Cache-Control: public, max-age=sixty",),
                       (b"Cache-Control: public", b"Expires: 0")):  # fmt: skip
            self.fill(*fields)
            self.assertTrue(self.missed(), fields)
        lifetimes = (
            (b'Cache-Control: public, max-age="60"',),
            (b"Cache-Control: public, max-age=99999999999999999999",),
            (b"Cache-Control: public", b"Expires: " + format_date(NOW + 9)),
            (b"Cache-Control: public", b"Last-Modified: " + format_date(NOW - 1000)),
        )
        for number, fields in enumerate(lifetimes):
            target = b"/v1/%d" % number
            self.fill(*fields, target=target)
            self.assertEqual(self.hit(target=target).body, b"content", fields)
        self.fill(b'Cache-Control: public, max-age=60, private="x-secret"', b"X-Secret: 1", target=b"/v1/q")
        self.assertIsNone(self.hit(target=b"/v1/q").field(b"x-secret"))

    def test_w13_directives_of_requests(self) -> None:
        """So does each of a request."""
        self.fill(FRESH, b'ETag: "a"')
        self.clock.advance(10)
        for control in (b"no-cache", b"max-age=5", b"min-fresh=55"):
            responding = self.send(b"Cache-Control: " + control)
            self.assertEqual(len(self.inner.pending), 1, control)
            self.answer(status=503)
            self.got(responding)
        self.assertEqual(self.hit(b'Cache-Control: x="no-cache"').body, b"content")
        self.clock.advance(60)
        self.assertEqual(self.hit(b"Cache-Control: max-stale").body, b"content")
        self.failureResultOf(self.send(b"Cache-Control: only-if-cached"), NotCached)

    def test_w14_cache_status(self) -> None:
        """C{Cache-Status} is what RFC 9211 says, once from this cache, behind what upstream's caches said."""
        responding = self.send()
        self.answer(FRESH, b"Cache-Status: cdn; fwd=miss")
        first = self.got(responding)
        lines = [value for name, value in first.response.fields if name == b"Cache-Status"]
        self.assertEqual(lines, [b"cdn; fwd=miss", b"llmproxy; fwd=uri-miss; ttl=60; stored"])
        lines = [value for name, value in self.hit().response.fields if name == b"Cache-Status"]
        self.assertEqual(lines, [b"cdn; fwd=miss", b"llmproxy; hit; ttl=60"])

    def test_w15_conditions(self) -> None:
        """Tags compare weakly, commas within belong to them, and a 304 has no length."""
        self.fill(FRESH, b'ETag: W/"a,b"', b"Content-Length: 7")
        for condition, status in ((b'"a,b"', 304), (b'W/"a,b"', 304), (b'"x", W/"a,b"', 304), (b'"a", "b"', 200),
                                  (b"a,b", 200)):  # fmt: skip
            answered = self.hit(b"If-None-Match: " + condition)
            self.assertEqual(answered.status, status, condition)
            if status == 304:
                self.assertIsNone(answered.field(b"content-length"), condition)
        responding = self.send(b'If-Match: "a,b"')
        self.answer(status=412)
        self.assertEqual(self.got(responding).status, 412)

    def test_w16_partial_content(self) -> None:
        """A part is never stored, and never served as the whole."""
        responding = self.send(b"Range: bytes=0-1")
        self.answer(FRESH, b"Content-Range: bytes 0-1/7", status=206, body=b"co")
        self.assertEqual(self.got(responding).status, 206)
        self.fill()
        self.assertEqual(self.hit().body, b"content")
        self.assertEqual(self.hit(b"Range: bytes=0-1").body, b"co")

    def test_w17_invalidation(self) -> None:
        """After a PUT, POST or DELETE the old answer is gone."""
        for method in (b"PUT", b"POST", b"DELETE"):
            self.fill()
            responding = self.send(method=method)
            self.answer(status=204, body=None)
            self.got(responding)
            self.assertTrue(self.missed(), method)

    def test_w18_head(self) -> None:
        """HEAD is answered from GET."""
        self.fill(FRESH, b"Content-Length: 7")
        answered = self.hit(method=b"HEAD")
        self.assertEqual((answered.field(b"content-length"), answered.body), (b"7", b""))

    def test_w19_truncated(self) -> None:
        """What was cut by either side, or by the limit, is never stored."""
        for cut in ("upstream", "client", "limit"):
            self.api = evolve(
                self.api, settings=ApiSettings(cache=evolve(self.settings, max_object=3 if cut == "limit" else 100))
            )
            responding = self.send(target=b"/v1/" + cut.encode())
            body = HeldBody()
            self.answer(FRESH, body=body)
            response = self.successResultOf(responding)
            assert response.body is not None
            reading = response.body.startProducing(Sink()).addErrback(lambda _: None)
            body.write(b"1234")
            if cut == "upstream":
                body.fail(UpstreamReset())
            elif cut == "client":
                reading.cancel()
            else:
                body.end()
            self.assertEqual(self.store.statistics()["entries"], 0, cut)

    def test_w20_stream_parameter(self) -> None:
        """A parameter of the query changes nothing between lookup and storing."""
        self.fill(target=b"/v1/models?stream=true")
        self.assertNotIn(b"Accept", [name for name, _ in self.inner.requests[0].fields])
        self.assertEqual(self.hit(target=b"/v1/models?stream=true").body, b"content")

    def test_w21_documented_variables(self) -> None:
        """The default lifetime and the largest object are what the environment says."""
        options, problems = read_cache_environment({"HTTP_CACHE_DEFAULT_TTL": "30", "HTTP_CACHE_MAX_OBJECT_BYTES": "5"})
        self.api = evolve(self.api, settings=ApiSettings(cache=options.defaults))
        self.fill(b"Cache-Control: public", body=b"12345")
        self.assertEqual((self.hit().told, problems), (b"llmproxy; hit; ttl=30", []))
        self.fill(b"Cache-Control: public", body=b"123456", target=b"/v1/large")
        self.assertTrue(self.missed(target=b"/v1/large"))

    def test_w23_buffered(self) -> None:
        """No byte waits for another before it goes to the client, whatever the media type."""
        responding = self.send()
        body = HeldBody()
        self.answer(FRESH, b"Content-Type: application/x-ndjson", body=body)
        answered = self.got(responding)
        for piece in (b"{}\n", b"[]\n"):
            body.write(piece)
            self.assertTrue(answered.body.endswith(piece), piece)

    def test_w24_stampede(self) -> None:
        """A thousand at once reach upstream once; what is stale may be served while upstream is asked, or is down."""
        asked = [self.send() for _ in range(1000)]
        self.answer(b"Cache-Control: public, max-age=60, stale-while-revalidate=9, stale-if-error=99")
        self.assertEqual((len(self.inner.requests), len({self.got(each).body for each in asked})), (1, 1))
        self.clock.advance(65)
        self.assertEqual(self.got(self.send()).body, b"content")
        self.inner.fail(UpstreamReset())
        self.clock.advance(20)
        responding = self.send()
        self.inner.fail(UpstreamReset())
        self.assertEqual(self.got(responding).body, b"content")

    def test_w24_negative(self) -> None:
        """That something is not there can be stored like everything else."""
        responding = self.send()
        self.answer(FRESH, status=404)
        self.got(responding)
        self.assertEqual(self.hit().status, 404)

    def test_w25_purge(self) -> None:
        """What is purged by its target is gone with all its variants, and a prefix is one of targets, not of hashes."""
        for language in (b"de", b"en"):
            self.fill(FRESH, b"Vary: Accept-Language", of=(b"Accept-Language: " + language,))
        self.fill(target=b"/v1/models/1")
        self.fill(target=b"/v1/[a-z]*")
        self.assertEqual(self.successResultOf(self.cache.remove(Key(self.api.space, "p-1", b"GET", b"/v1/models"))), 1)
        for language in (b"de", b"en"):
            self.assertTrue(self.missed(b"Accept-Language: " + language), language)
        self.assertEqual(self.successResultOf(self.cache.purge(None, None, b"/v1/[a")), 1)
        self.assertEqual(self.successResultOf(self.cache.purge(self.api.space, "p-1", b"/v1/models")), 1)

    def test_w26_lifetime_in_the_key(self) -> None:
        """Clients that ask for different lifetimes share an answer; order and white space of a list say nothing."""
        self.api = evolve(self.api, settings=ApiSettings(cache=CacheSettings(post="opt_in")))
        self.post(b"Cache-Control: public, max-age=60", b"Accept-Encoding: gzip, br")
        self.answer()
        hit = self.got(self.post(b"Cache-Control: max-age=600, public", b"accept-encoding: br,gzip"))
        self.assertEqual(hit.told, b"llmproxy; hit; ttl=60")

    def test_w27_dead_branches(self) -> None:
        """What is said to be cacheable is cached, and what goes past the cache is counted."""
        for status in (301, 308, 404, 410):
            target = b"/v1/%d" % status
            responding = self.send(target=target)
            self.answer(FRESH, status=status)
            self.got(responding)
            self.assertEqual(self.hit(target=target).status, status, status)
        self.assertEqual(self.outcomes("bypass"), 0)
        self.assertTrue(self.missed(b"If-Match: *"))
        self.assertEqual(self.outcomes("bypass"), 1)

    def test_w28_uncounted_hits(self) -> None:
        """A hit is a request like any other in the metrics and in the log, and uses up no quota."""
        exchange = Exchange(cached=True)
        client = exchange.client()
        client.receive(raw())
        exchange.turn()
        exchange.upstream[0].receive(SHAREABLE)
        client.receive(raw())
        exchange.turn()
        metrics = ProxyMetrics()
        metrics.record_batch(exchange.records)
        self.assertEqual((metrics.request_count, exchange.quota.balance, exchange.outcomes("hit")), (2, 1, 1))
        hit = exchange.records[1]
        self.assertEqual((hit.cache, hit.status, hit.bytes_out, hit.token_id), ("hit", 200, 2, "t"))
        self.assertIn(b'"cache":"hit"', line(hit))


class BoundTests(CacheTestCase):
    limit = 100_000

    def test_w22_unbounded(self) -> None:
        """However many different answers there are, the store stays within its bound."""
        for number in range(500):
            self.fill(target=b"/v1/%d" % number, of=(b"Accept: %d" % number,))
        statistics = self.store.statistics()
        self.assertLessEqual(statistics["bytes"], self.limit)
        self.assertGreater(statistics["evictions"], 300)
        self.assertEqual(self.hit(target=b"/v1/499").body, b"content")


class KeyTests(CacheTestCase):
    def test_w3_get_with_a_body_hash(self) -> None:
        """On a GET it makes no other key either."""
        self.send(b"X-Body-Hash: 1")
        one = primary_key(self.request)
        self.send()
        self.assertEqual(primary_key(self.request), one)


class Sink:
    """Reads and forgets."""

    def write(self, data: bytes) -> None:
        """It goes nowhere."""
