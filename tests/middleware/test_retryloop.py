"""The attempts at a request: what is tried again, where, when, and what is left of each."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, BalanceSettings, RetrySettings
from llmproxy.bodies import BytesBody
from llmproxy.composition import chain
from llmproxy.core.clientcredentials import ClientCredentialMissing
from llmproxy.core.routing import RoutingTable
from llmproxy.core.upstreamstate import UpstreamStates
from llmproxy.errors import (
    ApiKeyMissing,
    BreakerOpen,
    ModelNotServed,
    ParamNotAllowed,
    ProxyError,
    Unavailable,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from llmproxy.message import Api, ApiRequest, ApiResponse, Field, Principal
from llmproxy.middleware.allowing import Allowing
from llmproxy.middleware.attempts import Attempts
from llmproxy.middleware.breaker import Breaker
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.credential import Credential
from llmproxy.middleware.deadline import Deadlines
from llmproxy.middleware.restrict import Restrict
from llmproxy.middleware.retryloop import Judge
from llmproxy.net.timers import TimerWheel
from llmproxy.origin import CredentialPlace, OwnKey, Timeouts, Upstream
from llmproxy.usagelimits import UNLIMITED, UsageLimits
from tests.tables import row

from .fakes import PRINCIPAL, SECRET, HeldBody, Inner, Reader, a_request, a_response, an_api, an_upstream


def refused() -> UpstreamUnreachable:
    """A new one each time: an exception keeps the frames that it went through."""
    return UpstreamUnreachable(cause="refused")


NO_KEY = CredentialPlace("none", b"", b"")


def places(*names: str, **changes: Any) -> tuple[Upstream, ...]:
    """Upstreams with a key of their own, in priorities of their order."""
    return tuple(
        an_upstream(name=name, path_prefix=f"/{name}".encode(), own_key=OwnKey(f"key-{name}", None), priority=at + 1)
        for at, name in enumerate(names)
    )


class LoopTestCase(SynchronousTestCase):
    """A chain from the attempts to the innermost responder, which the test answers for."""

    draw = 0.5

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.use(places("a", "b"), RetrySettings(3))

    def use(
        self,
        upstreams: tuple[Upstream, ...],
        retry: RetrySettings | None = None,
        *others: Api,
        judge: Judge | None = None,
        balance: BalanceSettings | None = None,
        fallback: tuple[str, ...] = (),
        **changes: Any,
    ) -> None:
        settings = ApiSettings(retry=retry, balance=balance or BalanceSettings(), fallback=fallback)
        self.api = an_api("own", upstreams=upstreams, settings=settings, **changes)
        self.breaker = Breaker(self.clock)
        self.wheel = TimerWheel(self.clock)
        table = RoutingTable([self.api, *others], "own")
        self.states = UpstreamStates(table.apis)
        self.inner = Inner()
        attempts = Attempts(self.wheel, self.states, self.breaker, table=table, judge=judge, draw=lambda: self.draw)
        self.attempts = attempts
        self.respond = chain(self.inner, attempts, Credential(), self.breaker, Deadlines(self.wheel))

    def ask(
        self,
        *fields: Field,
        method: bytes = b"POST",
        body: Any = None,
        principal: Principal = PRINCIPAL,
        model: str = "",
    ) -> Deferred[ApiResponse]:
        sent = [(b"Authorization", b"Bearer " + SECRET), (b"Idempotency-Key", b"i-1"), *fields]
        self.request = a_request(method, b"/v1/x?a=1", sent, body, api=self.api)
        self.request.principal, self.request.model = principal, model
        self.record = self.request.record
        return self.respond(self.request)

    def now_at(self) -> tuple[str, str]:
        """Where the present attempt is, and with which key."""
        return self.request.upstream.name, self.request.key

    def answer(self, status: int = 200, *fields: Field, body: Any = None) -> ApiResponse:
        response = a_response(status, body, list(fields))
        self.inner.answer(response)
        return response

    def in_flight(self) -> list[int]:
        return [state.in_flight for _, _, state in self.states.all()]

    def turn(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def detail(self, name: str) -> Any:
        return (self.record.details or {}).get(name)


class FailoverTests(LoopTestCase):
    def test_statuses(self) -> None:
        """Each status that is configured goes to the next upstream; any other goes on as it is."""
        for status, again in (
            (429, True),
            (500, True),
            (503, True),
            (529, True),
            (400, False),
            (404, False),
            (501, False),
        ):
            with row(status):
                self.setUp()
                asking = self.ask()
                self.assertEqual(self.now_at(), ("a", "key-a"))
                self.answer(status)
                if again:
                    self.assertEqual(self.now_at(), ("b", "key-b"))
                    self.answer(200)
                self.assertEqual(self.successResultOf(asking).status, 200 if again else status)
                self.assertEqual((self.in_flight(), self.record.upstream), ([0, 0], "b" if again else "a"))

    def test_errors(self) -> None:
        """What was not sent goes to the next upstream, whatever the method; what may have been acted on does not."""
        for error, method, again in (
            (refused(), b"POST", True),
            (UpstreamTimeout("connect"), b"POST", True),
            (UpstreamTlsError(cause="certificate"), b"POST", True),
            (UpstreamReset(progress="unsent"), b"POST", True),
            (UpstreamReset(), b"POST", False),
            (UpstreamReset(), b"GET", True),
            (UpstreamReset(progress="answered"), b"GET", False),
            (UpstreamTimeout("response_header"), b"POST", False),
        ):
            with row(error, method):
                self.setUp()
                asking = self.ask(method=method)
                self.inner.fail(error)
                self.assertEqual(len(self.inner.requests), 2 if again else 1)
                if again:
                    self.answer(200)
                    self.successResultOf(asking)
                else:
                    self.failureResultOf(asking, type(error))
                self.assertEqual(self.in_flight(), [0, 0])

    def test_each_begins_anew(self) -> None:
        """An attempt has the target, the fields and the content that came, and one credential: that of its place."""
        asking = self.ask((b"X-Team", b"t"), body=BytesBody(b"content"))
        seen = []
        for status in (500, 200):
            request = self.request
            seen.append(([*request.fields], request.target, request.body.take()))  # type: ignore[union-attr]
            self.answer(status)
        self.successResultOf(asking)
        for (fields, target, content), key in zip(seen, (b"key-a", b"key-b"), strict=True):
            with row(key):
                self.assertEqual((target, content), (b"/v1/x?a=1", b"content"))
                expected = [(b"Authorization", b"Bearer " + key), (b"Idempotency-Key", b"i-1"), (b"X-Team", b"t")]
                self.assertEqual(fields, expected)

    def test_told(self) -> None:
        """The record has each attempt, in its order, and nothing where there was one."""
        asking = self.ask()
        self.turn(0.1)
        self.answer(500)
        self.inner.fail(refused())
        self.turn(0.4)
        self.answer(200)
        self.successResultOf(asking)
        self.assertEqual(
            [(each["upstream"], each.get("status"), each.get("cause")) for each in self.detail("tried")],
            [("a", 500, None), ("b", None, "refused"), ("a", 200, None)],
        )
        self.assertAlmostEqual(self.detail("tried")[0]["took"], 100.0, delta=1.0)
        asking = self.ask()
        self.answer(200)
        self.assertIsNone(self.record.details)

    def test_attempts(self) -> None:
        """So many at most, the first included; then the last answer goes on, and says that it is the last."""
        self.use(places("a", "b", "c"), RetrySettings(2))
        asking = self.ask()
        self.answer(503)
        last = self.answer(502)
        self.assertIs(self.successResultOf(asking), last)
        self.assertEqual((len(self.inner.requests), self.detail("not_retried")), (2, "attempts"))

    def test_last_error(self) -> None:
        """Where nobody answers, the last error goes on."""
        self.use(places("a", "b"), RetrySettings(2))
        asking = self.ask()
        self.inner.fail(refused())
        self.inner.fail(UpstreamTimeout("connect"))
        self.failureResultOf(asking, UpstreamTimeout)
        self.assertEqual(self.in_flight(), [0, 0])

    def test_without_retry(self) -> None:
        """Where nothing is configured to be tried again nothing is, whatever there is besides."""
        self.use(places("a", "b"))
        for outcome in (500, refused()):
            with row(outcome):
                asking = self.ask()
                if isinstance(outcome, int):
                    self.answer(outcome)
                    self.assertEqual(self.successResultOf(asking).status, outcome)
                else:
                    self.inner.fail(outcome)
                    self.failureResultOf(asking, UpstreamUnreachable)
                self.assertEqual(self.in_flight(), [0, 0])

    def test_own_faults(self) -> None:
        """A fault of ours is tried nowhere else."""
        asking = self.ask()
        self.inner.fail(ZeroDivisionError())
        self.failureResultOf(asking, ZeroDivisionError)
        self.assertEqual((len(self.inner.requests), self.in_flight()), (1, [0, 0]))

    def test_breaker_sees_each(self) -> None:
        """Each attempt is one of the breaker's: an upstream that takes no connection is left out after five."""
        for _ in range(5):
            asking = self.ask()
            self.inner.fail(refused())
            self.answer(200)
            self.successResultOf(asking)
        self.assertEqual([(each.state, each.failures) for each in self.breaker.states()], [("open", 5)])
        asking = self.ask()
        self.assertEqual(self.now_at(), ("b", "key-b"))
        self.answer(200)
        self.assertEqual(self.successResultOf(asking).status, 200)

    def test_ejected(self) -> None:
        """One that answers 500 five times in a row is asked last, until it has rested; it is no open circuit."""
        for _ in range(5):
            asking = self.ask()
            self.answer(500)
            self.answer(200)
        self.ask()
        self.assertEqual(self.now_at()[0], "b")
        self.answer(200)
        self.clock.advance(30.0)
        self.ask()
        self.assertEqual(self.now_at()[0], "a")
        self.answer(200)
        self.assertNoResult(Deferred())
        self.successResultOf(asking)

    def test_all_open(self) -> None:
        """Where every circuit is open the caller has the breaker's word; no attempt is counted."""
        for _ in range(20):
            asking = self.ask()
            while self.inner.pending:
                self.inner.fail(refused())
                self.turn(2.0)
            self.failureResultOf(asking, ProxyError)
        asked = len(self.inner.requests)
        error = self.failureResultOf(self.ask(), BreakerOpen).value
        self.assertEqual((error.status, len(self.inner.requests), self.in_flight()), (503, asked, [0, 0]))


class WaitTests(LoopTestCase):
    """One upstream: the same one again, after a while."""

    def setUp(self) -> None:
        super().setUp()
        self.use(places("a"), RetrySettings(2), timeouts=Timeouts())

    def test_jitter(self) -> None:
        """It is not asked again at once; what it answered is dropped before the wait."""
        body = HeldBody()
        asking = self.ask()
        self.answer(503, body=body)
        self.assertEqual((len(self.inner.requests), body.calls, self.in_flight()), (1, ["stopped"], [0]))
        self.turn(0.4)
        self.assertEqual(len(self.inner.requests), 2)
        self.answer(200)
        self.successResultOf(asking)
        self.assertEqual(self.wheel.standing, 0)

    def test_retry_after(self) -> None:
        """It is not asked sooner than it says."""
        for field in ((b"Retry-After", b"3"), (b"retry-after-ms", b"3000")):
            with row(field):
                self.setUp()
                asking = self.ask()
                self.answer(429, field)
                self.turn(2.9)
                self.assertEqual(len(self.inner.requests), 1)
                self.turn(0.4)
                self.assertEqual(len(self.inner.requests), 2)
                self.answer(200)
                self.successResultOf(asking)

    def test_too_long(self) -> None:
        """Where the wait is longer than anybody waits, its answer goes on as it is, untouched."""
        for said, fields, settings in (
            (b"11", (), {}),
            (b"3", ((b"x-stainless-read-timeout", b"2.5"),), {}),
            (b"3", ((b"x-stainless-timeout", b"3"),), {}),
            (b"3", (), {"timeouts": Timeouts(request=2.0)}),
        ):
            with row(said, fields, settings):
                self.use(places("a"), RetrySettings(2), **{"timeouts": Timeouts(), **settings})
                body = HeldBody()
                asking = self.ask(*fields)
                answer = self.answer(429, (b"Retry-After", said), body=body)
                self.assertIs(self.successResultOf(asking), answer)
                self.assertEqual((self.detail("not_retried"), body.calls), ("wait", []))

    def test_says_no(self) -> None:
        """An upstream that says that it is of no use is not asked again."""
        asking = self.ask()
        self.answer(429, (b"x-should-retry", b"false"))
        self.assertEqual(self.successResultOf(asking).status, 429)
        self.assertEqual(self.detail("not_retried"), "nowhere")

    def test_sdk(self) -> None:
        """What the SDK has sent before counts: a proxy that tries twice behind one that does makes no four of it."""
        asking = self.ask((b"x-stainless-retry-count", b"1"))
        self.answer(503)
        self.assertEqual(self.successResultOf(asking).status, 503)
        self.assertEqual(self.detail("not_retried"), "client_retries")

    def test_budget(self) -> None:
        """Of many requests that fail, a share is made again, and not all of them."""
        self.use(places("a"), RetrySettings(2, budget=0.1))
        for _ in range(100):
            asking = self.ask()
            self.answer(503)
            self.clock.advance(0.001)
            if not asking.called:
                self.draw = 0.0
            self.turn(0.35) if not asking.called else None
            if self.inner.pending:
                self.answer(503)
            self.assertEqual(self.successResultOf(asking).status, 503)
        self.assertLessEqual(len(self.inner.requests), 200)

    def test_whole_exchange(self) -> None:
        """The API's limit of a whole exchange counts from the first attempt."""
        self.use(places("a", "b"), RetrySettings(2), timeouts=Timeouts(request=10.0))
        asking = self.ask()
        self.turn(6.0)
        self.answer(503)
        self.assertNoResult(asking)
        self.turn(3.9)
        self.assertNoResult(asking)
        self.turn(0.4)
        self.failureResultOf(asking, UpstreamTimeout)


class BodyTests(LoopTestCase):
    def test_streamed(self) -> None:
        """What has passed of a body is kept, up to the bound; it is freed with the answer."""
        body = HeldBody()
        asking = self.ask(body=body)
        first = self.upload()
        body.write(b"abc")
        self.answer(500)
        second = self.upload()
        body.write(b"def")
        body.end()
        self.answer(200)
        self.successResultOf(asking)
        self.assertEqual((first.data, second.data), (b"abc", b"abcdef"))
        self.assertEqual(self.attempts.kept, 0)

    def upload(self) -> Reader:
        reader = Reader()
        assert self.request.body is not None
        self.request.body.startProducing(reader)
        return reader

    def test_too_large(self) -> None:
        """One that is larger is sent once, the record says why; before a byte of it has gone it can go elsewhere."""
        for make in (lambda: BytesBody(b"x" * 11), lambda: HeldBody(), lambda: HeldBody(11)):
            with row(make()):
                self.use(places("a", "b"), RetrySettings(3, replay=10))
                body = make()
                asking = self.ask(body=body)
                self.inner.fail(refused())
                self.assertEqual(self.now_at()[0], "b")
                self.upload()
                if isinstance(body, HeldBody):
                    body.write(b"x" * 11)
                self.answer(500)
                self.assertEqual(self.successResultOf(asking).status, 500)
                self.assertEqual((self.detail("not_retried"), self.attempts.kept), ("body", 0))

    def test_nothing_is_wrapped(self) -> None:
        """Without retries a body passes as it is."""
        self.use(places("a", "b"))
        body = HeldBody()
        self.ask(body=body)
        self.upload()
        self.assertIsInstance(body.consumer, object)
        self.assertEqual(self.attempts.kept, 0)

    def test_interim(self) -> None:
        """When a byte has reached the client, and be it of an interim response, nothing is tried again."""
        passed: list[int] = []
        settings = {"fields": [(b"Authorization", b"Bearer " + SECRET)], "api": self.api}
        request = a_request(b"POST", b"/v1/x", **settings)  # type: ignore[arg-type]
        request.principal, request.on_interim = PRINCIPAL, lambda status, reason, fields: passed.append(status)
        asking = self.respond(request)
        assert request.on_interim is not None
        request.on_interim(103, b"Early Hints", [])
        self.inner.answer(a_response(503))
        self.assertEqual((self.successResultOf(asking).status, passed), (503, [103]))
        assert request.record.details is not None
        self.assertEqual(request.record.details["not_retried"], "answered")

    def test_in_the_body(self) -> None:
        """An answer that breaks in its body is not tried again, and says something of its upstream."""
        body = HeldBody()
        asking = self.ask()
        self.answer(200, body=body)
        response = self.successResultOf(asking)
        assert response.body is not None
        done = response.body.startProducing(Reader())
        self.assertEqual(self.in_flight(), [1, 0])
        body.fail(UpstreamReset(progress="answered"))
        self.failureResultOf(done, UpstreamReset)
        self.assertEqual((self.in_flight(), len(self.inner.requests)), ([0, 0], 1))
        self.assertEqual(self.states.of(self.api.upstreams[0]).failures, 1)


class LeavingTests(LoopTestCase):
    """A client that leaves leaves nothing behind, wherever the request is."""

    def test_in_attempts(self) -> None:
        """In the first attempt, and in a later one."""
        for failures in (0, 1):
            with row(failures):
                self.setUp()
                body = HeldBody()
                asking = self.ask(body=body)
                for _ in range(failures):
                    self.answer(500)
                asking.cancel()
                self.failureResultOf(asking, CancelledError)
                self.assertEqual(self.inner.cancelled, 1)
                tried = self.detail("tried") or []
                self.assertEqual([each.get("cause") for each in tried], [None, "cancelled"] if failures else [])
                self.left()

    def test_in_the_wait(self) -> None:
        """Before the same upstream is asked again."""
        self.use(places("a"), RetrySettings(3))
        asking = self.ask()
        self.answer(503)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.turn(20.0)
        self.assertEqual(len(self.inner.requests), 1)
        self.left()

    def test_cancelling_fails(self) -> None:
        """What fails because it is cancelled is not tried again."""
        self.inner.on_cancel = refused()
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(len(self.inner.requests), 1)
        self.left()

    def test_answer_not_read(self) -> None:
        """An answer that nobody starts to read, and one that is left in the middle."""
        for started in (False, True):
            with row(started):
                self.setUp()
                body = HeldBody()
                asking = self.ask()
                self.answer(200, body=body)
                answer = self.successResultOf(asking).body
                assert answer is not None
                if started:
                    answer.startProducing(Reader())
                answer.stopProducing()
                self.assertEqual(body.calls, ["stopped"])
                self.left()

    def left(self) -> None:
        self.assertEqual(set(self.in_flight()), {0})
        self.assertEqual((self.wheel.standing, self.attempts.kept), (0, 0))


class KeyTests(LoopTestCase):
    """Several keys of a project."""

    def setUp(self) -> None:
        super().setUp()
        self.use((an_upstream(name="a"), an_upstream(name="b", path_prefix=b"/b", priority=2)), RetrySettings(3))
        self.principal = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys={"own": ("k1", "k2")}))

    def get(self) -> Deferred[ApiResponse]:
        return self.ask(principal=self.principal)

    def test_limited(self) -> None:
        """One that is above its limit is set aside for as long as the answer says, and the next one is asked with."""
        asking = self.get()
        self.answer(429, (b"Retry-After", b"7"))
        self.assertEqual(self.now_at(), ("a", "k2"))
        self.answer(200)
        self.successResultOf(asking)
        for seconds, key in ((0.0, "k2"), (6.9, "k2"), (0.2, "k1")):
            self.clock.advance(seconds)
            asking = self.get()
            with row(seconds):
                self.assertEqual(self.now_at(), ("a", key))
            self.answer(200)
            self.successResultOf(asking)

    def test_keyless(self) -> None:
        """An upstream without keys that is above its limit is not asked again at once, and rests for all."""
        a, b = (an_upstream(name=name, credential=NO_KEY, path_prefix=name.encode()) for name in "ab")
        self.use((a, evolve(b, priority=2)), RetrySettings(3))
        asking = self.ask()
        self.answer(429)
        self.assertEqual(self.now_at(), ("b", ""))
        self.answer(429)
        self.assertEqual(self.inner.pending, [])
        self.turn(1.0)
        self.assertEqual(len(self.inner.requests), 3)
        self.answer(200)
        self.successResultOf(asking)
        self.clock.advance(5.0)
        now = self.clock.seconds()
        self.assertEqual([state.keys.rests("", now) for _, _, state in self.states.all()], [True, True])

    def test_all_limited(self) -> None:
        """When all are, the next upstream is asked, for this project and for no other."""
        asking = self.get()
        self.answer(429)
        self.answer(429)
        self.assertEqual(self.now_at(), ("b", "k1"))
        self.answer(200)
        self.successResultOf(asking)
        self.get()
        self.assertEqual(self.now_at()[0], "b")
        self.answer(200)
        other = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, id="p-2", api_keys={"own": ("k3",)}))
        self.ask(principal=other)
        self.assertEqual(self.now_at(), ("a", "k3"))

    def test_invalid(self) -> None:
        """A key that is not accepted is set aside; its answer goes on, where that is no status to try again."""
        asking = self.get()
        self.answer(401)
        self.assertEqual(self.successResultOf(asking).status, 401)
        self.get()
        self.assertEqual(self.now_at(), ("a", "k2"))

    def test_without_retry(self) -> None:
        """Of one upstream without retries too, and for an API with several keys only."""
        self.use((an_upstream(name="a"),))
        self.get()
        self.answer(429)
        self.get()
        self.assertEqual(self.now_at(), ("a", "k2"))

    def test_named(self) -> None:
        """An upstream whose keys projects hold by another name is asked with those, and left out without them."""
        self.use((an_upstream(name="a"), an_upstream(name="b", path_prefix=b"/b", project_key="azure")))
        keys = {"own": ("k1",), "azure": ("z1",)}
        for draw, given, expected in (
            (0.9, keys, ("b", "z1")),
            (0.0, keys, ("a", "k1")),
            (0.9, {"own": ("k1",)}, ("a", "k1")),
            (0.0, {"azure": ("z1",)}, ("b", "z1")),
        ):
            with row(draw, given):
                self.draw = draw
                self.ask(principal=Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys=given)))
                self.assertEqual(self.now_at(), expected)
        self.failureResultOf(
            self.ask(principal=Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys={"x": ("k",)}))),
            ApiKeyMissing,
        )


class FallbackTests(LoopTestCase):
    """Another API that is asked where this one cannot be."""

    def fall_back(self, judge: Judge | None = None, **changes: Any) -> None:
        other = an_api(
            "other",
            upstreams=(an_upstream(name="other", path_prefix=b"/other", own_key=OwnKey("key-other", None), **changes),),
        )
        self.use(places("a"), RetrySettings(2), other, judge=judge, fallback=("other",))

    def test_asked(self) -> None:
        """It is asked with its key, at its place, and the record says so; nothing of it stays for the next request."""
        self.fall_back()
        asking = self.ask()
        self.answer(503)
        self.assertEqual(self.now_at(), ("other", "key-other"))
        self.assertEqual((self.request.route.api.name, self.request.target), ("other", b"/v1/x?a=1"))
        self.answer(200)
        self.successResultOf(asking)
        self.assertEqual((self.record.upstream, self.detail("tried")[1]["upstream"]), ("other", "other"))
        self.ask()
        self.assertEqual(self.request.route.api.name, "own")

    def test_judged(self) -> None:
        """What the caller may not ask there is not asked: the answer that is in hand goes on, whole."""

        def judge(request: ApiRequest, inner: Any) -> Deferred[ApiResponse]:
            raise ParamNotAllowed("model")

        self.fall_back(judge)
        body = HeldBody()
        asking = self.ask()
        answer = self.answer(503, (b"x-should-retry", b"false"), body=body)
        self.assertIs(self.successResultOf(asking), answer)
        self.assertEqual((len(self.inner.requests), body.calls), (1, []))
        self.assertEqual(self.detail("not_asked"), {"other": "param_not_allowed"})
        self.assertEqual((self.request.route.api.name, self.record.upstream), ("own", "a"))
        # Where the same one may be asked again, it is.
        asking = self.ask()
        self.answer(503)
        self.turn(1.0)
        self.assertEqual((len(self.inner.requests), self.now_at()[0]), (3, "a"))
        self.answer(200)
        self.successResultOf(asking)

    def test_judged_at_first(self) -> None:
        """Nor is it where it would be the first one that is asked: the caller has the breaker's word."""

        def judge(request: ApiRequest, inner: Any) -> Deferred[ApiResponse]:
            raise ParamNotAllowed("model")

        self.fall_back(judge)
        for _ in range(8):
            asking = self.ask()
            while self.inner.pending:
                self.inner.fail(refused())
                self.turn(1.0)
            self.failureResultOf(asking, ProxyError)
        self.failureResultOf(self.ask(), BreakerOpen)

    def test_no_key(self) -> None:
        """Nor is one that the project has no key for."""
        other = an_api("other", upstreams=(an_upstream(name="other"),))
        self.use(places("a"), RetrySettings(2), other, fallback=("other",))
        self.ask()
        self.answer(503)
        self.turn(1.0)
        self.assertEqual((len(self.inner.requests), self.now_at()[0]), (2, "a"))

    def test_lists_of_callers(self) -> None:
        """An API that is not on the list of the caller's token is not asked in place of another one."""
        restrict = Restrict(Inspection(self.clock, TimerWheel(self.clock)), "", Allowing(UNLIMITED))
        for apis, asked in ((("own",), 1), (("own", "other"), 2)):
            with row(apis):
                self.fall_back(restrict.respond)
                token = evolve(PRINCIPAL.token, limits=UsageLimits(apis=apis))
                asking = self.ask(principal=Principal(token, PRINCIPAL.project))
                answer = self.answer(503, (b"x-should-retry", b"false"))
                self.assertEqual(len(self.inner.requests), asked)
                if asked == 1:
                    self.assertIs(self.successResultOf(asking), answer)

    def test_credentials(self) -> None:
        """What a client has put where this API takes its key does not go to the other one."""
        own = an_upstream(
            name="a",
            own_key=OwnKey("key-a", None),
            credential=CredentialPlace("header", b"X-Mine", b""),
            path_prefix=b"/a",
        )
        other = an_api("other", upstreams=places("other"))
        self.use((own,), RetrySettings(2), other, fallback=("other",))
        self.ask((b"X-Mine", SECRET))
        self.answer(503)
        self.assertEqual(self.request.fields, [(b"Idempotency-Key", b"i-1"), (b"Authorization", b"Bearer key-other")])

    def test_open(self) -> None:
        """It is asked first while all circuits of this API are open."""
        self.fall_back()
        for _ in range(5):
            self.ask()
            self.inner.fail(refused())
            self.answer(200)
        self.ask()
        self.assertEqual(self.now_at()[0], "other")

    def test_left(self) -> None:
        """A client that leaves while it is judged leaves no answer behind."""
        judging: Deferred[ApiResponse] = Deferred()
        self.fall_back(lambda request, inner: judging)
        body = HeldBody()
        asking = self.ask()
        self.answer(503, body=body)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual((body.calls, self.in_flight()), (["stopped"], [0, 0]))


class NowhereTests(LoopTestCase):
    def test_model(self) -> None:
        """An upstream gets requests for the models that it serves, and for those that are not known."""
        a, b = places("a", "b")
        self.use((evolve(a, serves=("gpt-4o*",)), evolve(b, serves=("gpt-5",))), RetrySettings(3))
        for model, expected in (("gpt-4o-mini", "a"), ("gpt-5", "b"), ("", "a")):
            with row(model):
                self.ask(model=model)
                self.assertEqual(self.now_at()[0], expected)
        error = self.failureResultOf(self.ask(model="o3"), ModelNotServed).value
        self.assertIn("'o3'", str(error))

    def test_in_the_body(self) -> None:
        """The model is looked for where that decides: in a body on its way too, which goes on whole."""
        a, b = places("a", "b")
        for retry in (None, RetrySettings(2)):
            with row(retry):
                self.use((evolve(a, serves=("x",)), evolve(b, serves=("gpt-5",))), retry)
                body = HeldBody()
                asking = self.ask((b"Content-Type", b"application/json"), body=body)
                self.assertEqual(self.inner.requests, [])
                body.write(b'{"model": "gpt-5", ')
                self.assertEqual(self.now_at()[0], "b")
                reader = Reader()
                assert self.request.body is not None
                self.request.body.startProducing(reader)
                body.write(b'"n": 1}')
                body.end()
                self.answer(200)
                self.successResultOf(asking)
                self.assertEqual((reader.data, self.attempts.kept), (b'{"model": "gpt-5", "n": 1}', 0))

    def test_drained(self) -> None:
        """One that an operator has drained is not asked, whatever becomes of that."""
        a, b = (self.states.of(upstream) for upstream in self.api.upstreams)
        a.drain()
        self.ask()
        self.assertEqual(self.now_at()[0], "b")
        self.answer(200)
        b.drain()
        self.failureResultOf(self.ask(), Unavailable)

    def test_no_key(self) -> None:
        """Nobody is asked without a key."""
        self.use((an_upstream(name="a"), an_upstream(name="b")))
        self.failureResultOf(self.ask(), ApiKeyMissing)


class HedgeTests(LoopTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.use(places("a", "b"), RetrySettings(2, hedge=0.9))
        for _ in range(20):
            self.states.of(self.api.upstreams[0]).answered(0.5, self.clock.seconds())

    def hedged(self, body: Any = None) -> tuple[Deferred[ApiResponse], ApiRequest, ApiRequest]:
        asking = self.ask(body=body)
        self.turn(0.9)
        first, second = self.inner.requests
        return asking, first, second

    def test_second(self) -> None:
        """The second attempt is a whole one; its answer goes on, and nothing of the first is left."""
        asking, first, second = self.hedged(BytesBody(b"content"))
        self.assertEqual([each.upstream.name for each in (first, second)], ["a", "b"])
        assert second.body is not None
        self.assertEqual((second.key, second.body.take()), ("key-b", b"content"))  # type: ignore[attr-defined]
        self.assertEqual(self.in_flight(), [1, 1])
        self.inner.pending[1].callback(a_response(200))
        self.assertEqual(self.successResultOf(asking).status, 200)
        self.assertEqual((self.inner.cancelled, self.in_flight(), self.record.upstream), (1, [0, 0], "b"))
        self.assertEqual([each.get("cause") for each in self.detail("tried")], ["cancelled", None])

    def test_first(self) -> None:
        """So it is the other way round."""
        asking, _, _ = self.hedged()
        self.answer(200)
        self.assertEqual(self.successResultOf(asking).status, 200)
        self.assertEqual((self.inner.cancelled, self.in_flight(), self.record.upstream), (1, [0, 0], "a"))

    def test_both_fail(self) -> None:
        """What is no good waits for the other one; then that is the answer."""
        asking, _, _ = self.hedged()
        body = HeldBody()
        self.answer(503, body=body)
        self.assertEqual((body.calls, self.in_flight()), (["stopped"], [0, 1]))
        self.answer(500)
        self.assertEqual(self.successResultOf(asking).status, 500)
        self.assertEqual((self.in_flight(), self.detail("not_retried")), ([0, 0], "attempts"))

    def test_not(self) -> None:
        """There is none before enough is known, for a body on its way, without another upstream, or in time."""
        for reason in ("body", "samples", "one", "in time"):
            with row(reason):
                self.setUp()
                if reason == "samples":
                    self.use(places("a", "b"), RetrySettings(2, hedge=0.9))
                if reason == "one":
                    self.states.of(self.api.upstreams[1]).drain()
                asking = self.ask(body=HeldBody() if reason == "body" else None)
                self.turn(0.4 if reason == "in time" else 5.0)
                self.answer(200)
                self.turn(5.0)
                self.assertEqual((len(self.inner.requests), self.in_flight()), (1, [0, 0]))
                self.successResultOf(asking)

    def test_left(self) -> None:
        """A client that leaves ends both."""
        asking, _, _ = self.hedged()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual((self.inner.cancelled, self.in_flight(), self.wheel.standing), (2, [0, 0], 0))


class PanicTests(LoopTestCase):
    def test_forced(self) -> None:
        """Where too few are well, those whose circuits are open are asked too."""
        same = tuple(evolve(each, priority=1) for each in places("a", "b", "c"))
        self.use(same, None, balance=BalanceSettings(panic_threshold=0.5))
        self.draw = 0.0
        for _ in range(5):
            asking = self.ask()
            self.inner.fail(refused())
            self.failureResultOf(asking, UpstreamUnreachable)
        self.ask()
        self.assertEqual(self.now_at()[0], "b")
        for _ in range(5):
            asking = self.ask()
            self.inner.pending[-1].errback(Failure(refused()))
            self.failureResultOf(asking, UpstreamUnreachable)
        self.ask()
        self.assertEqual((self.now_at()[0], self.request.forced), ("a", True))


class ClientCredentialTests(LoopTestCase):
    """A credential of the client's goes to the upstream that it is for, and nowhere else."""

    THEIRS: Field = (b"x-api-key", b"sk-ant-oat01-canary-canary")
    PLACE = CredentialPlace("header", b"x-api-key", b"")

    def mix(self, retry: RetrySettings, *others: Api, client_first: bool = True, **changes: Any) -> None:
        client = an_upstream(
            name="client", path_prefix=b"/client", key_source="client", credential=self.PLACE, own_key=OwnKey("k", None)
        )
        (keyed,) = places("keyed")
        keyed, client = (
            evolve(keyed, priority=2 if client_first else 1),
            evolve(client, priority=1 + (not client_first)),
        )
        self.use((client, keyed), retry, *others, **changes)

    def sent_to(self) -> list[tuple[str, list[bytes]]]:
        """Each attempt with what its fields hold of credentials; fields are those that went out last for each."""
        return [
            (each.upstream.name, [value for name, value in each.fields if name.lower() in _CREDENTIALS])
            for each in self.inner.requests
        ]

    def test_there(self) -> None:
        """It goes to its upstream as it came; our token does not."""
        self.mix(RetrySettings(2))
        asking = self.ask(self.THEIRS)
        self.assertEqual(self.sent_to(), [("client", [self.THEIRS[1]])])
        self.answer(200)
        self.successResultOf(asking)
        self.assertEqual(self.record.provider, "client")

    def test_not_to_another(self) -> None:
        """Another upstream gets its own key; coming back, the client's again, and not that key."""
        self.mix(RetrySettings(3))
        self.ask(self.THEIRS)
        self.answer(503)
        self.assertEqual(self.sent_to()[-1], ("keyed", [b"Bearer key-keyed"]))
        self.answer(503)
        self.turn(10.0)
        self.assertEqual(len(self.inner.requests), 3)
        name, credentials = self.sent_to()[-1]
        self.assertEqual(credentials, [self.THEIRS[1] if name == "client" else b"Bearer key-keyed"])

    def test_key_of_another(self) -> None:
        """Where both have their credential in one place, the key of the first attempt is not taken for the client's."""
        for bring in (False, True):
            with row(bring):
                self.mix(RetrySettings(3), client_first=False)
                client, keyed = self.api.upstreams
                self.use((evolve(client, credential=keyed.credential), keyed), RetrySettings(3))
                theirs = [(b"X-LLMProxy-Token", SECRET), (b"Authorization", b"Bearer theirs")]
                self.ask(*(theirs if bring else ()))
                self.answer(503)
                self.turn(10.0)
                expected = ("client", [b"Bearer theirs"]) if bring else ("keyed", [b"Bearer key-keyed"])
                self.assertEqual(self.sent_to()[-1], expected)
                self.assertEqual(len(self.inner.requests), 2)

    def test_without(self) -> None:
        """Without one its upstream is not asked: another one is, and if there is none that is a 401, no fallback."""
        self.mix(RetrySettings(2))
        self.ask()
        self.assertEqual(self.now_at()[0], "keyed")
        other = an_api("other", upstreams=(an_upstream(name="other", own_key=OwnKey("key-other", None)),))
        self.mix(RetrySettings(2), other, fallback=("other",))
        self.use(self.api.upstreams[:1], RetrySettings(2), other, fallback=("other",))
        self.failureResultOf(self.ask(), ClientCredentialMissing)
        self.assertEqual(self.inner.requests, [])

    def test_fallback(self) -> None:
        """Another API gets nothing of it; one that wants clients' credentials itself is not asked."""
        for source in ("own", "client"):
            with row(source):
                place = an_upstream(
                    name="other", key_source=source, credential=self.PLACE, own_key=OwnKey("key-other", None)
                )
                other = an_api("other", upstreams=(place,))
                self.mix(RetrySettings(2), other)
                self.use(self.api.upstreams[:1], RetrySettings(2), other, fallback=("other",))
                self.ask(self.THEIRS)
                self.answer(503)
                self.turn(10.0)
                expected = ("other", [b"key-other"]) if source == "own" else ("client", [self.THEIRS[1]])
                self.assertEqual(self.sent_to()[-1], expected)
                self.assertEqual(len(self.inner.requests), 2)

    def test_hedge(self) -> None:
        """It is sent for no hedge, nor does a hedge of its request have it."""
        for client_first in (True, False):
            with row(client_first):
                self.mix(RetrySettings(2, hedge=0.9), client_first=client_first)
                for upstream in self.api.upstreams:
                    for _ in range(20):
                        self.states.of(upstream).answered(0.5, self.clock.seconds())
                self.ask(self.THEIRS)
                self.turn(2.0)
                keyed = ("keyed", [b"Bearer key-keyed"])
                client = ("client", [self.THEIRS[1]])
                self.assertEqual(self.sent_to(), [client, keyed] if client_first else [keyed])

    def test_set_aside(self) -> None:
        """A 401 or 429 of one client's credential says nothing of another client's."""
        self.mix(RetrySettings(2))
        self.use(self.api.upstreams[:1])
        for status in (401, 429):
            asking = self.ask(self.THEIRS)
            self.answer(status)
            self.assertEqual(self.successResultOf(asking).status, status, status)
            asking = self.ask((b"x-api-key", b"of another"))
            self.answer(200)
            self.assertEqual(self.successResultOf(asking).status, 200, status)


_CREDENTIALS = {b"authorization", b"x-api-key", b"x-llmproxy-token"}
