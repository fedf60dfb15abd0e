"""Tests for L{llmproxy.management.people}."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.core.people.person import Asserted
from llmproxy.core.tokens import DEVICE
from llmproxy.errors import Conflict, NotFound, Unprocessable
from llmproxy.identityerrors import NotGranted, PersonRevoked
from llmproxy.management.people import PeopleRules
from llmproxy.management.tokens import TokenRules, TokenUpdate
from llmproxy.store.people import PeopleStore
from llmproxy.usagelimits import UsageLimits

from ..store.databases import NOW
from .world import RulesTestCase

ANN = Asserted("corp", "https://id", "u1", "ann@x.org", True, "Ann", ("eng",))


class PeopleRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.grants: list[GrantRule] = [
            GrantRule(Match(groups=("eng",)), "project p1", "operator", UsageLimits(rpm_limit=5), ("staff",)),
            GrantRule(Match(groups=("lost",)), "no such project"),
            GrantRule(Match(groups=("pages",)), role="auditor"),
        ]
        self.people = PeopleRules(
            self.state, PeopleStore(self.clock, self.database), lambda who: grant_of(self.grants, who)
        )

    def test_sign_in(self) -> None:
        """Who is new is stored, with what the rules give; who comes again is the same."""
        ann = self.done(self.people.sign_in(ANN))
        self.assertEqual((ann.project_id, ann.role, ann.limits.rpm_limit), ("p1", "operator", 5))
        self.assertEqual((ann.groups, ann.email, ann.last_seen_at), (("eng", "staff"), "ann@x.org", NOW))
        self.clock.advance(60)
        again = self.done(self.people.sign_in(evolve(ANN, name="Ann B")))
        self.assertEqual((again.id, again.name, again.last_seen_at), (ann.id, "Ann B", NOW + 60))
        # What was said before that is not what holds now.
        self.assertEqual(self.done(self.people.sign_in(ANN, said_at=NOW + 30)).name, "Ann B")
        # A clock that runs ahead decides nothing for later.
        self.assertEqual(self.done(self.people.sign_in(ANN, said_at=NOW + 9999)).last_seen_at, NOW + 60)

    def test_unverified(self) -> None:
        """An address that nobody vouches for is not kept as theirs."""
        self.assertEqual(self.done(self.people.sign_in(evolve(ANN, email_verified=False))).email, "")

    def test_refused(self) -> None:
        """Why is said, and nothing is stored of somebody who is not let in."""
        for groups, error, words in (
            ((), NotGranted, "no rule of identity is for this person"),
            (("lost",), NotGranted, "the project 'no such project', which is not there"),
        ):
            who = evolve(ANN, groups=groups)
            failure = self.failed(self.people.sign_in(who), error)
            self.assertIn(words, failure.description, groups)
        self.assertEqual(self.done(self.people.list(10)).items, [])

    def test_refused_later(self) -> None:
        """Who is let in no longer keeps nothing of before; an access token that says less takes nothing away."""
        ann = self.done(self.people.sign_in(ANN))
        _, secret = self.done(self.people.issue(ann, DEVICE, 3600.0))
        self.principal(secret)
        self.clock.advance(1)
        nobody = evolve(ANN, groups=())
        self.failed(self.people.sign_in(nobody, self.clock.seconds()), NotGranted)
        self.assertTrue(self.principal(secret).token.is_active)
        self.failed(self.people.sign_in(nobody), NotGranted)
        self.assertFalse(self.principal(secret).token.is_active)
        found = self.done(self.people.get(ann.id))
        self.assertEqual((found.role, found.project_id), (None, None))

    def test_limits_that_cannot_hold(self) -> None:
        """Rules that contradict each other in what they give somebody give nothing."""
        self.grants.append(GrantRule(Match(groups=("eng",)), limits=UsageLimits(hard_budget=True, max_budget=None)))
        self.failed(self.people.sign_in(ANN), Unprocessable)

    def test_issue(self) -> None:
        """A token of theirs: for their project, with their limits, and known at once."""
        ann = self.done(self.people.sign_in(ANN))
        token, secret = self.done(self.people.issue(ann, DEVICE, 3600.0, "laptop"))
        held = self.principal(secret).token
        self.assertEqual((held, held.person_id, held.kind), (token, ann.id, DEVICE))
        self.assertEqual((held.expires_at, held.limits.rpm_limit, held.project_id), (NOW + 3600, 5, "p1"))
        self.assertEqual([each.id for each in self.done(self.people.tokens(ann.id))], [token.id])

    def test_no_project(self) -> None:
        """Who may see the pages alone has no token."""
        bob = self.done(self.people.sign_in(evolve(ANN, subject="u2", groups=("pages",))))
        self.assertEqual((bob.role, bob.project_id), ("auditor", None))
        self.failed(self.people.issue(bob, DEVICE, 3600.0), NotGranted)
        self.failed(self.people.jwt_token(bob), NotGranted)

    def test_jwt_token(self) -> None:
        """One token behind all their access tokens, that nobody has the secret of."""
        ann = self.done(self.people.sign_in(ANN))
        token = self.done(self.people.jwt_token(ann))
        self.assertEqual(self.done(self.people.jwt_token(ann)), token)
        self.assertEqual((token.kind, token.expires_at, token.name), ("jwt", None, "corp:ann@x.org"))

    def test_revoke(self) -> None:
        """Tokens and running exchanges end at once, and signing in does not help; until they are let in again."""
        ann = self.done(self.people.sign_in(ANN))
        _, secret = self.done(self.people.issue(ann, DEVICE, 3600.0))
        cut: list[str] = []
        self.directory.watch(self.principal(secret), lambda: cut.append("cut"))
        self.done(self.people.revoke(ann.id))
        self.assertEqual(cut, ["cut"])
        self.assertFalse(self.principal(secret).token.is_active)
        self.failed(self.people.sign_in(ANN), PersonRevoked)
        # One that was looked up before is of no use either.
        self.failed(self.people.issue(ann, DEVICE, 3600.0), PersonRevoked)
        self.failed(self.people.jwt_token(ann), PersonRevoked)
        self.assertIsNone(self.done(self.people.reinstate(ann.id)).revoked_at)
        self.assertEqual(self.done(self.people.sign_in(ANN)).id, ann.id)
        self.assertFalse(self.principal(secret).token.is_active)

    def test_budget_set_back(self) -> None:
        """A budget begins anew with all that somebody has, and for what they get later."""
        ann = self.done(self.people.sign_in(ANN))
        first, _ = self.done(self.people.issue(ann, DEVICE, 3600.0))
        self.clock.advance(60)
        again = self.done(self.people.reset_budget(ann.id))
        self.assertEqual((again.budget_reset_at, again.version), (NOW + 60, ann.version + 2))
        self.clock.advance(60)
        second, _ = self.done(self.people.issue(self.done(self.people.sign_in(ANN)), DEVICE, 3600.0))
        found = self.done(self.people.tokens(ann.id))
        self.assertEqual({each.id: each.budget_reset_at for each in found}, {first.id: NOW + 60, second.id: NOW + 60})
        self.failed(self.people.reset_budget("nobody"), NotFound)

    def test_no_way_back(self) -> None:
        """Nobody who was shut out comes back by a token of theirs that somebody activates, or gives another secret."""
        rules = TokenRules(self.state)
        ann = self.done(self.people.sign_in(ANN))
        token, secret = self.done(self.people.issue(ann, DEVICE, 3600.0))
        self.refused(Conflict, "token is a person's", rules.rotate(token.id, 0.0))
        self.done(self.people.revoke(ann.id))
        self.refused(Conflict, "token is a person's", rules.change(token.id, TokenUpdate(is_active=True)))
        self.done(rules.change(token.id, TokenUpdate(name="laptop")))
        self.assertFalse(self.principal(secret).token.is_active)

    def test_moved(self) -> None:
        """Who gets other rights has them with the tokens that they have."""
        ann = self.done(self.people.sign_in(ANN))
        _, secret = self.done(self.people.issue(ann, DEVICE, 3600.0))
        self.principal(secret)
        self.clock.advance(1)
        self.grants[0] = GrantRule(project="p1", limits=UsageLimits(rpm_limit=9))
        self.done(self.people.sign_in(ANN))
        self.assertEqual(self.principal(secret).token.limits.rpm_limit, 9)
        self.clock.advance(1)
        self.grants[0] = GrantRule(role="auditor")
        self.done(self.people.sign_in(ANN))
        self.assertFalse(self.principal(secret).token.is_active)

    def test_export_and_delete(self) -> None:
        """All that is known of them is given out; then nothing is, and what they had is over."""
        ann = self.done(self.people.sign_in(ANN))
        _, secret = self.done(self.people.issue(ann, DEVICE, 3600.0))
        self.principal(secret)
        found = self.done(self.people.export(ann.id))
        self.assertEqual((found["person"]["name"], len(found["tokens"])), ("Ann", 1))
        self.done(self.people.delete(ann.id))
        self.assertFalse(self.principal(secret).token.is_active)
        for call in (self.people.export, self.people.delete, self.people.get, self.people.revoke, self.people.tokens):
            self.refused(NotFound, "person not found", call(ann.id))

    def failed(self, coroutine: object, error: type[Exception]) -> Exception:
        from twisted.internet.defer import Deferred

        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), error)  # type: ignore[arg-type]
        found: Exception = failure.value
        return found
