"""Tests for L{llmproxy.identity.fetching}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.identity.fetching import LONGEST, MOST_READ, Fetcher
from llmproxy.identityerrors import ProviderUnavailable

from .world import ISSUER, Idp, done, failed


class FetchingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.idp = Idp()
        self.fetcher = Fetcher(self.idp.clock, self.idp)

    def test_document(self) -> None:
        self.idp.answers["/x"] = {"a": 1}
        self.assertEqual(done(self, self.fetcher.document(f"{ISSUER}/x", "a-token")), {"a": 1})
        self.assertEqual(self.idp.fields[0]["Authorization"], ["Bearer a-token"])

    def test_none(self) -> None:
        """Another status, no JSON, too much, nobody there: it is said which, and nothing of a query."""
        self.idp.answers |= {
            "/html": b"<html>",
            "/deep": b"[" * 100_000,
            "/large": b'"' + b"x" * MOST_READ + b'"',
            "/moved": {"a": 1},
        }
        self.idp.status["/moved"] = 302
        for path, words in (
            ("/nothing", "answered 404"),
            ("/html", "sent no JSON"),
            ("/deep", "sent no JSON"),
            ("/large", f"more than {MOST_READ} bytes"),
            ("/moved", "answered 302"),
        ):
            error = failed(self, self.fetcher.document(ISSUER + path), ProviderUnavailable)
            self.assertIn(words, str(error), path)
        self.idp.away = True
        error = failed(self, self.fetcher.document(f"{ISSUER}/x?secret=1"), ProviderUnavailable)
        self.assertIn("gave no answer", str(error))
        self.assertNotIn("secret", str(error))

    def test_counted(self) -> None:
        """Each request, with what was asked for, whether there was an answer, and how long it took."""
        counted: list[tuple[str, bool, float]] = []
        fetcher = Fetcher(self.idp.clock, self.idp, lambda *each: counted.append(each))
        self.idp.answers |= {"/x": {}, "/token": {"error": "invalid_grant"}}
        self.idp.status["/token"] = 400
        done(self, fetcher.document(f"{ISSUER}/x", endpoint="keys"))
        failed(self, fetcher.document(f"{ISSUER}/nothing"), ProviderUnavailable)
        done(self, fetcher.form(f"{ISSUER}/token", {}, {}))
        self.idp.status["/token"] = 500
        done(self, fetcher.form(f"{ISSUER}/token", {}, {}))
        self.idp.silent = True
        asking = Deferred.fromCoroutine(fetcher.document(f"{ISSUER}/x", "t", "userinfo"))
        self.idp.clock.advance(LONGEST)
        self.failureResultOf(asking, ProviderUnavailable)
        self.assertEqual(
            counted,
            [
                ("keys", True, 0.0),
                ("metadata", False, 0.0),
                ("token", True, 0.0),
                ("token", False, 0.0),
                ("userinfo", False, LONGEST),
            ],
        )

    def test_silence(self) -> None:
        """Nobody waits for ever."""
        self.idp.silent = True
        asking = Deferred.fromCoroutine(self.fetcher.document(f"{ISSUER}/x"))
        self.idp.clock.advance(LONGEST - 0.1)
        self.assertNoResult(asking)
        self.idp.clock.advance(0.2)
        self.assertIn("within 10 s", str(self.failureResultOf(asking, ProviderUnavailable).value))
        self.assertEqual(self.idp.clock.getDelayedCalls(), [])

    def test_form(self) -> None:
        """A refusal is an answer."""
        self.idp.answers["/token"] = {"error": "invalid_grant"}
        self.idp.status["/token"] = 400
        found = done(self, self.fetcher.form(f"{ISSUER}/token", {"code": "a b"}, {"X": "y"}))
        self.assertEqual((found, self.idp.forms[-1]), ((400, {"error": "invalid_grant"}), {"code": "a b"}))
