"""Tests for L{llmproxy.middleware.caching.cache}: which requests it has a say in, POST, and what is let go of."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from llmproxy.apisettings import ApiSettings, CacheSettings
from llmproxy.errors import NotCached
from llmproxy.interfaces import ICacheStore, IMiddleware
from llmproxy.message import ApiResponse
from tests.compiled import python_only

from ..fakes import HeldBody, an_api
from .case import FRESH, OPT_IN, CacheTestCase, principal


class PassingTests(CacheTestCase):
    def test_interfaces(self) -> None:
        """It is a middleware, on a store."""
        verifyObject(ICacheStore, self.store)
        self.assertTrue(callable(self.cache.respond) and "respond" in IMiddleware)

    def test_not_cached(self) -> None:
        """An API without a cache passes untouched, without any word of one."""
        self.api = an_api()
        responding = self.send()
        response = ApiResponse(200, b"", [])
        self.inner.answer(response)
        self.assertIs(self.successResultOf(responding), response)
        self.assertEqual((response.fields, self.request.record.cache), ([], ""))

    def test_other_methods(self) -> None:
        """A POST that nobody opted in for goes on as it is; its body is not touched."""
        body = HeldBody()
        for method in (b"POST", b"PUT", b"OPTIONS"):
            responding = self.send(method=method, body=body)
            self.assertIs(self.inner.requests[-1].body, body)
            self.answer(FRESH)
            self.assertEqual(self.got(responding).told, b"llmproxy; fwd=method", method)
        self.assertEqual((self.outcomes("bypass"), self.request.record.cache), (3, "method"))
        self.assertEqual(self.store.statistics()["entries"], 0)

    def test_bypassed(self) -> None:
        """What only upstream can answer goes there: C{If-Match}, another method in a field, a GET with content."""
        for more in (b"If-Match: *", b"X-HTTP-Method-Override: DELETE", b"If-Unmodified-Since: x"):
            responding = self.send(more)
            self.answer(FRESH)
            self.assertEqual(self.got(responding).told, b"llmproxy; fwd=bypass", more)
        responding = self.send(body=b"x")
        self.answer(FRESH)
        self.assertEqual(self.got(responding).told, b"llmproxy; fwd=bypass")
        self.assertEqual(self.store.statistics()["entries"], 0)

    def test_only_if_cached(self) -> None:
        """RFC 9111 section 5.2.1.7: who wants only what is stored gets a 504, whatever it is that is never stored."""
        only = b"Cache-Control: only-if-cached"
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS"):
            self.failureResultOf(self.send(only, method=method), NotCached)
        for more in (b"If-Match: *", b"X-HTTP-Method-Override: DELETE"):
            self.failureResultOf(self.send(only, more), NotCached)
        self.failureResultOf(self.send(only, body=b"x"), NotCached)
        self.assertEqual((self.inner.requests, self.outcomes("bypass")), ([], 0))
        self.api = an_api()
        self.send(only, method=b"POST")
        self.assertEqual(len(self.inner.requests), 1)

    def test_projects(self) -> None:
        """What is stored for one project is not there for another, nor under another API."""
        self.fill()
        self.assertTrue(self.missed(who=principal("p-2")))
        self.assertTrue(self.missed(api=self.an_api("other")))
        self.assertEqual(self.hit(who=principal("p-1", "t-2")).body, b"content")

    def test_shared_scope(self) -> None:
        """Unless the operator says that they share."""
        self.api = evolve(self.api, settings=ApiSettings(cache=evolve(self.settings, scope="shared")))
        self.fill()
        self.assertEqual(self.hit(who=principal("p-2")).body, b"content")


class PostTests(CacheTestCase):
    settings = CacheSettings(post="opt_in", post_max_age=100.0, post_max_body=1000)

    def stored(self, *fields: bytes, answer: tuple[bytes, ...] = (), body: object = b'{"model":"m"}') -> bool:
        self.setUp()
        responding = self.post(*fields, body=body)
        self.answer(*answer)
        self.got(responding)
        return self.store.statistics()["entries"] == 1

    def test_opted_in(self) -> None:
        """A client that asks for it has the same question answered from memory, as long as it said."""
        self.assertTrue(self.stored(OPT_IN))
        self.assertEqual(self.inner.requests[0].method, b"POST")
        hit = self.got(self.post(OPT_IN))
        self.assertEqual((hit.body, hit.told, hit.whole), (b"content", b"llmproxy; hit; ttl=60", True))
        self.clock.advance(60)
        responding = self.post(OPT_IN)
        self.answer()
        self.assertEqual(self.got(responding).told, b"llmproxy; fwd=uri-miss; ttl=60; stored")

    def test_body_goes_on(self) -> None:
        """Upstream gets the body as it came, after it has been read for its hash."""
        self.stored(OPT_IN, body=b"x" * 1000)
        body = self.inner.requests[0].body
        assert body is not None
        self.assertEqual(body.length, 1000)

    def test_who_asks(self) -> None:
        """Only C{public} with an age asks for it."""
        for control in (b"public, max-age=60", b"public, s-maxage=1", b"max-age=60, Public"):
            self.assertTrue(self.stored(b"Cache-Control: " + control), control)
        for control in (b"max-age=60", b"public", b"public, max-age=0", b"public, max-age=60, no-store", b"public=1",
                        b"public, max-age=1, max-age=2"):  # fmt: skip
            self.assertFalse(self.stored(b"Cache-Control: " + control), control)
        self.assertFalse(self.stored(OPT_IN, b'If-None-Match: "a"'))

    def test_bounded(self) -> None:
        """No longer than the operator allows."""
        self.stored(b"Cache-Control: public, max-age=1000000000")
        self.clock.advance(99)
        self.assertEqual(self.got(self.post(OPT_IN.replace(b"60", b"100"))).told, b"llmproxy; hit; ttl=1")

    def test_upstream_wins(self) -> None:
        """C{no-store} and C{private} of the answer win, and so do an error and a cookie."""
        for answer in (b"Cache-Control: no-store", b"Cache-Control: private", b"Set-Cookie: session=1", b"Vary: *"):
            self.assertFalse(self.stored(OPT_IN, answer=(answer,)), answer)
        responding = self.post(OPT_IN, body=b"other")
        self.answer(status=404)
        self.got(responding)
        self.assertEqual(self.store.statistics()["entries"], 0)

    def test_balancers_cookie(self) -> None:
        """The cookie of a load balancer in front of the provider says nothing of the answer; it is not replayed."""
        self.assertTrue(self.stored(OPT_IN, answer=(b"Set-Cookie: __cf_bm=abc; path=/; HttpOnly",)))
        self.assertIsNone(self.got(self.post(OPT_IN)).field(b"set-cookie"))

    def test_what_is_the_same(self) -> None:
        """Another body, another organisation, an unknown field: another question. Another attempt is the same one."""
        self.stored(OPT_IN, b"Content-Type: application/json", b"X-Stainless-Retry-Count: 0", b"User-Agent: a")
        same = (OPT_IN, b"content-type: application/json", b"X-Stainless-Retry-Count: 1", b"Idempotency-Key: 7")
        self.assertEqual(self.got(self.post(*same)).told, b"llmproxy; hit; ttl=60")
        for other in (b"OpenAI-Organization: o", b"Accept: text/event-stream", b"anthropic-beta: x", b"X-Unknown: 1"):
            self.post(*same, other)
            self.assertEqual(len(self.inner.pending), 1, other)
            self.inner.pending.clear()
        self.post(*same, body=b"other")
        self.assertEqual(len(self.inner.pending), 1)

    def test_only_if_cached(self) -> None:
        """A client that wants nothing from upstream gets nothing from there, also where it did not opt in."""
        only = b"Cache-Control: only-if-cached"
        self.failureResultOf(self.post(only), NotCached)
        self.failureResultOf(self.post(only + b", public, max-age=60"), NotCached)
        self.failureResultOf(self.post(only + b", public, max-age=60", body=HeldBody(1001)), NotCached)
        self.assertEqual(self.inner.requests, [])
        self.stored(OPT_IN)
        self.assertEqual(self.got(self.post(only + b", public, max-age=60")).body, b"content")
        self.failureResultOf(self.post(only), NotCached)

    def test_large(self) -> None:
        """A body above the limit, or of unknown length, is not read: it goes on untouched."""
        for body in (HeldBody(1001), HeldBody()):
            responding = self.post(OPT_IN, body=body)
            self.assertIs(self.inner.requests[-1].body, body)
            self.answer()
            self.assertEqual(self.got(responding).told, b"llmproxy; fwd=bypass", body)

    def test_while_it_arrives(self) -> None:
        """Nothing is sent before the body is there; a client that leaves meanwhile is forgotten."""
        body = HeldBody(4)
        responding = self.post(OPT_IN, body=body)
        body.write(b"ab")
        self.assertEqual(self.inner.requests, [])
        responding.cancel()
        self.failureResultOf(responding)
        self.assertEqual(body.calls, ["cancelled"])

    def test_without_content(self) -> None:
        """A POST without content is one too."""
        self.assertTrue(self.stored(OPT_IN, body=None))
        self.assertIsNone(self.inner.requests[0].body)

    def test_together(self) -> None:
        """The same question asked by many at once is asked of upstream once."""
        asked = [self.post(OPT_IN) for _ in range(100)]
        self.assertEqual(len(self.inner.requests), 1)
        self.answer()
        self.assertEqual({self.got(each).body for each in asked}, {b"content"})

    def test_off(self) -> None:
        """Where the operator does not allow it, the client's word changes nothing."""
        self.api = evolve(self.api, settings=ApiSettings(cache=CacheSettings()))
        for _ in range(2):
            responding = self.post(OPT_IN)
            self.answer()
            self.assertEqual(self.got(responding).told, b"llmproxy; fwd=method")


class InvalidationTests(CacheTestCase):
    def change(self, method: bytes = b"DELETE", *, status: int = 200, **more: object) -> Deferred[ApiResponse]:
        responding = self.send(method=method, **more)  # type: ignore[arg-type]
        self.answer(status=status)
        self.got(responding)
        return responding

    def test_unsafe(self) -> None:
        """After a change of a resource its old answer is gone, whatever the method is called."""
        for method in (b"DELETE", b"PUT", b"PATCH", b"POST", b"UNKNOWN"):
            self.fill()
            self.change(method)
            self.assertTrue(self.missed(), method)

    def test_safe(self) -> None:
        """OPTIONS changes nothing, nor does a change that failed."""
        self.fill()
        self.change(b"OPTIONS")
        self.change(b"DELETE", status=404)
        self.change(b"DELETE", status=500)
        self.assertEqual(self.hit().body, b"content")

    def test_other_targets(self) -> None:
        """What the answer names as changed goes too; what lies elsewhere stays."""
        for target in (b"/v1/files/1", b"/v1/files/2", b"/v1/files"):
            self.fill(target=target)
        responding = self.send(method=b"POST", target=b"/v1/upload")
        self.answer(b"Location: /v1/files/1", b"Content-Location: https://api.example/v1/files/2")
        self.got(responding)
        self.assertTrue(self.missed(target=b"/v1/files/1"))
        self.assertTrue(self.missed(target=b"/v1/files/2"))
        self.assertEqual(self.hit(target=b"/v1/files").body, b"content")

    def test_own_project_only(self) -> None:
        """One project empties nobody else's cache."""
        self.fill()
        self.change(who=principal("p-2"))
        self.assertEqual(self.hit().body, b"content")

    def test_shared_scope(self) -> None:
        """Where projects share, a change by one is a change for all."""
        self.api = evolve(self.api, settings=ApiSettings(cache=evolve(self.settings, scope="shared")))
        self.fill()
        self.change(who=principal("p-2"))
        self.assertTrue(self.missed())

    def test_credential_in_the_target(self) -> None:
        """The key in a query is no part of what has changed."""
        self.fill(target=b"/v1/models?key=sk-1")
        self.change(target=b"/v1/models?key=sk-2")
        self.assertTrue(self.missed(target=b"/v1/models?key=sk-3"))

    @python_only("it replaces a method of an object")
    def test_nothing_stored(self) -> None:
        """A POST where nothing is stored asks the store for nothing."""
        self.store.remove = lambda key: self.fail("it was asked")  # type: ignore[assignment, method-assign]
        self.change(b"POST")
        self.fill(target=b"/v1/other")
        self.change(b"POST")

    def test_opted_in_posts_stay(self) -> None:
        """A POST does not take away what other POSTs have been answered with."""
        self.api = evolve(self.api, settings=ApiSettings(cache=evolve(self.settings, post="opt_in")))
        self.post(OPT_IN)
        self.answer()
        self.change(b"POST", target=b"/v1/chat/completions")
        self.assertEqual(self.got(self.post(OPT_IN)).told, b"llmproxy; hit; ttl=60")


class PurgeTests(CacheTestCase):
    def test_purge(self) -> None:
        """What is stored under a prefix goes, and what is on its way there is not stored."""
        self.fill(target=b"/v1/models/1")
        self.fill(target=b"/v1/files")
        responding = self.send(target=b"/v1/models/2")
        other = self.send(target=b"/v1/batches")
        self.assertEqual(self.successResultOf(self.cache.purge(self.api.space, "p-1", b"/v1/models")), 1)
        self.answer(FRESH)
        self.answer(FRESH)
        self.got(responding)
        self.got(other)
        self.assertTrue(self.missed(target=b"/v1/models/1"))
        self.assertTrue(self.missed(target=b"/v1/models/2"))
        self.assertEqual(self.hit(target=b"/v1/files").body, b"content")
        self.assertEqual(self.hit(target=b"/v1/batches").body, b"content")

    def test_purge_of_others(self) -> None:
        """What is another API's or project's stays."""
        self.fill()
        self.assertEqual(self.successResultOf(self.cache.purge("other", None)), 0)
        self.assertEqual(self.successResultOf(self.cache.purge(None, "p-2")), 0)
        self.assertEqual(self.hit().body, b"content")

    def test_doubted_with_a_condition(self) -> None:
        """Also what is brought by a request that nobody waits for."""
        responding = self.send(b'If-None-Match: "a"')
        self.successResultOf(self.cache.purge(None, None))
        self.answer(FRESH)
        self.got(responding)
        self.assertTrue(self.missed())
