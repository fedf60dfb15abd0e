"""Tests for L{llmproxy.middleware.caching.fetch}: one call to upstream for all who want the same."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail

from llmproxy.apisettings import ApiSettings, CacheSettings
from llmproxy.core.caching.key import primary_key
from llmproxy.errors import (
    BreakerOpen,
    InternalError,
    OutOfResources,
    RateLimitExceeded,
    UpstreamAuthError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmproxy.message import ApiRequest, ApiResponse

from ...garbage import Garbage
from ..fakes import HeldBody, Reader, a_request, an_api
from .case import FRESH, Answered, CacheTestCase, principal

PRIVATE = b"Cache-Control: private"


class TogetherTests(CacheTestCase):
    def test_one_call(self) -> None:
        """A thousand identical requests at once reach upstream once; every client gets all of it."""
        asked = [self.send() for _ in range(1000)]
        self.assertEqual(len(self.inner.requests), 1)
        self.answer(FRESH)
        answered = [self.got(responding) for responding in asked]
        self.assertEqual({each.body for each in answered}, {b"content"})
        self.assertEqual({each.told for each in answered[1:]}, {b"llmproxy; fwd=uri-miss; ttl=60; collapsed"})
        self.assertEqual((self.cache.collapsed, self.counts["store"], self.quota.balance), (999, 1, 0))

    def test_as_they_come(self) -> None:
        """Who waits gets the bytes while they come, and who comes in the middle gets the beginning too."""
        asked = [self.send(), self.send()]
        body = HeldBody()
        self.answer(FRESH, body=body)
        readers = [self.got(responding) for responding in asked]
        body.write(b"one ")
        readers.append(self.got(self.send()))
        self.assertEqual({each.body for each in readers}, {b"one "})
        body.write(b"two")
        body.end()
        self.assertEqual({(each.body, each.whole) for each in readers}, {(b"one two", True)})
        self.assertEqual((len(self.inner.requests), self.hit().body), (1, b"one two"))

    def test_own_fields(self) -> None:
        """Nobody gets the fields that belong to the one who fetched it."""
        asked = [self.send(), self.send()]
        self.answer(FRESH, b"X-Request-ID: 1", b"X-RateLimit-Remaining: 9", b"OpenAI-Organization: o")
        first, second = (self.got(responding).response.fields for responding in asked)
        names = {name for name, _ in first} - {name for name, _ in second}
        self.assertEqual(names, {b"X-Request-ID", b"X-RateLimit-Remaining", b"OpenAI-Organization"})

    def test_unshareable(self) -> None:
        """When the answer turns out to be for one only, all others ask upstream at once; the next do not wait again."""
        asked = [self.send() for _ in range(3)]
        self.answer(PRIVATE, body=b"mine")
        self.assertEqual(self.got(asked[0]).body, b"mine")
        self.assertEqual(len(self.inner.pending), 2)
        asked.append(self.send())
        asked.append(self.send())
        self.assertEqual(len(self.inner.pending), 4)
        for number in range(4):
            self.answer(PRIVATE, body=b"%d" % number)
        self.assertEqual([self.got(responding).body for responding in asked[1:]], [b"0", b"1", b"2", b"3"])

    def test_shareable_again(self) -> None:
        """An answer that was private once is waited for again a minute later, or once it was not private."""
        self.fill(PRIVATE)
        self.clock.advance(61)
        first, second = self.send(), self.send()
        self.assertEqual(len(self.inner.pending), 1)
        self.answer(FRESH)
        self.got(first)
        self.assertEqual(self.got(second).body, b"content")

    def test_unshareable_of_its_kind(self) -> None:
        """Who has learned from one path that its answers are for one only waits for none of the same kind."""
        self.fill(PRIVATE, target=b"/v1/files/1")
        asked = [self.send(target=b"/v1/files/2") for _ in range(3)]
        self.assertEqual(len(self.inner.pending), 3)
        for _ in asked:
            self.answer(PRIVATE)

    def test_error_of_its_kind(self) -> None:
        """A 404 of one says nothing of the others."""
        responding = self.send(target=b"/v1/files/1")
        self.answer(status=404)
        self.got(responding)
        self.send(target=b"/v1/files/2")
        self.send(target=b"/v1/files/2")
        self.assertEqual(len(self.inner.pending), 1)

    def test_other_variant(self) -> None:
        """Who would get another variant fetches it, once for all who want that one."""
        german = self.send(b"Accept-Language: de")
        english = [self.send(b"Accept-Language: en") for _ in range(2)]
        self.answer(FRESH, b"Vary: Accept-Language", body=b"de")
        self.assertEqual(self.got(german).body, b"de")
        self.assertEqual(len(self.inner.pending), 1)
        self.answer(FRESH, b"Vary: Accept-Language", body=b"en")
        self.assertEqual([self.got(each).body for each in english], [b"en", b"en"])

    def test_not_for_those_who_want_their_own(self) -> None:
        """A request with a condition, a range, C{no-cache} or C{no-store} waits for nobody, and nobody for it."""
        for own in (b'If-None-Match: "a"', b"Range: bytes=0-1", b"Cache-Control: no-store"):
            asked = [self.send(own), self.send(own), self.send(), self.send(b"Cache-Control: no-cache")]
            self.assertEqual(len(self.inner.pending), 4, own)
            for responding in asked:
                self.answer(PRIVATE)
                self.got(responding)
            self.clock.advance(61)

    def test_no_store_of_one_who_waits(self) -> None:
        """A variant that must be validated each time is given to nobody else."""
        asked = [self.send(), self.send()]
        self.answer(b"Cache-Control: public, no-cache", b'ETag: "a"')
        self.got(asked[0])
        self.assertEqual(len(self.inner.pending), 1)

    def test_other_projects_do_not_wait(self) -> None:
        """What one project waits for, another does not get."""
        self.send()
        self.send(who=principal("p-2"))
        self.assertEqual(len(self.inner.pending), 2)


class StuckTests(CacheTestCase):
    """Nobody waits for another's request for longer than C{wait}."""

    settings = CacheSettings(wait=2.0)

    def test_goes_alone(self) -> None:
        """Who has waited long enough goes to upstream; what the first one waits for is nobody else's business."""
        stuck, follower = self.send(), self.send()
        self.clock.advance(1.9)
        self.assertEqual(len(self.inner.pending), 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.inner.pending), 2)
        first, self.inner.pending = self.inner.pending[0], self.inner.pending[1:]
        self.answer(FRESH)
        self.assertEqual(self.got(follower).body, b"content")
        self.assertNoResult(stuck)
        self.inner.pending = [first]
        self.answer(FRESH, body=b"late")
        self.assertEqual(self.got(stuck).body, b"late")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_newcomers(self) -> None:
        """Who comes to a fetch that is stuck does not wait for it at all, nor for the next of this key."""
        self.send()
        self.clock.advance(2)
        self.send()
        self.send()
        self.assertEqual(len(self.inner.pending), 3)

    def test_each_has_its_own_time(self) -> None:
        """The time is that of each request, over all that it waits for."""
        asked = [self.send()]
        self.clock.advance(1)
        asked.append(self.send())
        self.clock.advance(0.5)
        self.inner.fail(UpstreamReset())
        self.failureResultOf(asked[0], UpstreamReset)
        asked.append(self.send())
        self.assertEqual(len(self.inner.pending), 1)
        self.clock.advance(1.5)
        self.assertEqual(len(self.inner.pending), 1)
        self.clock.advance(0.5)
        self.assertEqual(len(self.inner.pending), 2)

    def test_off(self) -> None:
        """With 0 every request goes to upstream."""
        self.api = an_api("openai", settings=ApiSettings(cache=CacheSettings(wait=0.0)))
        self.send()
        self.send()
        self.assertEqual(len(self.inner.pending), 2)

    def test_stuck_in_its_body(self) -> None:
        """A body that has come to a stop is joined by nobody; one that flows is."""
        first = self.send()
        body = HeldBody()
        self.answer(FRESH, body=body)
        self.got(first)
        self.clock.advance(1.5)
        body.write(b"some")
        self.clock.advance(1.5)
        self.assertEqual(self.got(self.send()).body, b"some")
        self.clock.advance(0.5)
        self.send()
        self.assertEqual(len(self.inner.pending), 1)

    def test_changed_meanwhile(self) -> None:
        """What a fetch brings that was set aside is not stored if it was changed meanwhile."""
        stuck = self.send()
        self.clock.advance(2)
        self.send()
        self.cache.remove(primary_key(self.request))
        self.answer(FRESH)
        self.got(stuck)
        self.assertEqual(self.counts["store"], 0)

    def test_all_who_waited_have_gone(self) -> None:
        """A fetch that nobody waits for any more is stopped."""
        stuck = self.send()
        self.send()
        stuck.cancel()
        self.failureResultOf(stuck, CancelledError)
        self.assertEqual(self.inner.cancelled, 0)
        self.clock.advance(2)
        self.assertEqual((self.inner.cancelled, len(self.inner.requests)), (1, 2))

    def test_leaves_no_timer(self) -> None:
        """A follower that leaves, or is answered, leaves no timer."""
        self.send()
        follower = self.send()
        self.answer(FRESH)
        self.got(follower)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SharedScopeTests(CacheTestCase):
    settings = CacheSettings(scope="shared")

    def test_projects_share(self) -> None:
        """Where the operator says so, one project's call serves another's, if the answer allows it."""
        asked = [self.send(), self.send(who=principal("p-2"))]
        self.assertEqual(len(self.inner.requests), 1)
        self.answer(FRESH)
        self.assertEqual([self.got(each).body for each in asked], [b"content", b"content"])

    def test_own_answers_stay_own(self) -> None:
        """Without C{public} each asks with its own key."""
        asked = [self.send(), self.send(who=principal("p-2", key="sk-other"))]
        self.answer(b"Cache-Control: max-age=60, must-revalidate", body=b"one")
        self.assertEqual(self.inner.requests[1].principal.project.api_keys["openai"], ("sk-other",))
        self.answer(body=b"two")
        self.assertEqual([self.got(each).body for each in asked], [b"one", b"two"])

    def test_another_key_may_do(self) -> None:
        """The fault of one project's key is not the fault of another's."""
        asked = [self.send(), self.send(who=principal("p-2"))]
        self.inner.fail(UpstreamAuthError())
        self.failureResultOf(asked[0], UpstreamAuthError)
        self.answer(FRESH)
        self.assertEqual(self.got(asked[1]).body, b"content")


class LeavingTests(CacheTestCase):
    def leave(self, responding: Deferred[ApiResponse]) -> None:
        responding.cancel()
        self.failureResultOf(responding, CancelledError)

    def test_one_leaves(self) -> None:
        """Whoever leaves before the head, be it the first: the others get their answer."""
        for leaving in range(3):
            asked = [self.send(target=b"/%d" % leaving) for _ in range(3)]
            self.leave(asked.pop(leaving))
            self.assertEqual(self.inner.cancelled, 0, leaving)
            self.answer(FRESH)
            self.assertEqual([self.got(each).body for each in asked], [b"content"] * 2, leaving)

    def test_all_leave(self) -> None:
        """The last one stops the call, and the next request makes a new one."""
        asked = [self.send(), self.send()]
        for responding in asked:
            self.leave(responding)
        self.assertEqual(self.inner.cancelled, 1)
        self.send()
        self.assertEqual(len(self.inner.requests), 2)

    def test_in_the_body(self) -> None:
        """The same within the body."""
        asked = [self.send(), self.send()]
        body = HeldBody()
        self.answer(FRESH, body=body)
        responses = [self.successResultOf(each) for each in asked]
        assert responses[0].body is not None
        first = responses[0].body.startProducing(Reader())
        second = Answered(responses[1])
        body.write(b"one")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(body.calls, [])
        body.write(b" two")
        body.end()
        self.assertEqual((second.body, second.whole), (b"one two", True))
        self.assertEqual(self.hit().body, b"one two")

    def test_never_started(self) -> None:
        """A client that left between head and body keeps nothing open."""
        responding = self.send()
        body = HeldBody()
        self.answer(FRESH, body=body)
        response = self.successResultOf(responding)
        assert response.body is not None
        response.body.stopProducing()
        self.assertEqual(body.calls, ["stopped"])
        self.assertTrue(self.missed())

    def test_the_cost_stays_with_those_who_are_there(self) -> None:
        """The attempt and what was found out on the way stand in the record of the first who is still there."""
        first, second = self.send(), self.send()
        record = self.request.record
        self.leave(first)
        self.inner.requests[0].record.attempts = 1
        body = HeldBody()
        self.answer(FRESH, body=body)
        self.got(second)
        self.inner.requests[0].record.details = {"usage": 7}
        body.end()
        self.assertEqual((record.attempts, record.details), (1, {"usage": 7}))

    def test_interim(self) -> None:
        """A 1xx response goes to the one who has caused the call, as long as it is there."""
        seen: list[int] = []
        responding = self.send(target=b"/other")
        self.request.on_interim = lambda status, reason, fields: seen.append(status)
        self.assertIsNone(self.inner.requests[0].on_interim)
        self.leave(responding)
        again = self.again(seen)
        on_interim = self.inner.requests[-1].on_interim
        assert on_interim is not None
        on_interim(103, b"", [])
        self.leave(again)
        on_interim(103, b"", [])
        self.assertEqual(seen, [103])

    def again(self, seen: list[int]) -> Deferred[ApiResponse]:
        request = a_request(b"GET", b"/interim", [], api=self.api, principal=principal())
        request.on_interim = lambda status, reason, fields: seen.append(status)
        return self.cache.respond(request, self.inner)


class FailureTests(CacheTestCase):
    def test_upstream_fails(self) -> None:
        """Whatever one fetch failed with, the others are answered: the next one goes for all of them."""
        for error in (UpstreamReset(), UpstreamTimeout("response_header"), BreakerOpen(), OutOfResources("no_ports")):
            asked = [self.send(target=b"/%s" % error.code.encode()) for _ in range(3)]
            self.inner.fail(error)
            self.failureResultOf(asked[0], type(error))
            self.assertEqual(len(self.inner.pending), 1, error)
            self.answer(FRESH)
            self.assertEqual([self.got(each).body for each in asked[1:]], [b"content"] * 2, error)

    def test_own_fault(self) -> None:
        """What went wrong for the first one alone sends the next."""
        asked = [self.send(), self.send(), self.send()]
        self.inner.fail(RateLimitExceeded())
        self.failureResultOf(asked[0], RateLimitExceeded)
        self.assertEqual(len(self.inner.pending), 1)
        self.answer(FRESH)
        self.assertEqual([self.got(each).body for each in asked[1:]], [b"content"] * 2)

    def test_one_after_another(self) -> None:
        """It ends: after three fetches that failed everybody goes by themselves."""
        asked = [self.send() for _ in range(6)]
        pending = []
        for _ in range(6):
            pending.append(len(self.inner.pending))
            self.inner.fail(UpstreamReset())
        self.assertEqual(pending, [1, 1, 1, 3, 2, 1])
        for responding in asked:
            self.failureResultOf(responding, UpstreamReset)

    def test_refused_at_once(self) -> None:
        """A responder that raises is one that fails."""

        def refuse(request: ApiRequest) -> Deferred[ApiResponse]:
            raise BreakerOpen()

        self.inner = refuse  # type: ignore[assignment]
        self.failureResultOf(self.send(), BreakerOpen)

    def test_our_own_fault(self) -> None:
        """A fault in the store's way leaves nobody waiting."""
        asked = [self.send(), self.send()]
        self.store.put = lambda *arguments: 1 / 0  # type: ignore[assignment, method-assign]
        self.answer(FRESH)
        self.answer(FRESH)
        for responding in asked:
            self.failureResultOf(responding, InternalError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_nothing_left_to_the_collector(self) -> None:
        """A hit, a miss and a shared answer leave no cycles."""
        with Garbage() as garbage:
            for number in range(20):
                target = b"/%d" % number
                asked = [self.send(target=target), self.send(target=target)]
                body = HeldBody()
                self.answer(FRESH, body=body)
                answered = [self.got(each) for each in asked]
                body.end()
                # The fake keeps what a real body lets go of.
                body.consumer = None
                body.done = Deferred()
                del answered, asked, body
                self.hit(target=target)
            self.inner.requests.clear()
            self.assertLess(garbage.collected(), 30)


class ValidationTests(CacheTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(FRESH, b'ETag: "a"', b"X-Old: 1", b"Content-Length: 7")
        self.clock.advance(61)

    def test_unchanged(self) -> None:
        """Upstream says that it is still good: the client gets it whole, and it is fresh again."""
        responding = self.send(b'If-None-Match: "z"')
        sent = self.inner.requests[-1].fields
        self.assertEqual([value for name, value in sent if name == b"If-None-Match"], [b'"a"'])
        self.answer(b"Cache-Control: public, max-age=100", b'ETag: "a"', b"X-Old: 2", status=304, body=None)
        answered = self.got(responding)
        self.assertEqual((answered.status, answered.body, answered.field(b"x-old")), (200, b"content", b"2"))
        self.assertEqual(answered.told, b"llmproxy; fwd=stale; fwd-status=304; ttl=100")
        self.assertEqual((self.cache.revalidated, self.request.record.cache), (1, "stale"))
        self.clock.advance(99)
        self.assertEqual(self.hit().body, b"content")

    def test_clients_own_condition(self) -> None:
        """A client that has the same gets 304, and one that wants a part gets that."""
        responding = self.send(b'If-None-Match: "a"')
        self.answer(FRESH, b'ETag: "a"', status=304, body=None)
        self.assertEqual(self.got(responding).status, 304)
        self.clock.advance(61)
        responding = self.send(b"Range: bytes=0-2")
        self.answer(FRESH, b'ETag: "a"', status=304, body=None)
        self.assertEqual(self.got(responding).body, b"con")

    def test_together(self) -> None:
        """All who wait are served by one validation."""
        asked = [self.send() for _ in range(3)]
        self.assertEqual(len(self.inner.pending), 1)
        self.answer(FRESH, b'ETag: "a"', status=304, body=None)
        told = [self.got(each).told for each in asked]
        self.assertEqual(told[1], b"llmproxy; fwd=stale; fwd-status=304; ttl=60; collapsed")

    def test_changed(self) -> None:
        """A new version is served and stored."""
        responding = self.send()
        self.answer(FRESH, b'ETag: "b"', body=b"new")
        self.assertEqual(self.got(responding).told, b"llmproxy; fwd=stale; ttl=60; stored")
        self.assertEqual(self.hit().body, b"new")

    def test_not_to_be_stored_any_more(self) -> None:
        """A new version that must not be stored takes the old one away."""
        responding = self.send()
        self.answer(b"Cache-Control: no-store", body=b"new")
        self.assertEqual((self.got(responding).body, self.store.statistics()["entries"]), (b"new", 0))

    def test_speaks_of_something_else(self) -> None:
        """A 304 that is about another version is no answer: it is asked for anew."""
        for other in ((b'ETag: "b"', FRESH), (b'ETag: "a"', b"Cache-Control: no-store"),
                      (b'ETag: "a"', FRESH, b"Vary: Accept")):  # fmt: skip
            self.setUp()
            responding = self.send()
            self.answer(*other, status=304, body=None)
            self.assertNotIn(b"If-None-Match", [name for name, _ in self.inner.requests[-1].fields])
            self.answer(FRESH, body=b"new")
            self.assertEqual(self.got(responding).body, b"new", other)

    def test_useless_at_once(self) -> None:
        """What is stale again right after validation serves the one who asked, and nobody else."""
        asked = [self.send(), self.send()]
        self.answer(b"Cache-Control: public, max-age=0", b'ETag: "a"', status=304, body=None)
        self.assertEqual(self.got(asked[0]).body, b"content")
        self.assertEqual(len(self.inner.pending), 1)


class StaleIfErrorTests(CacheTestCase):
    """RFC 5861 section 4."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(b"Cache-Control: public, max-age=60, stale-if-error=100", b'ETag: "a"')
        self.clock.advance(70)

    def test_error_answers(self) -> None:
        """In place of an error all get what is stored, and are told which error it was."""
        for status in (500, 502, 503, 504):
            asked = [self.send(), self.send()]
            body = HeldBody()
            self.answer(status=status, body=body)
            answered = [self.got(each) for each in asked]
            self.assertEqual({each.body for each in answered}, {b"content"}, status)
            self.assertEqual(answered[0].told, b"llmproxy; fwd=stale; fwd-status=%d; ttl=-10" % status, status)
            self.assertEqual(body.calls, ["stopped"], status)

    def test_no_answer(self) -> None:
        """The same if upstream cannot be reached, or is not asked because it has failed too often."""
        for error in (UpstreamReset(), BreakerOpen()):
            responding = self.send()
            self.inner.fail(error)
            self.assertEqual(self.got(responding).told, b"llmproxy; fwd=stale; ttl=-10", error)

    def test_disconnected(self) -> None:
        """Where upstream names no time for errors, what is stale is served while there is no answer, and says so."""
        self.fill(FRESH, b'ETag: "a"', target=b"/plain")
        self.fill(FRESH + b", must-revalidate", b'ETag: "a"', target=b"/strict")
        self.clock.advance(70)
        for error in (UpstreamUnreachable(cause="refused"), UpstreamTimeout("connect"), OutOfResources("no_ports")):
            responding = self.send(target=b"/plain")
            record = self.request.record
            self.inner.fail(error)
            answered = self.got(responding)
            self.assertEqual((answered.body, answered.told), (b"content", b"llmproxy; fwd=stale; ttl=-10"), error)
            self.assertEqual(record.cause, error.cause, error)
            responding = self.send(target=b"/strict")
            self.inner.fail(error)
            self.failureResultOf(responding, type(error))

    def test_too_old(self) -> None:
        """Only for as long as upstream said."""
        self.clock.advance(91)
        responding = self.send()
        self.answer(status=503, body=b"down")
        answered = self.got(responding)
        self.assertEqual((answered.status, answered.body, answered.told), (503, b"down", b"llmproxy; fwd=stale"))

    def test_other_errors(self) -> None:
        """A refusal is not an error of upstream: it is passed on."""
        responding = self.send()
        self.answer(status=403, body=b"no")
        self.assertEqual(self.got(responding).status, 403)
        responding = self.send()
        self.inner.fail(RateLimitExceeded())
        self.failureResultOf(responding, RateLimitExceeded)
        self.assertEqual(self.store.statistics()["entries"], 1)

    def test_client_allows_it(self) -> None:
        """A client may ask for it itself."""
        self.fill(FRESH, b'ETag: "a"', target=b"/other")
        self.clock.advance(70)
        responding = self.send(b"Cache-Control: stale-if-error=20", target=b"/other")
        plain = self.send(target=b"/other")
        self.inner.pending.pop(0).callback(ApiResponse(503, b"", []))
        self.assertEqual(self.got(responding).body, b"content")
        self.answer(status=503)
        self.assertEqual(self.got(plain).status, 503)

    def test_not_against_the_will_of_upstream(self) -> None:
        """C{must-revalidate} forbids it."""
        self.fill(b"Cache-Control: public, max-age=1, stale-if-error=100, must-revalidate", b'ETag: "a"', target=b"/o")
        self.clock.advance(2)
        responding = self.send(target=b"/o")
        self.inner.pending.pop(0)
        self.inner.requests.pop()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.inner = lambda request: fail(UpstreamReset())  # type: ignore[assignment]
        self.failureResultOf(self.send(target=b"/o"), UpstreamReset)
