"""Tests for L{llmproxy.identity.asking}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from llmproxy.core.deviceflow import Device
from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.identity.asking import WITHIN, AskingAgain
from llmproxy.identity.fetching import LONGEST
from llmproxy.identity.sealed import Sealed
from llmproxy.identityerrors import ProviderUnavailable, SignInOver
from llmproxy.management.people import PeopleRules
from llmproxy.store.people import PeopleStore

from ..contracts.device_store import device
from ..management.world import RulesTestCase
from ..tables import row
from .world import SECRET, Idp, done, failed, rsa, signed

REFRESH = "refresh-canary-1"


class AskingAgainTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.idp = Idp()
        self.idp.clock = self.clock
        self.provider = self.idp.provider()
        rules = [GrantRule(Match(groups=("eng",)), "p1")]
        self.people = PeopleRules(self.state, PeopleStore(self.clock, self.database), lambda who: grant_of(rules, who))
        self.sealed = Sealed(b"a secret of all processes")
        self.asking = self.made()
        self.ann = self.done(self.people.sign_in(self.provider.asserted(self.idp.claims())))
        self.idp.answers["/token"] = lambda form: self.answer

    def made(self, sealed: Sealed | None = None) -> AskingAgain:
        providers = {"corp": self.provider}
        return AskingAgain(self.clock, providers.get, sealed or self.sealed, self.people)

    def refreshed(self, **claims: Any) -> dict[str, str]:
        """What the provider answers."""
        said = self.idp.id_claims("of the sign-in", **claims)
        return {"access_token": "at", "id_token": signed(rsa(), said), "refresh_token": "refresh-canary-2"}

    def kept(self) -> Device:
        return evolve(device(), provider_token=self.asking.kept(self.ann, REFRESH), person_id=self.ann.id)

    def test_good(self) -> None:
        """The provider is asked with what it gave, and with who we are; what it gives then is kept, sealed."""
        self.answer = self.refreshed(groups=["eng", "new"])
        self.clock.advance(1)
        kept = done(self, self.asking.ask(self.kept(), self.ann))
        [form] = [each for each in self.idp.forms if each.get("grant_type") == "refresh_token"]
        self.assertEqual((form["grant_type"], form["refresh_token"]), ("refresh_token", REFRESH))
        self.assertNotIn(SECRET, repr(form))
        self.assertNotIn("canary", kept)
        self.assertEqual(self.sealed.open("provider token", kept)[2], "refresh-canary-2")
        # What it says of the person holds from now on.
        self.assertEqual(self.done(self.people.get(self.ann.id)).groups, ("eng", "new"))

    def test_same_again(self) -> None:
        """Without another refresh token, and without an ID token, the sign-in is good, and what is kept stays good."""
        self.answer = {"access_token": "at"}
        kept = done(self, self.asking.ask(self.kept(), self.ann))
        self.assertEqual(self.sealed.open("provider token", kept)[2], REFRESH)

    def test_over(self) -> None:
        """By its word, by what it says of them, and where nothing here is for them any more."""
        self.idp.status["/token"] = 400
        for error in ("invalid_grant", "login_required", "interaction_required"):
            with row(error):
                self.answer: dict[str, Any] = {"error": error}
                failed(self, self.asking.ask(self.kept(), self.ann), SignInOver)
        del self.idp.status["/token"]
        now = int(self.clock.seconds())
        for changes in ({"sub": "u2"}, {"aud": "other"}, {"iss": "https://evil.example"}, {"exp": now - 3600}):
            with row(changes):
                self.answer = self.refreshed(**changes)
                failed(self, self.asking.ask(self.kept(), self.ann), SignInOver)
        self.answer = {**self.refreshed(), "id_token": signed(rsa("other"), self.idp.id_claims(""), kid="k1")}
        failed(self, self.asking.ask(self.kept(), self.ann), SignInOver)
        self.answer = self.refreshed(groups=["left"])
        self.clock.advance(1)
        failed(self, self.asking.ask(self.kept(), self.ann), SignInOver)
        self.assertIsNone(self.done(self.people.get(self.ann.id)).project_id)

    def test_unknown(self) -> None:
        """What says nothing of the person: it is away, fails, does not know us, or sends what is no answer."""
        for status, answer in (
            (500, {"error": "server_error"}),
            (400, {"error": "invalid_client"}),
            (401, {"error": "unauthorized_client"}),
            (503, b"<html>"),
            (200, b"<html>"),
            (400, {"error": ["invalid_grant"]}),
            (302, {"error": "invalid_grant"}),
        ):
            with row((status, answer)):
                self.idp.status["/token"], self.answer = status, answer  # type: ignore[assignment]
                error = failed(self, self.asking.ask(self.kept(), self.ann), ProviderUnavailable)
                self.assertNotIn("canary", str(error))
        self.idp.away = True
        failed(self, self.asking.ask(self.kept(), self.ann), ProviderUnavailable)

    def test_slow(self) -> None:
        """It is not waited for longer than a program waits for its next tokens."""
        self.idp.silent = True
        asking = Deferred.fromCoroutine(self.asking.ask(self.kept(), self.ann))
        self.clock.advance(WITHIN - 0.1)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.failureResultOf(asking, ProviderUnavailable)
        # What others wait for too, its addresses, has an end of its own.
        self.clock.advance(LONGEST - WITHIN)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """A provider that is not configured any more stands for nobody, whether or not something of it is kept."""
        for changes in ({}, {"provider_token": None}):
            held = evolve(self.kept(), **changes)
            nobody = evolve(self.ann, provider="gone")
            self.assertEqual(self.asking.standing(held, nobody), "overdue", changes)
            failed(self, self.asking.ask(held, nobody), SignInOver)

    def test_not_ours(self) -> None:
        """What another secret has sealed, or is of somebody else: they sign in again, and nobody is asked."""
        asked = len(self.idp.asked)
        other = evolve(self.ann, id="o9")
        for held in (
            evolve(self.kept(), provider_token="forged"),
            evolve(self.kept(), provider_token=self.asking.kept(other, REFRESH)),
            evolve(self.kept(), provider_token=self.made(Sealed(b"another")).kept(self.ann, REFRESH)),
            evolve(self.kept(), provider_token=self.sealed.seal("id_token", [self.ann.id, "corp", REFRESH])),
        ):
            failed(self, self.asking.ask(held, self.ann), SignInOver)
        self.assertEqual(len(self.idp.asked), asked)

    def test_kept(self) -> None:
        """Where it gave nothing, or too much, or is never asked, nothing is kept, and nobody is asked."""
        self.assertIsNone(self.asking.kept(self.ann, ""))
        self.assertIsNone(self.asking.kept(self.ann, "x" * 5001))
        self.assertIsNone(self.asking.kept(evolve(self.ann, provider="gone"), REFRESH))
        kept = self.kept()
        self.provider = self.idp.provider(check_every=0.0)
        self.assertIsNone(self.made().kept(self.ann, REFRESH))
        self.assertEqual(self.made().standing(evolve(kept, created_at=0.0), self.ann), "known")

    def test_standing(self) -> None:
        """Every quarter of an hour, and an hour more while it does not answer."""
        now = self.clock.seconds()
        for age, expected in ((899, "known"), (900, "due"), (4499, "due"), (4500, "overdue")):
            with row(age):
                self.assertEqual(self.asking.standing(evolve(self.kept(), created_at=now - age), self.ann), expected)
                held = evolve(self.kept(), created_at=now - 9999, checked_at=now - age)
                self.assertEqual(self.asking.standing(held, self.ann), expected)
        held = evolve(self.kept(), created_at=now - 9999, provider_token=None)
        self.assertEqual(self.asking.standing(held, self.ann), "known")
