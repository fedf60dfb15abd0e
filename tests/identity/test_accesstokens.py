"""Tests for L{llmproxy.identity.accesstokens}: access tokens at the directory, as every caller meets them."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.core.people.person import Asserted
from llmproxy.core.tokens import JWT, fault_of, may_be_token
from llmproxy.errors import InvalidToken, TokenExpired, TokenInactive
from llmproxy.identity import accesstokens
from llmproxy.identity.accesstokens import AccessTokens
from llmproxy.identityerrors import NotGranted, PersonRevoked, ProviderUnavailable, TokenRefused
from llmproxy.management.people import PeopleRules
from llmproxy.message import Principal
from llmproxy.store.people import PeopleStore
from llmproxy.usagelimits import UsageLimits

from ..management.world import RulesTestCase
from ..tables import row
from .world import ISSUER, Idp, ec, rsa, signed

ASSERTED = Asserted("corp", ISSUER, "u1", "ann@x.org", True, "Ann", ("eng",))


class AccessTokenTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.idp = Idp()
        # One clock for all.
        self.idp.clock = self.clock
        self.provider = self.idp.provider()
        self.rules = [GrantRule(Match(groups=("eng",)), "p1", "operator", UsageLimits(rpm_limit=5))]
        store = PeopleStore(self.clock, self.database)
        self.people = PeopleRules(self.state, store, lambda who: grant_of(self.rules, who))
        self.tokens = AccessTokens(lambda: [self.provider], self.people, self.clock.seconds)
        self.directory.foreign = self.tokens.token

    def jwt(self, **claims: Any) -> bytes:
        return signed(rsa(), self.idp.claims(**claims)).encode()

    def load(self, secret: bytes) -> Principal:
        warm = self.directory.warm(secret)
        found: Principal = self.successResultOf(self.directory.load(secret)) if warm is None else warm
        return found

    def fails(self, secret: bytes, error: type[Exception]) -> str:
        return str(self.failureResultOf(self.directory.load(secret), error).value)

    def test_counted(self) -> None:
        """What became of each that was verified; one of nobody's is of no provider."""
        counted: list[tuple[str, str]] = []
        tokens = AccessTokens(
            lambda: [self.provider], self.people, self.clock.seconds, lambda *each: counted.append(each)
        )
        good = signed(rsa(), self.idp.claims()).encode()
        for secret in (good, good, signed(rsa(), self.idp.claims(aud="x")).encode(), b"x.y.z"):
            found = Deferred.fromCoroutine(tokens.token(secret)).addErrback(lambda reason: reason.trap(TokenRefused))
            self.successResultOf(found)
        self.assertEqual(counted, [("corp", "ok"), ("corp", "refused"), ("", "refused")])

    def test_taken(self) -> None:
        """Who shows one is a person, in their project, with their limits; the token behind it has no secret."""
        held = self.load(self.jwt())
        token = held.token
        self.assertEqual((held.project.id, token.kind, token.limits.rpm_limit), ("p1", JWT, 5))
        person = self.done(self.people.get(token.person_id or ""))
        self.assertEqual((person.name, person.email, person.role), ("Ann", "ann@x.org", "operator"))
        # Another of the same person is the same token.
        self.assertEqual(self.load(self.jwt(jti="2")).token.id, token.id)

    def test_once(self) -> None:
        """It is verified once, however often it is used, and when the directory has forgotten it too."""
        secret = self.jwt()
        self.load(secret)
        for _ in range(5):
            self.assertIsNotNone(self.directory.warm(secret))
        self.directory.forget()
        self.load(secret)
        self.assertEqual(self.tokens.verified, 1)

    def test_warm_costs_nothing(self) -> None:
        """Known, it costs what a token of ours costs: the same calls, and no object more."""
        _, ours = self.done(self.people.issue(self.done(self.people.sign_in(ASSERTED)), "device", 60.0))
        jwt = self.jwt()
        counted = []
        for secret in (ours.encode(), jwt):
            self.load(secret)
            calls: list[str] = []
            sys.setprofile(lambda frame, event, arg, calls=calls: calls.append(event))
            try:
                found = self.directory.warm(secret) if may_be_token(secret) else None
            finally:
                sys.setprofile(None)
            self.assertIsNotNone(found, secret[:3])
            counted.append(calls.count("call"))
        self.assertLessEqual(counted[1], counted[0] + 1, "is_jwt is called besides")

    def test_expires(self) -> None:
        """It is over when it says, whatever is warm, and whatever happens to the token behind it meanwhile."""
        secret = self.jwt()
        held = self.load(secret)
        self.clock.advance(200)
        self.rules[0] = GrantRule(Match(groups=("eng",)), "p1", limits=UsageLimits(rpm_limit=9))
        self.load(self.jwt(jti="2"))
        warm = self.directory.warm(secret)
        assert warm is not None
        self.assertEqual(warm.token.limits.rpm_limit, 9)
        self.clock.advance(159)
        self.assertIsNone(fault_of(warm.token, held.project, self.clock.seconds()))
        self.clock.advance(1)
        self.assertIsInstance(fault_of(warm.token, held.project, self.clock.seconds()), TokenExpired)
        self.directory.forget()
        self.assertIn("has expired", self.fails(secret, TokenRefused))

    def test_refused(self) -> None:
        """Everything that is not an access token for us; nobody is stored because of one."""
        good = self.jwt().decode()
        head, claims, _ = good.split(".")
        for secret, why in (
            (self.jwt(iss="https://evil"), "no identity provider"),
            (self.jwt(aud="others"), "another audience"),
            (self.jwt(aud="llmproxy", nonce="n"), "no access token"),
            (signed(rsa("k2"), self.idp.claims()).encode(), "signature"),
            (signed(ec(), self.idp.claims(), "ES256").encode(), "signature"),
            (f"{head}.{claims}.".encode(), "signature"),
            (b"eyJhbGciOiJub25lIn0." + claims.encode() + b".", "not signed in a way"),
            (b"eyJ.eyJ.eyJ", "no signed JWT"),
            (b"eyJ.\xff.", "no signed JWT"),
        ):
            with row(secret[:60]):
                self.assertIn(why, self.fails(secret, TokenRefused))
        self.assertEqual(self.done(self.people.list(10)).items, [])
        self.failureResultOf(self.directory.load(b"nothing"), InvalidToken)

    def test_no_audience(self) -> None:
        """A provider whose access tokens nobody has asked for has none that are taken."""
        self.provider = self.idp.provider(audiences=())
        self.assertIn("no identity provider", self.fails(self.jwt(), TokenRefused))

    def test_clients(self) -> None:
        self.provider = self.idp.provider(clients=("other",))
        self.assertIn("not let in", self.fails(self.jwt(), TokenRefused))

    def test_not_granted(self) -> None:
        self.fails(self.jwt(groups=[]), NotGranted)

    def test_away(self) -> None:
        """A provider that is away is no fault of the token; what was verified works on."""
        known = self.jwt()
        self.load(known)
        self.idp.away = True
        self.directory.forget()
        self.load(known)
        self.provider = self.idp.provider()
        self.fails(self.jwt(jti="2"), ProviderUnavailable)

    def test_revoked(self) -> None:
        """Shut out: what runs is cut, what is warm is worth nothing, and no new access token helps."""
        secret = self.jwt()
        held = self.load(secret)
        cut: list[int] = []
        self.directory.watch(held, lambda: cut.append(1))
        self.done(self.people.revoke(held.token.person_id or ""))
        self.assertEqual(cut, [1])
        warm = self.directory.warm(secret)
        assert warm is not None
        self.assertIsInstance(fault_of(warm.token, warm.project, self.clock.seconds()), TokenInactive)
        self.directory.forget()
        self.assertFalse(self.load(secret).token.is_active)
        self.fails(self.jwt(jti="2"), PersonRevoked)
        self.done(self.people.reinstate(held.token.person_id or ""))
        # They have to sign in anew: what the provider gave before is over, in every process.
        self.tokens.forget()
        self.directory.forget()
        self.assertFalse(self.load(secret).token.is_active)
        self.clock.advance(2)
        self.assertTrue(self.load(self.jwt(jti="3")).token.is_active)

    def test_deleted(self) -> None:
        """Of somebody who was forgotten an old access token makes nobody again, but for who shows a new one."""
        secret = self.jwt()
        held = self.load(secret)
        self.done(self.people.delete(held.token.person_id or ""))
        self.directory.forget()
        self.assertFalse(self.load(secret).token.is_active)

    def test_rules_changed(self) -> None:
        """What a reload says holds for who has shown theirs before."""
        secret = self.jwt()
        self.load(secret)
        self.rules[0] = GrantRule(Match(groups=("eng",)), deny=True)
        self.tokens.forget()
        self.directory.forget()
        self.fails(secret, NotGranted)

    def test_bounded(self) -> None:
        self.patch(accesstokens, "MOST_KNOWN", 2)
        for number in range(4):
            self.load(self.jwt(jti=str(number)))
        self.assertEqual(len(self.tokens._known), 2)

    def test_person(self) -> None:
        """Without a project there is a person all the same, at the management API say."""
        self.rules[0] = GrantRule(Match(groups=("eng",)), role="auditor")
        person, until = self.successResultOf(Deferred.fromCoroutine(self.tokens.person(self.jwt())))
        self.assertEqual((person.role, person.project_id), ("auditor", None))
        self.assertEqual(until, int(self.clock.seconds()) + 360)
