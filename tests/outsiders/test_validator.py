"""A token validator of one's own: tokens of another shape, asked for over a service that is slow and sometimes away."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy import ITokenValidator
from llmproxy.errors import TokenExpired, TokenNotFound, TokenUsedUp
from llmproxy.testing import PROJECT, MemoryProxy


@implementer(ITokenValidator)
class LoginService:
    """Our tokens are C{user:signature}; the service that knows them answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Deferred[str]]] = []

    def validate_token(self, secret: str) -> Deferred[str]:
        return self._ask("look", secret)

    def validate_token_with_tracking(self, secret: str) -> Deferred[str]:
        return self._ask("spend", secret)

    def _ask(self, what: str, secret: str) -> Deferred[str]:
        if ":" not in secret:
            return fail(TokenNotFound())
        answer: Deferred[str] = Deferred()
        self.asked.append((what, secret, answer))
        return answer


class ValidatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.service = LoginService()
        self.proxy = MemoryProxy(token_validator=self.service)

    def test_interface(self) -> None:
        verifyObject(ITokenValidator, self.service)

    def test_let_in(self) -> None:
        """A token that the service knows is looked at, then spent; then upstream is asked with the project's key."""
        answer = self.proxy.request("GET", "/v1/models", token="carol:1f2e")
        self.assertEqual((answer.status, self.proxy.upstream.calls), (None, []))
        for what in ("look", "spend"):
            asked, secret, reply = self.service.asked.pop()
            self.assertEqual((asked, secret), (what, "carol:1f2e"), what)
            reply.callback(PROJECT.id)
        call = self.proxy.upstream.next()
        self.assertEqual(call.header("authorization"), "Bearer sk-upstream")
        self.assertNotIn("carol", str(call.fields))
        call.answer(200, b"[]")
        self.assertEqual((answer.status, answer.body), (200, b"[]"))

    def test_refused(self) -> None:
        """What the service says of a token is what its client is told."""
        answer = self.proxy.request("GET", "/v1/models", token="no-colon")
        self.assertEqual((answer.status, answer.json()["code"]), (401, "token_not_found"))
        answer = self.proxy.request("GET", "/v1/models", token="carol:old")
        self.service.asked.pop()[2].errback(TokenExpired())
        self.assertEqual((answer.status, answer.json()["code"]), (401, "token_expired"))
        answer = self.proxy.request("GET", "/v1/models", token="carol:spent")
        self.service.asked.pop()[2].callback(PROJECT.id)
        self.service.asked.pop()[2].errback(TokenUsedUp())
        self.assertEqual((answer.status, answer.json()["code"]), (429, "rate_limit_exceeded"))
        self.assertEqual(self.proxy.upstream.calls, [])

    def test_away(self) -> None:
        """A service that is away lets nobody in, and its words reach no client."""
        answer = self.proxy.request("GET", "/v1/models", token="carol:1")
        self.service.asked.pop()[2].errback(OSError("ldap://10.0.0.7 refused"))
        self.assertEqual(answer.status, 503)
        self.assertNotIn(b"ldap", answer.body)
        self.assertEqual(self.proxy.upstream.calls, [])
        self.flushLoggedErrors(OSError)

    def test_client_leaves(self) -> None:
        """A client that leaves meanwhile costs upstream nothing."""
        answer = self.proxy.request("GET", "/v1/models", token="carol:1")
        answer.leave()
        self.assertTrue(answer.ended)
        self.assertEqual([each.ended for each in self.proxy.records], ["client_left"])
        self.assertEqual(self.proxy.upstream.calls, [])
