"""Tests for L{llmproxy.middleware.caching.lookup}: what is stored answers."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from llmproxy.core.caching.dates import format_date
from llmproxy.errors import NotCached, RateLimitExceeded, UpstreamReset
from llmproxy.middleware.recordexchanges import RecordExchanges
from llmproxy.sinks.metrics import ProxyMetrics

from ..fakes import HeldBody, a_request
from .case import FRESH, NOW, CacheTestCase, principal, succeed


class HitTests(CacheTestCase):
    def test_second_request(self) -> None:
        """The same request again is answered from memory, and says so."""
        self.fill(FRESH, b"Content-Type: text/plain")
        self.clock.advance(10)
        hit = self.hit()
        self.assertEqual((hit.status, hit.body, hit.whole), (200, b"content", True))
        self.assertEqual((hit.field(b"age"), hit.told), (b"10", b"llmproxy; hit; ttl=50"))
        self.assertEqual((hit.field(b"content-type"), self.request.record.cache), (b"text/plain", "hit"))
        self.assertEqual([self.outcomes(each) for each in ("hit", "miss", "bypass")], [1, 1, 0])
        self.assertEqual(self.counts, {"store": 1})

    def test_counted_when_it_ends(self) -> None:
        """A hit that is being sent is no request yet, and no hit: the metrics never show more hits than requests."""
        metrics = ProxyMetrics()
        account = RecordExchanges(self.clock, lambda record: metrics.record_batch([record]))
        self.fill()
        asked = a_request(b"GET", b"/v1/models", [], None, api=self.api, principal=principal())
        sending = self.successResultOf(account.respond(asked, lambda request: self.cache.respond(request, self.inner)))
        self.assertEqual((metrics.cache["hit"], metrics.request_count, asked.record.cache), (0, 0, "hit"))
        self.assertEqual(self.got(succeed(sending)).body, b"content")
        self.assertEqual((metrics.cache["hit"], metrics.request_count), (1, 1))

    def test_first_request(self) -> None:
        """The one that fetched it is told that it is being stored, and has the fields of its own answer."""
        responding = self.send()
        self.answer(FRESH, b"X-Request-ID: upstream-1", b"Cache-Status: edge; hit")
        first = self.got(responding)
        self.assertEqual(first.told, b"llmproxy; fwd=uri-miss; ttl=60; stored")
        self.assertEqual((first.field(b"x-request-id"), first.field(b"cache-status")), (b"upstream-1", b"edge; hit"))
        self.assertIsNone(first.field(b"age"))

    def test_dates_stay(self) -> None:
        """The date is that of its generation, whenever it is served."""
        self.fill()
        self.clock.advance(30)
        self.assertEqual(self.hit().field(b"date"), format_date(NOW))

    def test_stale(self) -> None:
        """What is stale and cannot be validated is fetched anew."""
        self.fill()
        self.clock.advance(60)
        responding = self.send()
        self.answer(FRESH, body=b"new")
        self.assertEqual(self.got(responding).body, b"new")
        self.assertEqual(self.hit().body, b"new")

    def test_variants(self) -> None:
        """Clients that ask in different languages get different answers, both from memory."""
        for language in (b"de", b"en"):
            of = (b"Accept-Language: " + language,)
            self.fill(FRESH, b"Vary: Accept-Language", of=of, body=language)
        self.assertEqual(self.request.record.cache, "vary-miss")
        for language in (b"de", b"en"):
            self.assertEqual(self.hit(b"Accept-Language: " + language).body, language, language)

    def test_debug(self) -> None:
        """Only an API that shows debug fields shows what a response is filed under."""
        api = self.an_api(debug_fields=True)
        self.fill(api=api)
        told = self.hit(api=api).told
        self.assertRegex(told.decode(), r'^llmproxy; hit; ttl=60; key="[0-9a-f]{16}"$')

    def test_no_content(self) -> None:
        """A stored 204 has no content."""
        responding = self.send()
        self.answer(FRESH, status=204, body=None)
        self.successResultOf(responding)
        self.assertIsNone(self.successResultOf(self.send()).body)


class AskedTests(CacheTestCase):
    def test_conditional(self) -> None:
        """A client that has it already is told so."""
        self.fill(FRESH, b'ETag: "a"', b"Content-Length: 7", b"Content-Type: text/plain")
        answered = self.hit(b'If-None-Match: W/"x", "a"')
        self.assertEqual((answered.status, answered.body, answered.field(b"etag")), (304, b"", b'"a"'))
        self.assertIsNone(answered.field(b"content-length"))
        self.assertEqual(answered.told, b"llmproxy; hit; ttl=60")
        self.assertEqual(self.hit(b'If-None-Match: "b"').status, 200)
        self.assertEqual(self.hit(b"If-None-Match: *").status, 304)

    def test_since(self) -> None:
        """The same by date."""
        self.fill(FRESH, b"Last-Modified: " + format_date(NOW - 100))
        self.assertEqual(self.hit(b"If-Modified-Since: " + format_date(NOW - 100)).status, 304)
        self.assertEqual(self.hit(b"If-Modified-Since: " + format_date(NOW - 101)).status, 200)

    def test_range(self) -> None:
        """A part is cut out of the whole."""
        self.fill(FRESH, b"Content-Length: 7")
        answered = self.hit(b"Range: bytes=2-4")
        self.assertEqual((answered.status, answered.body), (206, b"nte"))
        self.assertEqual(answered.field(b"content-range"), b"bytes 2-4/7")
        self.assertEqual(answered.field(b"content-length"), b"3")
        beyond = self.hit(b"Range: bytes=7-")
        self.assertEqual((beyond.status, beyond.field(b"content-range")), (416, b"bytes */7"))

    def test_range_if_unchanged(self) -> None:
        """C{If-Range} with another version gets the whole."""
        self.fill(FRESH, b'ETag: "a"')
        self.assertEqual(self.hit(b"Range: bytes=0-0", b'If-Range: "a"').status, 206)
        self.assertEqual(self.hit(b"Range: bytes=0-0", b'If-Range: "b"').status, 200)

    def test_head(self) -> None:
        """HEAD is answered with the head of what is stored."""
        self.fill(FRESH, b"Content-Length: 7")
        response = self.successResultOf(self.send(method=b"HEAD"))
        self.assertEqual((response.status, response.body, self.inner.pending), (200, None, []))
        self.assertIn((b"Content-Length", b"7"), response.fields)

    def test_refused_directives(self) -> None:
        """Who wants it fresh gets it fresh from upstream."""
        self.fill()
        self.clock.advance(10)
        for wanted in (b"Cache-Control: no-cache", b"Cache-Control: max-age=9", b"Cache-Control: min-fresh=51",
                       b"Pragma: no-cache"):  # fmt: skip
            responding = self.send(wanted)
            self.assertEqual(len(self.inner.pending), 1, wanted)
            self.answer(b"Cache-Control: no-store", status=503)
            self.assertEqual(self.got(responding).told, b"llmproxy; fwd=request", wanted)

    def test_max_stale(self) -> None:
        """Who takes it stale gets it, and is told how old it is."""
        for target, fields in ((b"/v1/tagged", (b'ETag: "a"',)), (b"/v1/plain", ())):
            self.fill(b"Cache-Control: public, max-age=60", *fields, target=target)
        self.clock.advance(70)
        for target in (b"/v1/tagged", b"/v1/plain"):
            hit = self.hit(b"Cache-Control: max-stale=20", target=target)
            self.assertEqual((hit.told, hit.field(b"age")), (b"llmproxy; hit; ttl=-10", b"70"), target)

    def test_only_if_cached(self) -> None:
        """Who wants nothing from upstream gets what is stored, or 504."""
        self.failureResultOf(self.send(b"Cache-Control: only-if-cached"), NotCached)
        self.fill()
        self.assertEqual(self.hit(b"Cache-Control: only-if-cached").body, b"content")

    def test_no_store(self) -> None:
        """Nothing of an exchange whose client forbids it is stored; what is stored already may answer."""
        responding = self.send(b"Cache-Control: no-store")
        self.answer(FRESH)
        self.got(responding)
        self.assertEqual(self.store.statistics()["entries"], 0)
        self.fill()
        self.assertEqual(self.hit(b"Cache-Control: no-store").body, b"content")


class QuotaTests(CacheTestCase):
    def test_spent_token(self) -> None:
        """A spent token gets nothing out of the cache, and its SDK is told not to try again."""
        self.fill()
        self.quota.checking = Deferred()
        responding = self.send()
        self.quota.checking.errback(RateLimitExceeded())
        error = self.failureResultOf(responding, RateLimitExceeded).value
        self.assertEqual(error.fields, ((b"x-should-retry", b"false"),))

    def test_waits_for_the_quota(self) -> None:
        """Nothing is looked up before the answer; then a hit uses up nothing."""
        self.fill()
        self.quota.checking = Deferred()
        responding = self.send()
        self.assertNoResult(responding)
        self.quota.checking.callback(None)
        self.assertEqual((self.got(responding).body, self.quota.balance), (b"content", 0))

    def test_left_meanwhile(self) -> None:
        """A client that leaves then is forgotten."""
        self.quota.checking = Deferred()
        responding = self.send()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(self.inner.requests, [])


class HeadTests(CacheTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(FRESH, b'ETag: "a"', b"Content-Length: 7")
        self.clock.advance(61)

    def head(self, *fields: bytes, status: int = 200) -> None:
        responding = self.send(method=b"HEAD")
        self.answer(*fields, status=status, body=None)
        self.assertEqual(self.got(responding).told, b"llmproxy; fwd=stale")

    def test_freshens(self) -> None:
        """An answer to HEAD that speaks of what is stored makes it fresh again."""
        self.head(FRESH, b'ETag: "a"', b"Content-Length: 7", b"X-New: 1")
        hit = self.hit()
        self.assertEqual((hit.body, hit.field(b"x-new")), (b"content", b"1"))

    def test_contradicts(self) -> None:
        """One that speaks of another version lets it go."""
        self.head(FRESH, b'ETag: "b"')
        self.assertEqual(self.store.statistics()["entries"], 0)

    def test_error(self) -> None:
        """One of an error says nothing of it."""
        self.head(b"Cache-Control: no-store", status=500)
        self.assertEqual(self.store.statistics()["entries"], 1)

    def test_is_not_stored(self) -> None:
        """An answer to HEAD is no answer to GET."""
        responding = self.send(method=b"HEAD", target=b"/v1/other")
        self.answer(FRESH, body=None)
        self.got(responding)
        self.assertTrue(self.missed(target=b"/v1/other"))


class BackgroundTests(CacheTestCase):
    """RFC 5861 section 3."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(b"Cache-Control: public, max-age=60, stale-while-revalidate=30", b'ETag: "a"')
        self.clock.advance(70)

    def stale(self) -> None:
        hit = self.got(self.send())
        self.assertEqual((hit.body, hit.told), (b"content", b"llmproxy; hit; ttl=-10"))

    def test_served_at_once(self) -> None:
        """A stale answer is served at once while upstream is asked, once for all."""
        self.stale()
        self.stale()
        self.assertEqual(len(self.inner.requests), 2)
        self.assertIn((b"If-None-Match", b'"a"'), self.inner.requests[1].fields)
        self.answer(FRESH, b'ETag: "a"', status=304, body=None)
        self.assertEqual(self.hit().told, b"llmproxy; hit; ttl=60")

    def test_changed(self) -> None:
        """What has changed meanwhile is stored in its place, also if it takes its time."""
        self.stale()
        body = HeldBody()
        self.answer(FRESH, body=body)
        body.write(b"new")
        body.end()
        self.assertEqual(self.hit().body, b"new")

    def test_has_a_record(self) -> None:
        """The call to upstream stands in the log, as one that nobody waited for."""
        self.stale()
        self.answer(FRESH, b'ETag: "a"', status=304, body=None)
        [record] = self.records
        self.assertEqual((record.ended, record.status, record.method), ("complete", 304, "GET"))
        self.assertEqual(record.details, {"background": "revalidation"})

    def test_fails(self) -> None:
        """An error in the background hurts nobody."""
        self.stale()
        self.inner.fail(UpstreamReset())
        self.stale()
        self.answer(status=503)
        self.stale()
        self.assertEqual([record.ended for record in self.records], ["upstream_failed", "complete"])

    def test_cut_at_the_end(self) -> None:
        """When the proxy stops, it is ended like every other exchange."""
        self.stale()
        self.background.cut_all("shutdown")
        self.assertEqual((self.inner.cancelled, self.background.in_flight), (1, 0))
