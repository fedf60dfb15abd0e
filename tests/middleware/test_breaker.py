"""Tests for L{llmproxy.middleware.breaker}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, BreakerSettings
from llmproxy.core.breaker import EVIDENCE
from llmproxy.errors import (
    BreakerOpen,
    OutOfResources,
    RequestBodyTimeout,
    UpstreamError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmproxy.message import Api, ApiResponse, Principal, Project
from llmproxy.middleware.breaker import Breaker
from llmproxy.origin import Upstream

from .fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, a_response, an_api, an_upstream

API = an_api(settings=ApiSettings(breaker=BreakerSettings(3, 30.0)))
OTHER = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, id="p-2"))


class BreakerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock)
        self.inner = Inner()

    def begin(self, principal: Principal = PRINCIPAL, model: str = "", api: Api = API) -> Deferred[ApiResponse]:
        request = a_request(api=api, principal=principal)
        request.model = model
        return self.breaker.respond(request, self.inner)

    def answered(self, response: ApiResponse, **request: Any) -> ApiResponse:
        responding = self.begin(**request)
        self.inner.answer(response)
        return self.successResultOf(responding)

    def fails(self, error: Exception, **request: Any) -> None:
        responding = self.begin(**request)
        self.inner.fail(error)
        self.failureResultOf(responding, type(error))

    def body(self) -> tuple[HeldBody, Deferred[None]]:
        held = HeldBody()
        body = self.answered(a_response(200, held)).body
        assert body is not None
        return held, body.startProducing(Reader())

    def open(self) -> None:
        for _ in range(3):
            self.fails(UpstreamUnreachable())
        self.assertRaises(BreakerOpen, self.begin)

    def test_statuses_of_a_model(self) -> None:
        """502, 503 and 504 of one model pass, and are counted for it; then nobody asks for that one any more."""
        for status in (502, 503, 504):
            self.assertEqual(self.answered(a_response(status), model="m").status, status, status)
        error = self.assertRaises(BreakerOpen, self.begin, model="m")
        self.assertEqual((error.status, error.fields), (503, ((b"Retry-After", b"30"),)))
        self.assertIn("for the model m", error.description)
        self.assertIn("status 504", error.description)
        self.assertEqual(self.inner.pending, [])
        self.answered(a_response(200), model="other")
        self.answered(a_response(200))

    def test_keys_and_places(self) -> None:
        """
        Each key at each place has a circuit: another key of the same project, another place of the same API, and the
        same key as another project's do not feel it. A key of the upstream's own is one, whoever uses it.
        """
        here, there = an_upstream(), an_upstream(path_prefix=b"/there")
        own = evolve(PRINCIPAL.project, api_keys={})

        def stopped(upstream: Upstream, project: Project, key: str) -> bool:
            request = a_request(api=API, principal=Principal(PRINCIPAL.token, project))
            request.upstream, request.key = upstream, key
            try:
                responding = self.breaker.respond(request, self.inner)
            except BreakerOpen:
                return True
            self.inner.fail(UpstreamUnreachable())
            self.failureResultOf(responding)
            return False

        one, two = PRINCIPAL.project, OTHER.project
        for tried, others, shown in (
            ((here, one, "a"), [(here, one, "b"), (there, one, "a"), (here, two, "a"), (here, own, "a")], "p-1"),
            ((here, own, "k"), [(here, own, "l"), (there, own, "k"), (here, one, "k")], ""),
        ):
            self.setUp()
            self.assertEqual([stopped(*tried) for _ in range(4)], [False, False, False, True], (tried, others, shown))
            self.assertEqual([stopped(*other) for other in others], [False] * len(others), (tried, others, shown))
            self.assertEqual(self.breaker.states()[0].project, shown, (tried, others, shown))
            self.assertNotIn("'a'", repr(self.breaker.states()))
        self.assertTrue(stopped(here, evolve(own, id="p-9"), "k"))

    def test_tallies(self) -> None:
        """How many keys of an upstream have a circuit in which state, and how many models are not asked."""
        self.assertEqual(self.breaker.tallies(), {})
        self.open()
        for _ in range(3):
            self.answered(a_response(503), principal=OTHER, model="m")
        (place,) = self.breaker.tallies()
        tally = self.breaker.tallies()[place]
        self.assertEqual(place, (API.name, API.upstreams[0].url))
        self.assertEqual((tally.closed, tally.open, tally.half_open, tally.models), (1, 1, 0, 1))

    def test_made_anew(self) -> None:
        """A configuration that is compiled again finds the circuits of its upstreams as they were."""
        self.open()
        self.assertRaises(BreakerOpen, self.begin, api=an_api(settings=ApiSettings(breaker=BreakerSettings(3, 30.0))))

    def test_model_that_is_a_secret(self) -> None:
        """A token that somebody sends as the name of a model stands in no log, no state and no refusal."""
        secret = "sk-WfppfE41yy3GctEDqEuaIw"
        lines: list[str] = []
        observer = lambda event: lines.append(eventAsText(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for _ in range(3):
            self.answered(a_response(503), model=secret)
        error = self.assertRaises(BreakerOpen, self.begin, model=secret)
        self.assertIn("for the model [masked]", "".join(lines))
        for told in ("".join(lines), error.description, repr(self.breaker.states())):
            self.assertNotIn(secret, told)

    def test_model_in_the_path(self) -> None:
        """Where nothing reads the body, the path may name the model."""
        request = lambda: a_request(b"GET", b"/openai/deployments/m/chat", api=API, principal=PRINCIPAL)  # noqa: E731
        for _ in range(3):
            responding = self.breaker.respond(request(), self.inner)
            self.inner.answer(a_response(503))
            self.successResultOf(responding)
        self.assertRaises(BreakerOpen, self.breaker.respond, request(), self.inner)

    def test_statuses_of_unknown_models(self) -> None:
        """Whose 503 it was nobody knows: it stops nobody."""
        for status in (502, 503, 504) * 5:
            self.answered(a_response(status))
        self.assertEqual(self.breaker.states(), [])

    def test_statuses_of_the_key(self) -> None:
        """Where the settings say so, a status counts for all requests of a key, as the reference counts it."""
        api = an_api(settings=ApiSettings(breaker=BreakerSettings(3, 30.0, frozenset({500, 503}))))
        for status in (503, 500, 503):
            self.answered(a_response(status), api=api, model=f"m-{status}")
        self.assertRaises(BreakerOpen, self.begin, api=api)

    def test_other_statuses_of_the_key(self) -> None:
        """What they do not list counts nowhere, not even for its model."""
        api = an_api(settings=ApiSettings(breaker=BreakerSettings(3, 30.0, frozenset({500}))))
        for _ in range(5):
            self.answered(a_response(503), api=api, model="m")
        self.assertEqual(self.breaker.states(), [])

    def test_is_transient(self) -> None:
        """Who embeds the proxy may decide by a function."""
        self.breaker = Breaker(self.clock, is_transient=lambda status: status == 418)
        for _ in range(3):
            self.answered(a_response(418), model="m")
        self.assertRaises(BreakerOpen, self.begin)

    def test_switched_off(self) -> None:
        """C{breaker: false}: every request goes on."""
        api = an_api(settings=ApiSettings(breaker=None))
        for _ in range(9):
            self.fails(UpstreamReset(), api=api)
        self.begin(api=api)
        self.assertEqual(self.breaker.states(), [])

    def test_other_statuses(self) -> None:
        """Answers about one request say nothing of upstream's health."""
        for status in (400, 401, 429, 500, 501, 529) * 3:
            self.answered(a_response(status), model="m")
        self.assertEqual(self.breaker.states(), [])

    def test_causes(self) -> None:
        """
        Each cause, for a request whose model is known and one whose model is not: does it close the way for this model,
        for other models?
        """
        for cause, evidence in EVIDENCE.items():
            for model in ("", "m"):
                self.setUp()
                for _ in range(3):
                    self.fails(UpstreamError(cause=cause), model=model)
                stopped = [self.is_stopped("m"), self.is_stopped("other")]
                everyone = evidence == "connection" or (evidence == "request" and not model)
                self.assertEqual(stopped, [everyone or evidence == "request", everyone], (cause, model))

    def is_stopped(self, model: str) -> bool:
        try:
            self.begin(model=model)
        except BreakerOpen:
            return True
        self.inner.pending.clear()
        return False

    def test_slow_calls(self) -> None:
        """Calls that meet our own time limit stop nobody, however many they are."""
        slow = [self.begin(model="m") for _ in range(9)]
        for responding in slow:
            self.inner.fail(UpstreamTimeout("response_header"))
            self.failureResultOf(responding, UpstreamTimeout)
        self.assertFalse(self.is_stopped("m"))

    def test_own_resources(self) -> None:
        """What this machine lacks is no failure of upstream."""
        for _ in range(9):
            self.fails(OutOfResources("too_many_files"))
        self.assertEqual(self.breaker.states(), [])

    def test_one_event(self) -> None:
        """Twenty requests that are reset at once are one failure."""
        running = [self.begin() for _ in range(20)]
        for responding in running:
            self.inner.fail(UpstreamReset())
            self.failureResultOf(responding, UpstreamReset)
        self.assertEqual(self.breaker.states()[0].failures, 1)

    def test_states(self) -> None:
        """What is in trouble is shown, with the reason and when it is tried again."""
        self.fails(UpstreamReset(), model="m")
        self.open()
        self.clock.advance(10)
        key, model = self.breaker.states()
        self.assertEqual((key.api, key.project, key.model), ("openai", PRINCIPAL.project.id, ""))
        self.assertEqual((key.state, key.failures, key.retry_after), ("open", 3, 20.0))
        self.assertEqual(key.reason, "cannot be reached")
        self.assertEqual((model.model, model.state, model.failures, model.retry_after), ("m", "closed", 1, 0.0))

    def test_openings(self) -> None:
        """Openings are counted by API."""
        openings = {"openai": 0}
        self.breaker = Breaker(self.clock, openings=openings)
        for _ in range(BreakerSettings().threshold):
            self.fails(UpstreamUnreachable(), api=an_api())
        self.assertEqual(openings, {"openai": 1})

    def test_count_in(self) -> None:
        """They are counted elsewhere from the moment that somebody asks for it."""
        openings: dict[str, int] = {}
        self.breaker.count_in(openings)
        for _ in range(3):
            self.fails(UpstreamUnreachable())
        self.assertEqual(openings, {"openai": 1})

    def test_take_over(self) -> None:
        """What was found out about an API is known to the next one, and either tells the other; others begin anew."""
        for _ in range(3):
            self.fails(UpstreamUnreachable())
        former, self.breaker = self.breaker, Breaker(self.clock)
        self.assertEqual(self.breaker.states(), [])
        self.breaker.take_over(former, {("another", "https://api.example"), ("openai", "https://else.example")})
        self.assertEqual(self.breaker.states(), [])
        self.breaker.take_over(former, {("openai", "https://api.example")})
        self.assertRaises(BreakerOpen, self.begin)
        self.clock.advance(30)
        probe = self.begin()
        self.inner.answer(a_response(200))
        self.successResultOf(probe)
        self.assertEqual(former.states(), [])

    def test_model_probe(self) -> None:
        """After the cooldown one request for the model is let through; its head closes the circuit."""
        for _ in range(3):
            self.answered(a_response(503), model="m")
        self.clock.advance(30)
        probe = self.begin(model="m")
        self.assertRaises(BreakerOpen, self.begin, model="m")
        self.inner.answer(a_response(200, HeldBody()))
        self.successResultOf(probe)
        self.assertFalse(self.is_stopped("m"))

    def test_refused_for_its_model(self) -> None:
        """A request that is refused for its model leaves the probe of the connection to another one."""
        for _ in range(3):
            self.answered(a_response(503), model="m")
        self.clock.advance(20)
        self.open()
        self.clock.advance(30)
        self.begin(model="m")
        self.assertRaises(BreakerOpen, self.begin, model="m")

    def test_broken_bodies_of_a_model(self) -> None:
        """Answers that are broken off count for their model."""
        for _ in range(3):
            held = HeldBody()
            body = self.answered(a_response(200, held), model="m").body
            assert body is not None
            producing = body.startProducing(Reader())
            held.fail(UpstreamReset(cause="cut_short"))
            self.failureResultOf(producing, UpstreamReset)
        self.assertEqual((self.is_stopped("m"), self.is_stopped("other")), (True, False))

    def test_ours_and_the_clients(self) -> None:
        """What the client or we did is not held against upstream."""
        for _ in range(5):
            self.fails(RequestBodyTimeout())
            responding = self.begin()
            responding.cancel()
            self.inner.pending.clear()
            self.failureResultOf(responding, CancelledError)
        self.begin()

    def test_left_in_body(self) -> None:
        """Nor is a client that leaves in mid-stream, or a stream that took too long in all."""
        for _ in range(5):
            _, producing = self.body()
            producing.cancel()
            self.failureResultOf(producing, CancelledError)
            held, producing = self.body()
            held.fail(UpstreamTimeout("request"))
            self.failureResultOf(producing, UpstreamTimeout)
        self.begin()

    def test_broken_bodies(self) -> None:
        """An upstream that breaks off every answer is found out, though its heads are good."""
        for _ in range(3):
            held, producing = self.body()
            held.fail(UpstreamReset())
            self.failureResultOf(producing, UpstreamReset)
        self.assertRaises(BreakerOpen, self.begin)

    def test_whole_answer(self) -> None:
        """A whole answer forgets the failures before it."""
        for _ in range(4):
            self.fails(UpstreamReset())
            self.fails(UpstreamReset())
            held, producing = self.body()
            held.end()
            self.successResultOf(producing)
        self.begin()

    def test_probe(self) -> None:
        """After the cooldown one request is let through; its head closes the circuit."""
        self.open()
        self.clock.advance(29.5)
        error = self.assertRaises(BreakerOpen, self.begin)
        self.assertEqual(error.fields, ((b"Retry-After", b"1"),))
        self.clock.advance(0.5)
        probe = self.begin()
        self.assertRaises(BreakerOpen, self.begin)
        self.inner.answer(a_response(200, HeldBody()))
        self.successResultOf(probe)
        self.begin()
        self.assertEqual(self.breaker.states(), [])

    def test_probe_fails(self) -> None:
        """A failed probe means another cooldown."""
        self.open()
        self.clock.advance(30)
        self.fails(UpstreamReset())
        self.clock.advance(29)
        self.assertRaises(BreakerOpen, self.begin)
        self.clock.advance(1)
        self.begin()

    def test_probe_left(self) -> None:
        """A probe whose client left, or that another layer refused, makes room for the next."""
        self.open()
        self.clock.advance(30)
        probe = self.begin()
        probe.cancel()
        self.inner.pending.clear()
        self.failureResultOf(probe, CancelledError)
        self.fails(RequestBodyTimeout())
        self.begin()

    def test_late_failures(self) -> None:
        """Requests that began before the opening do not keep it open."""
        late = [self.begin() for _ in range(3)]
        pending, self.inner.pending = self.inner.pending, []
        self.open()
        self.clock.advance(20)
        for responding, waiting in zip(late, pending, strict=True):
            waiting.errback(UpstreamReset())
            self.failureResultOf(responding, UpstreamReset)
        self.clock.advance(10)
        self.begin()

    def test_tenants(self) -> None:
        """One tenant's broken key stops nobody else."""
        self.open()
        self.begin(OTHER)
        self.assertEqual(len(self.inner.pending), 1)

    def test_bounded(self) -> None:
        """However many tenants there are, no more circuits are kept than is said."""
        self.breaker = Breaker(self.clock, most_keys=3)
        for number in range(10):
            self.begin(Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, id=f"p-{number}")))
        self.assertEqual(len(self.breaker._keys), 3)
