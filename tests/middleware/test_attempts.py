"""Tests for L{llmproxy.middleware.attempts}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.composition import chain
from llmproxy.core.attempts import may_repeat
from llmproxy.core.budget import Budget
from llmproxy.core.credentials import keys_for
from llmproxy.errors import ApiKeyMissing, UpstreamError, UpstreamReset, UpstreamTimeout
from llmproxy.interfaces import Responder
from llmproxy.message import Api, ApiRequest, ApiResponse, Principal
from llmproxy.middleware.attempts import Attempts
from llmproxy.middleware.breaker import Breaker
from llmproxy.middleware.credential import Credential
from llmproxy.middleware.deadline import Deadlines
from llmproxy.net.timers import TimerWheel
from llmproxy.origin import CredentialPlace, OwnKey, Timeouts
from llmproxy.replay import ReplayableBody

from .fakes import PRINCIPAL, SECRET, HeldBody, Inner, Reader, a_request, a_response, an_api, an_upstream


class KeyTests(SynchronousTestCase):
    def attempted(self, api: Api, **keys: tuple[str, ...]) -> ApiRequest:
        inner = Inner()
        principal = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys=keys))
        fields = [(b"Authorization", b"Bearer " + SECRET), (b"X-API-Key", SECRET)]
        request = a_request(target=b"/v1?key=" + SECRET, fields=fields, api=api)
        request.principal = principal
        Attempts(TimerWheel(Clock()), draw=lambda: 0.0).respond(
            request, lambda request: Credential().respond(request, inner)
        )
        return inner.requests[0]

    def test_of_this_api(self) -> None:
        """Of the keys that a project holds the one for this API is sent, and the first where it has several."""
        keys = {"openai": ("sk-o",), "gemini": ("AIza-1", "AIza-2"), "local": ("sk-l",)}
        for name, expected in (("openai", "sk-o"), ("gemini", "AIza-1"), ("local", "sk-l")):
            request = self.attempted(an_api(name), **keys)
            self.assertEqual(request.key, expected, name)
            self.assertEqual(request.fields, [(b"Authorization", b"Bearer " + expected.encode())], name)

    def test_own(self) -> None:
        """The upstream's own key is for those that have none for the API."""
        api = an_api("gemini", own_key=OwnKey("AIza-own", None))
        self.assertEqual(self.attempted(api, openai=("sk-o",)).key, "AIza-own")
        self.assertEqual(self.attempted(api, gemini=("AIza-1",)).key, "AIza-1")

    def test_missing(self) -> None:
        """Where nobody has asked before whether there is a key, nothing is sent without one either."""
        self.assertRaises(ApiKeyMissing, self.attempted, an_api("gemini"), openai=("sk-o",))

    def test_none(self) -> None:
        """A server without keys is asked with none, whatever the project holds."""
        request = self.attempted(an_api("local", credential=CredentialPlace("none", b"", b"")), local=("sk-l",))
        self.assertEqual((request.key, request.fields, request.target), ("", [], b"/v1"))

    def test_upstream(self) -> None:
        """The request goes to the first upstream; its key is that of this one."""
        one, two = (an_upstream(path_prefix=path, own_key=OwnKey(path.decode(), None)) for path in (b"/one", b"/two"))
        api = an_api("gemini", upstreams=(one, two))
        request = self.attempted(api)
        self.assertIs(request.upstream, one)
        self.assertEqual(request.key, "/one")

    def test_key_is_not_shown(self) -> None:
        """A request that ends up in a traceback does not show which key was chosen for it."""
        request = self.attempted(an_api("local"), local=("sk-canary",))
        request.fields = []
        self.assertNotIn("canary", repr(request))


class Twice:
    """What the loop of retries will be: the second attempt goes to the second upstream."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return Deferred.fromCoroutine(self.tried(request, inner))

    async def tried(self, request: ApiRequest, inner: Responder) -> ApiResponse:
        assert request.body is not None
        body = ReplayableBody(request.body, self.budget)
        target, fields = request.target, request.fields
        try:
            for upstream in request.route.api.upstreams:
                request.upstream, request.key = upstream, keys_for(request.route.api, upstream, PRINCIPAL.project)[0]
                request.target, request.fields, request.body = target, fields, body
                try:
                    return await inner(request)
                except UpstreamError as error:
                    if not may_repeat(error, request.method, can_replay=body.can_replay):
                        raise
        finally:
            body.release()
        raise AssertionError


class SecondAttemptTests(SynchronousTestCase):
    """What stands further in is ready for a second attempt: it leaves nothing of the first one behind."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock)
        self.budget = Budget(None)
        self.inner = Inner()
        wheel = TimerWheel(self.clock)
        self.respond = chain(self.inner, Twice(self.budget), Credential(), self.breaker, Deadlines(wheel))
        places = (CredentialPlace("header", b"X-First", b""), CredentialPlace())
        upstreams = [
            an_upstream(path_prefix=b"/%d" % at, credential=place, own_key=OwnKey(f"key-{at}", None))
            for at, place in enumerate(places)
        ]
        self.api = an_api("own", upstreams=tuple(upstreams), timeouts=Timeouts(request=60.0))
        self.body = HeldBody()

    def ask(self, method: bytes = b"POST") -> Deferred[ApiResponse]:
        fields = [(b"Authorization", b"Bearer " + SECRET), (b"A", b"1")]
        request = a_request(method, b"/v1?a=1", fields, self.body, api=self.api)
        request.principal = PRINCIPAL
        return self.respond(request)

    def read(self) -> tuple[ApiRequest, Reader]:
        request, reader = self.inner.requests[-1], Reader()
        assert request.body is not None
        request.body.startProducing(reader)
        return request, reader

    def test_unsent(self) -> None:
        """The content is whole, the credential the one of this place alone, and the first place has the failure."""
        asking = self.ask()
        first, _ = self.read()
        self.assertEqual(first.fields, [(b"X-First", b"key-0"), (b"A", b"1")])
        self.body.write(b"abc")
        first.body.stopProducing()  # type: ignore[union-attr]
        self.inner.fail(UpstreamTimeout("connect"))
        second, reader = self.read()
        self.assertEqual(second.fields, [(b"Authorization", b"Bearer key-1"), (b"A", b"1")])
        self.body.write(b"def")
        self.body.end()
        self.assertEqual((reader.data, second.target, self.budget.used), (b"abcdef", b"/v1?a=1", 6))
        self.inner.answer(a_response(200))
        self.assertEqual(self.successResultOf(asking).status, 200)
        self.assertEqual([state.failures for state in self.breaker.states()], [1])
        self.assertEqual(self.budget.used, 0)

    def test_sent(self) -> None:
        """What upstream may have acted on is not sent to another one; the client's upload is stopped."""
        asking = self.ask()
        first, _ = self.read()
        self.body.write(b"abc")
        first.body.stopProducing()  # type: ignore[union-attr]
        self.inner.fail(UpstreamReset())
        self.failureResultOf(asking, UpstreamReset)
        self.assertEqual((len(self.inner.requests), self.body.calls[-1], self.budget.used), (1, "stopped", 0))

    def test_left(self) -> None:
        """A client that leaves ends the attempt that is running, and frees what was kept for another one."""
        asking = self.ask()
        self.read()
        self.body.write(b"abc")
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual((self.inner.cancelled, self.budget.used), (1, 0))
