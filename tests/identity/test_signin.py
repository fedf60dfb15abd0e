"""Tests for L{llmproxy.identity.signin}."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.codeflow import SIGN_IN_SECONDS, SignInFailed
from llmproxy.identity.provider import DISCOVERY
from llmproxy.identity.sealed import Sealed
from llmproxy.identity.signin import BrowserSignIn
from llmproxy.identityerrors import ProviderUnavailable

from ..tables import row
from .world import ISSUER, Idp, done, failed, rsa, signed

BACK = "https://us/admin/signed-in/corp"


class SignInTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.idp = Idp()
        provider = self.idp.provider()
        self.signin = BrowserSignIn(
            lambda name: provider if name == "corp" else None, Sealed(b"s"), self.idp.clock.seconds
        )

    def begin(self) -> tuple[dict[str, str], str]:
        """The parameters with which a browser is sent away, and its cookie."""
        begun = done(self, self.signin.begin("corp", BACK, "/x", "admin"))
        return {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}, begun.cookie

    def answers(self, sent: str, token: str = "", **claims: Any) -> None:
        """What the code is good for."""
        id_token = token or signed(rsa(), self.idp.id_claims(**{"nonce": sent, **claims}))
        self.idp.answers["/token"] = {"id_token": id_token, "access_token": "at", "token_type": "Bearer"}

    def finish(self, said: dict[str, str], cookie: str, **changes: Any) -> Any:
        values = {"provider": "corp", "redirect_uri": BACK, "purpose": "admin", **changes}
        return self.signin.finish(values["provider"], values["redirect_uri"], said, cookie, values["purpose"])

    def test_round(self) -> None:
        """Out and back; the code is given in with what only we know, and nothing more is asked."""
        asked, cookie = self.begin()
        self.answers(asked["nonce"])
        found = done(self, self.finish({"state": asked["state"], "code": "c"}, cookie))
        who = found.asserted
        self.assertEqual((who.subject, who.email, who.groups, who.issuer), ("u1", "ann@x.org", ("eng",), ISSUER))
        self.assertEqual((found.next, found.session), ("/x", "s1"))
        self.assertEqual(self.idp.forms[-2]["code"], "c")
        self.assertNotIn("GET /me", self.idp.asked)
        self.assertNotIn(found.id_token, repr(found))

    def test_another_process(self) -> None:
        """One with the same secret goes on with it."""
        asked, cookie = self.begin()
        self.answers(asked["nonce"])
        provider = self.idp.provider()
        other = BrowserSignIn(lambda name: provider, Sealed(b"s"), self.idp.clock.seconds)
        done(self, other.finish("corp", BACK, {"state": asked["state"], "code": "c"}, cookie, "admin"))

    def test_forged(self) -> None:
        """Without what this browser has begun here nothing is exchanged."""
        asked, cookie = self.begin()
        _, another = self.begin()
        good = {"state": asked["state"], "code": "c"}
        forged = Sealed(b"guess").seal("attempt", ["corp", BACK, asked["state"], "n", "v", "", "admin", 9e9])
        for said, kept, changes in (
            (good, "", {}),
            (good, another, {}),
            (good, forged, {}),
            (good, cookie[:-2], {}),
            (good, cookie, {"purpose": "device"}),
            (good, cookie, {"redirect_uri": "https://evil/"}),
            ({"code": "c"}, cookie, {}),
            ({**good, "iss": "https://evil"}, cookie, {}),
        ):
            with row(said, changes):
                failed(self, self.finish(said, kept, **changes), SignInFailed)
        self.idp.clock.advance(SIGN_IN_SECONDS)
        failed(self, self.finish(good, cookie), SignInFailed)
        self.assertNotIn("POST /token", self.idp.asked)

    def test_wrong_token(self) -> None:
        """An ID token of another sign-in, program, issuer or key lets nobody in."""
        for changes, why in (
            ({"nonce": "other"}, "of another sign-in"),
            ({"aud": "others"}, "for another program"),
            ({"iss": "https://evil"}, "another issuer"),
            ({"exp": 5}, "has expired"),
            ({"sub": None}, "does not say who"),
        ):
            with row(changes):
                asked, cookie = self.begin()
                self.answers(asked["nonce"], **changes)
                error = failed(self, self.finish({"state": asked["state"], "code": "c"}, cookie), SignInFailed)
                self.assertIn(why, str(error))
        asked, cookie = self.begin()
        self.answers(asked["nonce"], signed(rsa("k2"), self.idp.id_claims(asked["nonce"])))
        error = failed(self, self.finish({"state": asked["state"], "code": "c"}, cookie), SignInFailed)
        self.assertIn("signature", str(error))

    def test_refused(self) -> None:
        """What the provider answers to a code that is of no use, or to a wrong secret."""
        for status, answer, why in (
            (400, {"error": "invalid_grant"}, "did not accept the code"),
            (401, {"error": "invalid_client"}, "client_secret"),
            (500, b"<html>", "did not accept the code"),
            (200, {"access_token": "x"}, "no ID token"),
            (200, [], "did not accept the code"),
        ):
            with row(status, answer):
                asked, cookie = self.begin()
                self.idp.answers["/token"], self.idp.status["/token"] = answer, status
                error = failed(self, self.finish({"state": asked["state"], "code": "c"}, cookie), SignInFailed)
                self.assertIn(why, str(error))
        self.idp.away = True
        failed(self, self.finish({"state": asked["state"], "code": "c"}, cookie), ProviderUnavailable)

    def test_userinfo(self) -> None:
        """What an ID token leaves out is asked for, of the same person alone; what it says goes first."""
        self.idp.answers["/me"] = {"sub": "u1", "groups": ["ops"], "email": "other@x.org"}
        asked, cookie = self.begin()
        self.answers(asked["nonce"], groups=None)
        found = done(self, self.finish({"state": asked["state"], "code": "c"}, cookie))
        self.assertEqual((found.asserted.groups, found.asserted.email), (("ops",), "ann@x.org"))
        self.assertEqual(self.idp.fields[-1]["Authorization"], ["Bearer at"])
        self.idp.answers["/me"] = {"sub": "u2", "groups": ["admins"]}
        asked, cookie = self.begin()
        self.answers(asked["nonce"], groups=None)
        error = failed(self, self.finish({"state": asked["state"], "code": "c"}, cookie), SignInFailed)
        self.assertIn("of another one", str(error))

    def test_no_provider(self) -> None:
        failed(self, self.signin.begin("other", BACK), SignInFailed)
        failed(self, self.finish({}, "", provider="other"), SignInFailed)

    def test_logout(self) -> None:
        """Where to sign out there; nowhere, where the provider has no such place."""
        url = done(self, self.signin.logout_url("corp", "a.b.c", "https://us/"))
        self.assertTrue(url.startswith(f"{ISSUER}/out?id_token_hint=a.b.c"), url)
        self.assertEqual(done(self, self.signin.logout_url("other", "a.b.c", "https://us/")), "")
        del self.idp.answers[DISCOVERY]["end_session_endpoint"]
        self.nowhere()

    def nowhere(self) -> None:
        provider = self.idp.provider()
        signin = BrowserSignIn(lambda name: provider, Sealed(b"s"), self.idp.clock.seconds)
        self.assertEqual(done(self, signin.logout_url("corp", "a.b.c", "https://us/")), "")
