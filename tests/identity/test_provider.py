"""Tests for L{llmproxy.identity.provider}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.assertions import AssertionFault
from llmproxy.identity.provider import COOLDOWN, DISCOVERY, FRESH_KEYS
from llmproxy.identityerrors import ProviderUnavailable

from ..tables import row
from .world import ISSUER, Idp, done, failed, public, rsa, signed


class ProviderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.idp = Idp()
        self.provider = self.idp.provider()

    def test_discovery(self) -> None:
        """It is asked once."""
        metadata = done(self, self.provider.metadata())
        self.assertEqual((metadata.token_endpoint, metadata.names_issuer), (f"{ISSUER}/token", False))
        done(self, self.provider.metadata())
        self.assertEqual(self.idp.asked, [f"GET {DISCOVERY}"])

    def test_wrong_discovery(self) -> None:
        """Another issuer, addresses that others could read on the way: nothing of it is used."""
        good = self.idp.answers[DISCOVERY]
        for changes, why in (
            ({"issuer": "https://evil"}, "is of the issuer 'https://evil'"),
            ({"issuer": ISSUER + "/"}, "is of the issuer"),
            ({"token_endpoint": "http://id.example.com/token"}, "no token_endpoint"),
            ({"jwks_uri": None}, "no jwks_uri"),
            ({"authorization_endpoint": "javascript:alert(1)"}, "no authorization_endpoint"),
            ({"authorization_endpoint": "https://id.example.com/a\r\nX: y"}, "no authorization_endpoint"),
            ({"token_endpoint": ["x"]}, "no token_endpoint"),
        ):
            with row(changes):
                self.idp.answers[DISCOVERY] = {**good, **changes}
                error = failed(self, self.idp.provider().metadata(), ProviderUnavailable)
                self.assertIn(why, str(error))
        for document in ([], "x", None):
            with row(document):
                self.idp.answers[DISCOVERY] = document
                failed(self, self.idp.provider().metadata(), ProviderUnavailable)

    def test_optional(self) -> None:
        """What is not needed is left out where it cannot be used."""
        self.idp.answers[DISCOVERY] |= {"userinfo_endpoint": "http://evil/", "end_session_endpoint": None}
        metadata = done(self, self.provider.metadata())
        self.assertEqual((metadata.userinfo_endpoint, metadata.end_session_endpoint), ("", ""))
        self.idp.answers[DISCOVERY] |= {"authorization_endpoint": f"{ISSUER}/a?p=b2c"}
        metadata = done(self, self.idp.provider().metadata())
        self.assertEqual(metadata.authorization_endpoint, f"{ISSUER}/a?p=b2c")

    def verified(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = done(self, self.provider.verified(token))[1]
        return claims

    def test_rotation(self) -> None:
        """A key that is new is fetched when it is met; one that is gone opens nothing once that is known."""
        self.assertEqual(self.verified(signed(rsa(), {"sub": "u"})), {"sub": "u"})
        new = signed(rsa("k2"), {"sub": "v"})
        self.idp.answers["/keys"] = {"keys": [public(rsa("k2"))]}
        failed(self, self.provider.verified(new), AssertionFault)
        self.idp.clock.advance(COOLDOWN)
        self.assertEqual(self.verified(new), {"sub": "v"})
        failed(self, self.provider.verified(signed(rsa(), {})), AssertionFault)

    def test_invented_keys(self) -> None:
        """Tokens with key ids that nobody has cost no more than a request now and then."""
        self.verified(signed(rsa(), {}))
        for number in range(50):
            self.idp.clock.advance(1)
            failed(self, self.provider.verified(signed(rsa("k2"), {}, kid=f"x{number}")), AssertionFault)
        self.assertLessEqual(self.idp.asked.count("GET /keys"), 3)

    def test_away(self) -> None:
        """Keys that are known go on being good; without any nobody gets in."""
        token = signed(rsa(), {"sub": "u"})
        self.verified(token)
        self.idp.away = True
        self.idp.clock.advance(FRESH_KEYS + 1)
        self.assertEqual(self.verified(token), {"sub": "u"})
        failed(self, self.idp.provider().verified(token), ProviderUnavailable)
        self.idp.clock.advance(90_000)
        failed(self, self.provider.verified(token), ProviderUnavailable)

    def test_no_keys(self) -> None:
        self.idp.answers["/keys"] = {"nothing": 1}
        failed(self, self.provider.verified(signed(rsa(), {})), ProviderUnavailable)

    def test_asserted(self) -> None:
        self.assertEqual(self.provider.asserted({"sub": "u"}).issuer, ISSUER)
        with self.assertRaises(AssertionFault):
            self.provider.asserted({})
