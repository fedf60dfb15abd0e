"""Tests for L{llmproxy.middleware.authenticate}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.errors import (
    AmbiguousCredentials,
    ApiKeyMissing,
    InvalidToken,
    MissingToken,
    ProjectDeactivated,
    ProjectInactive,
    TokenExpired,
    TokenInactive,
    TokenNotFound,
    TokenRevoked,
    Unavailable,
)
from llmproxy.message import ApiResponse, Field, Principal
from llmproxy.middleware.authenticate import Authenticate
from llmproxy.origin import OwnKey
from llmproxy.providers.registry import AUTH

from ..tables import row
from .fakes import (
    PRINCIPAL,
    SECRET,
    FakeDirectory,
    FakeRevocations,
    HeldBody,
    Inner,
    Reader,
    a_request,
    a_response,
    an_api,
)

API = an_api()
BEARER: Field = (b"Authorization", b"Bearer " + SECRET)


class AuthenticateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = FakeDirectory({SECRET: PRINCIPAL})
        self.revocations = FakeRevocations()
        self.inner = Inner()
        self.middleware = Authenticate(self.clock, self.directory, self.revocations)
        self.request = a_request(api=API, fields=[BEARER])

    def begin(self) -> Deferred[ApiResponse]:
        return self.middleware.respond(self.request, self.inner)

    def test_is_known(self) -> None:
        """Only a token that may be used now makes its sender known; nothing is sent on."""
        is_known = self.middleware.is_known
        self.assertTrue(self.successResultOf(is_known(self.request)))
        self.assertFalse(self.successResultOf(is_known(a_request())))
        self.assertFalse(self.successResultOf(is_known(a_request(fields=[(b"Authorization", b"Bearer x")]))))
        self.directory.known.clear()
        for outcome, expected in ((PRINCIPAL, True), (TokenNotFound(), False), (Unavailable(), False)):
            asking = is_known(self.request)
            _, loading = self.directory.loads.pop()
            (loading.errback if isinstance(outcome, Exception) else loading.callback)(outcome)  # type: ignore[arg-type]
            self.assertEqual(self.successResultOf(asking), expected, outcome)
        expired = evolve(PRINCIPAL, token=evolve(PRINCIPAL.token, is_active=False))
        self.directory.known[SECRET] = expired
        self.assertFalse(self.successResultOf(is_known(self.request)))
        self.assertEqual(self.inner.requests, [])

    def test_warm(self) -> None:
        """A known token is admitted at once, and the record says whose request it is."""
        self.begin()
        [request] = self.inner.requests
        self.assertIs(request.principal, PRINCIPAL)
        self.assertEqual((request.record.token_id, request.record.project_id), ("t-1", "p-1"))

    def test_cold(self) -> None:
        """A token that is not known is asked for, and nothing goes on before the answer."""
        self.directory.known.clear()
        responding = self.begin()
        self.assertEqual(self.inner.requests, [])
        [(secret, loading)] = self.directory.loads
        self.assertEqual(secret, SECRET)
        loading.callback(PRINCIPAL)
        self.inner.answer(a_response())
        self.assertEqual(self.successResultOf(responding).status, 200)

    def test_nothing_sent(self) -> None:
        """Who sends no credential is asked for one."""
        for fields in ([], [(b"Authorization", b"Basic eDp5")]):
            with row(fields):
                error = self.assertRaises(
                    MissingToken, self.middleware.respond, a_request(api=API, fields=fields), self.inner
                )
            self.assertEqual((error.status, error.code), (401, "invalid_token"), fields)

    def test_probe(self) -> None:
        """Whether anybody is there may be asked at the root of an API without a credential; nothing else may."""
        for method, target, credential, expected in (
            (b"HEAD", b"/", None, 204),
            (b"HEAD", b"/?x=1", None, 204),
            (b"GET", b"/", None, None),
            (b"HEAD", b"/v1/models", None, None),
            (b"HEAD", b"/", b"Bearer sk-" + b"B" * 21, None),
        ):
            with row((method, target, credential)):
                fields = [] if credential is None else [(b"Authorization", credential)]
                request = a_request(method, target, fields, api=API)
                if expected is None:
                    self.assertRaises(
                        InvalidToken if credential else MissingToken, self.middleware.respond, request, self.inner
                    )
                    continue
                response = self.successResultOf(self.middleware.respond(request, self.inner))
                self.assertEqual((response.status, response.body), (expected, None), target)
        self.assertEqual(self.inner.requests, [])

    def test_browsers_websocket(self) -> None:
        """A browser has no other place for its token than the subprotocols it offers, and only for a WebSocket."""
        offer: Field = (b"Sec-WebSocket-Protocol", b"realtime, openai-insecure-api-key." + SECRET)
        request = a_request(api=API, fields=[offer])
        self.assertRaises(MissingToken, self.middleware.respond, request, self.inner)
        request.upgrade = b"websocket"
        self.middleware.respond(request, self.inner)
        self.assertIs(self.inner.requests[0].principal, PRINCIPAL)

    def test_two_credentials(self) -> None:
        """The token is found beside a key of somebody else; two tokens are refused before either is looked up."""
        foreign: Field = (b"Authorization", b"Bearer sk-ant-oat01-xyz")
        self.middleware.respond(a_request(api=API, fields=[foreign, (b"x-api-key", SECRET)]), self.inner)
        self.assertIs(self.inner.requests[0].principal, PRINCIPAL)
        both = a_request(api=API, fields=[BEARER, (b"x-api-key", b"sk-" + b"B" * 22)])
        self.assertRaises(AmbiguousCredentials, self.middleware.respond, both, self.inner)
        self.assertEqual(self.directory.loads, [])

    def test_without_a_key(self) -> None:
        """Nothing goes on to an API that the project holds no key for, whatever other keys it holds."""
        for api in (an_api("gemini"), an_api("OpenAI"), an_api("gemini", own_key=OwnKey("sk-own", frozenset({"two"})))):
            request = a_request(api=api, fields=[BEARER])
            with row(api):
                error = self.assertRaises(ApiKeyMissing, self.middleware.respond, request, self.inner)
            self.assertEqual((error.status, error.code), (403, "api_key_missing"), api)
            self.assertIn(repr(api.name), error.message)
            self.assertIs(request.principal, PRINCIPAL)
        self.assertEqual(self.inner.requests, [])

    def test_without_a_key_of_its_own(self) -> None:
        """An API that takes no key is open to every project, one with a key of its own to those that may use it."""
        for changes in (
            {"credential": AUTH["none"]},
            {"own_key": OwnKey("sk-own", None)},
            {"own_key": OwnKey("sk-own", frozenset({"one"}))},
            {"own_key": OwnKey("sk-own", frozenset({"p-1"}))},
        ):
            self.middleware.respond(a_request(api=an_api("gemini", **changes), fields=[BEARER]), self.inner)
        self.assertEqual(len(self.inner.requests), 4)

    def test_malformed(self) -> None:
        """What cannot be a token costs no question, and is not repeated to anyone."""
        request = a_request(api=API, fields=[(b"x-api-key", b"AIza-a-google-key")])
        error = self.assertRaises(InvalidToken, self.middleware.respond, request, self.inner)
        self.assertEqual(self.directory.loads, [])
        self.assertNotIn("google", f"{error!r} {error.description} {error.fields} {request.record!r}")

    def test_faults(self) -> None:
        """A token that cannot be used is refused, also if it is warm, and the record says whose it was."""
        token, project = PRINCIPAL.token, PRINCIPAL.project
        table = (
            (Principal(evolve(token, is_active=False), project), TokenInactive),
            (Principal(evolve(token, expires_at=0.0), project), TokenExpired),
            (Principal(token, evolve(project, is_active=False)), ProjectInactive),
        )
        for principal, kind in table:
            self.directory.known[SECRET] = principal
            with row(principal):
                self.assertRaises(kind, self.begin)
            self.assertEqual(self.request.record.token_id, "t-1", (principal, kind))
        self.assertEqual(self.inner.requests, [])

    def test_expires_while_warm(self) -> None:
        """A warm entry does not outlive its token."""
        self.begin()
        self.clock.advance(1000.0)
        self.assertRaises(TokenExpired, self.begin)

    def test_store_says_no(self) -> None:
        """Unknown tokens and a store that is away are told apart."""
        self.directory.known.clear()
        for kind in (TokenNotFound, Unavailable):
            responding = self.begin()
            self.directory.loads.pop()[1].errback(kind())
            self.failureResultOf(responding, kind)

    def test_left_while_asking(self) -> None:
        """A client that leaves meanwhile is not admitted."""
        self.directory.known.clear()
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(self.inner.requests, [])

    def test_left_before_head(self) -> None:
        """A client that leaves before the head stops the call."""
        responding = self.begin()
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(self.inner.cancelled, 1)


class RevocationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.revocations = FakeRevocations()
        self.inner = Inner()
        middleware = Authenticate(Clock(), FakeDirectory({SECRET: PRINCIPAL}), self.revocations)
        self.responding = middleware.respond(a_request(api=API, fields=[BEARER]), self.inner)
        self.body = HeldBody()

    def read(self) -> Deferred[None]:
        self.inner.answer(a_response(200, self.body))
        self.head = self.successResultOf(self.responding)
        assert self.head.body is not None
        return self.head.body.startProducing(Reader())

    def test_cut(self) -> None:
        """A stream whose token is revoked is broken off, upstream is closed, the watch has ended."""
        producing = self.read()
        self.body.write(b"data")
        self.revocations.revoke()
        self.failureResultOf(producing, TokenRevoked)
        self.assertEqual((self.body.calls, self.revocations.watches), (["cancelled"], []))

    def test_complete(self) -> None:
        """A stream that ended is not watched any more."""
        producing = self.read()
        self.assertEqual(len(self.revocations.watches), 1)
        self.body.end()
        self.successResultOf(producing)
        self.assertEqual(self.revocations.watches, [])

    def test_left(self) -> None:
        """Nor is one whose client left; that is not a revocation."""
        producing = self.read()
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.assertEqual(self.revocations.watches, [])

    def test_stopped(self) -> None:
        """Nor one whose reader stopped it."""
        self.read()
        assert self.head.body is not None
        self.head.body.stopProducing()
        self.assertEqual((self.revocations.watches, self.body.calls), ([], ["stopped"]))

    def test_before_the_head(self) -> None:
        """Who waits for a head is told which of token and project ended; upstream is closed, and nothing is left."""
        for error, code in ((TokenRevoked, (401, "token_inactive")), (ProjectDeactivated, (403, "project_inactive"))):
            self.setUp()
            self.revocations.revoke(error)
            answer = self.failureResultOf(self.responding, error).value
            self.assertEqual((answer.status, answer.code), code, error)
            self.assertEqual((self.inner.cancelled, self.revocations.pending), (1, {}), code)

    def test_head_is_no_longer_pending(self) -> None:
        """However it ends, nothing is pending any more: a head, an error, a client that leaves."""
        self.read()
        self.assertEqual(self.revocations.pending, {})
        for end in ("error", "leave"):
            self.setUp()
            if end == "leave":
                self.responding.cancel()
                self.failureResultOf(self.responding, CancelledError)
            else:
                self.inner.fail(Unavailable("x"))
                self.failureResultOf(self.responding, Unavailable)
            self.assertEqual(self.revocations.pending, {}, end)

    def test_too_late(self) -> None:
        """What fails by itself as it is revoked fails with its own reason."""
        self.inner.on_cancel = Unavailable("x")
        self.revocations.revoke()
        self.failureResultOf(self.responding, Unavailable)
        self.assertEqual(self.revocations.pending, {})

    def test_at_hand(self) -> None:
        """An answer that is there whole is never watched."""
        self.inner.answer(a_response(200, BytesBody(b"abc")))
        body = self.successResultOf(self.responding).body
        assert body is not None
        reader = Reader()
        self.successResultOf(body.startProducing(reader))
        self.assertEqual((reader.data, self.revocations.watches), (b"abc", []))
