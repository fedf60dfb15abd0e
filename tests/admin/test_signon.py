"""Tests for L{llmproxy.admin.signon}; whole sign-ins are in L{tests.app.test_signon}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.signon import Elsewhere, SignOnSession, _failed
from llmproxy.core.people.codeflow import SignInFailed
from llmproxy.errors import ProxyError
from llmproxy.identityerrors import NotGranted, PersonRevoked, ProviderUnavailable


class FailureTests(SynchronousTestCase):
    def test_words(self) -> None:
        """Who tried reads what to do; where the provider is and why it does not answer is for the log."""
        rows: tuple[tuple[SignInFailed | ProxyError, int, str], ...] = (
            (SignInFailed("Sign in again."), 400, "Sign in again."),
            (PersonRevoked("x"), 403, "Your access was revoked."),
            (NotGranted("no rule is for you"), 403, "no rule is for you"),
            (ProviderUnavailable("https://id.internal gave no answer"), 503, "does not answer now"),
        )
        for error, status, words in rows:
            failed = _failed(error)
            self.assertEqual(failed.status, status, error)
            self.assertIn(words, failed.words, error)
            self.assertNotIn("id.internal", failed.words, error)

    def test_secrets(self) -> None:
        self.assertNotIn("canary", repr(SignOnSession("canary", "/")) + repr(Elsewhere("l", "canary")))
