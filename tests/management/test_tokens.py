"""Tests for L{llmproxy.management.tokens}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from llmproxy.core.tokens import generate, is_well_formed, token_hash
from llmproxy.errors import (
    BadRequest,
    Conflict,
    NotFound,
    PreconditionFailed,
    ProjectInactive,
    ProxyError,
    TokenNotFound,
    Unprocessable,
)
from llmproxy.management.checks import MAX_MINUTES
from llmproxy.management.tokens import TokenRequest, TokenRules, TokenUpdate
from llmproxy.message import Token

from ..store.databases import NOW
from ..tables import row
from .world import RulesTestCase

YEAR = MAX_MINUTES * 60.0


class RequestTests(RulesTestCase):
    def test_refused(self) -> None:
        """Of several faults the first in the reference's order is said."""
        table: tuple[tuple[dict[str, Any], type[ProxyError], str], ...] = (
            ({"duration": YEAR + 1, "project_id": ""}, BadRequest, "duration_minutes exceeds maximum allowed"),
            ({"duration": float("inf")}, BadRequest, "duration_minutes exceeds maximum allowed"),
            ({"duration": 0, "project_id": ""}, BadRequest, "project_id and duration_minutes are required"),
            ({"duration": -1, "name": " "}, BadRequest, "project_id and duration_minutes are required"),
            ({"project_id": "", "max_requests": -1}, BadRequest, "project_id is required"),
            ({"max_requests": -1, "name": " "}, BadRequest, "max_requests must be >= 0"),
            ({"name": "\u200b"}, Unprocessable, "invalid name"),
        )
        for values, error, message in table:
            raised = self.assertRaises(error, TokenRequest, **{"project_id": "p1", "duration": 60.0, **values})
            self.assertEqual(raised.message, message, values)

    def test_accepted(self) -> None:
        """The bounds themselves are within; no name is a name that is not given."""
        for values in (
            {"duration": YEAR},
            {"duration": 0.5},
            {"max_requests": 0},
            {"name": ""},
            {"max_requests": None},
        ):
            TokenRequest(**{"project_id": "p1", "duration": 60.0, **values})  # type: ignore[arg-type]


class UpdateTests(RulesTestCase):
    def test_changed(self) -> None:
        """What takes something away is a change too, and nothing is none."""
        table = (
            (TokenUpdate(), []),
            (TokenUpdate(is_active=False, max_requests=0), ["is_active", "max_requests"]),
            (TokenUpdate(expires_at=0.0, name="", metadata={}), ["expires_at", "name", "metadata"]),
        )
        for update, names in table:
            self.assertEqual(update.changed, names, (update, names))

    def test_refused(self) -> None:
        """Of several faults the first in the order of the API is said; that nothing is given last."""
        table = (
            (TokenUpdate(max_requests=-1, name=" "), BadRequest, "max_requests must be >= 0"),
            (TokenUpdate(expires_at=NOW, name=" "), Unprocessable, "expires_at is in the past"),
            (TokenUpdate(expires_at=NOW + YEAR + 1), Unprocessable, "expires_at exceeds maximum allowed"),
            (TokenUpdate(is_active=True, name=" "), Unprocessable, "invalid name"),
            (TokenUpdate(), BadRequest, "no fields to update"),
        )
        for update, error, message in table:
            with row(update):
                self.assertEqual(self.assertRaises(error, update.check, NOW).message, message, (update, error, message))


class TokenRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.rules = TokenRules(self.state)

    def issued(self, **more: Any) -> tuple[Token, str]:
        return self.done(self.rules.issue(TokenRequest("p1", 3600.0, **more)))

    def stored(self, token_id: str) -> Token:
        found = self.successResultOf(self.database.tokens.get(token_id))
        assert found is not None
        return found

    def test_issue(self) -> None:
        """What is stored is what was wanted, never the secret."""
        token, secret = self.issued(max_requests=5, name="ci", metadata={"team": "a"})
        self.assertTrue(is_well_formed(secret.encode()))
        self.assertEqual(self.stored(token.id), token)
        self.assertEqual((token.expires_at, token.created_at, token.max_requests), (NOW + 3600, NOW, 5))
        self.assertEqual((token.name, token.metadata), ("ci", '{"team":"a"}'))
        self.assertNotIn(secret, repr(token))
        self.assertEqual(self.principal(secret).token.id, token.id)

    def test_issue_nothing_more(self) -> None:
        """No limit, no name and no metadata are stored as none."""
        for more in ({}, {"max_requests": 0, "name": "", "metadata": {}}):
            token, _ = self.issued(**more)
            stored = self.stored(token.id)
            self.assertEqual((stored.max_requests, stored.name, stored.metadata), (None, None, None), more)

    def test_issue_kept_secret(self) -> None:
        """A secret that was kept before is the token's, and no longer remembered as unknown."""
        secret = generate(lambda count: bytes(range(count)))
        self.failureResultOf(self.directory.load(secret.encode()), TokenNotFound)
        token, same = self.done(self.rules.issue(TokenRequest("p1", 60.0), secret))
        self.assertEqual((same, token.token_hash), (secret, token_hash(secret.encode())))
        self.assertEqual(self.principal(secret).token.id, token.id)

    def test_issue_refused(self) -> None:
        """A token belongs to a project that is there, and active."""
        for project_id, error, message in (
            ("p0", NotFound, "project not found"),
            ("p2", ProjectInactive, "cannot create tokens for inactive projects"),
        ):
            self.refused(error, message, self.rules.issue(TokenRequest(project_id, 60.0)))
        self.assertEqual(self.successResultOf(self.database.tokens.list()), [])

    def test_find(self) -> None:
        """By the secret or its hash in any case, also by the one of before a rotation; counts are written first."""
        token, secret = self.issued()
        rotated, new = self.done(self.rules.rotate(token.id, 60.0))
        for wanted in ({"secret": secret}, {"secret": new}, {"digest": token_hash(secret.encode()).upper()}):
            self.counts.asked.clear()
            self.assertEqual(self.done(self.rules.find(**wanted)), rotated, wanted)
            self.assertEqual(self.counts.asked, ["flush"], wanted)

    def test_find_refused(self) -> None:
        """One of both; and one that there is."""
        for wanted in ({}, {"secret": "a", "digest": "b"}):
            self.refused(BadRequest, "token or hash is required", self.rules.find(**wanted))
        for wanted in ({"secret": "sk-nobody"}, {"digest": "0" * 64}):
            self.refused(NotFound, "token not found", self.rules.find(**wanted))

    def test_change(self) -> None:
        """What is given changes, in the store and for requests at once; the rest stays."""
        token, secret = self.issued(max_requests=5, name="ci", metadata={"a": "b"})
        self.principal(secret)
        changed = self.done(self.rules.change(token.id, TokenUpdate(max_requests=7)))
        self.assertEqual(changed, evolve(token, max_requests=7, version=2))
        self.assertEqual(self.principal(secret).token.max_requests, 7)
        self.assertEqual(self.counts.asked, [f"settle {token.id}"])
        changed = self.done(self.rules.change(token.id, TokenUpdate(max_requests=0, name="", metadata={})))
        self.assertEqual((changed.max_requests, changed.name, changed.metadata), (None, None, None))
        changed = self.done(self.rules.change(token.id, TokenUpdate(expires_at=NOW + 5.0, metadata={"c": "d"})))
        self.assertEqual((changed.expires_at, changed.metadata, changed.version), (NOW + 5.0, '{"c":"d"}', 4))

    def test_change_when_counts_are_away(self) -> None:
        """A change is made although uses cannot be written down."""
        token, _ = self.issued()
        self.counts.away = True
        self.assertFalse(self.done(self.rules.change(token.id, TokenUpdate(is_active=False))).is_active)

    def test_change_refused(self) -> None:
        """What is wrong by itself is refused before it is asked of what; nothing is changed."""
        token, _ = self.issued()
        self.refused(BadRequest, "no fields to update", self.rules.change("t0", TokenUpdate()))
        self.refused(NotFound, "token not found", self.rules.change("t0", TokenUpdate(name="x"), {9}))
        self.refused(PreconditionFailed, "precondition failed", self.rules.change(token.id, TokenUpdate(name="x"), {9}))
        self.assertEqual(self.stored(token.id), token)

    def test_two_changes_of_one_version(self) -> None:
        """Of two who saw the same version the second changes nothing."""
        token, _ = self.issued()
        both = [self.rules.change(token.id, TokenUpdate(name=name), {1}) for name in ("a", "b")]
        self.done(both[0])
        self.failureResultOf(Deferred.fromCoroutine(both[1]), PreconditionFailed)
        self.assertEqual(self.stored(token.id).name, "a")

    def test_revoke(self) -> None:
        """Requests that run are ended before it is done; a second time changes nothing that counts."""
        token, secret = self.issued()
        ended: list[bool] = []
        self.directory.watch(self.principal(secret), lambda: ended.append(True))
        self.done(self.rules.revoke(token.id))
        self.assertEqual((ended, self.stored(token.id).is_active), ([True], False))
        self.clock.advance(1)
        self.done(self.rules.revoke(token.id))
        self.assertEqual(self.stored(token.id).deactivated_at, NOW)
        self.refused(NotFound, "token not found", self.rules.revoke("t0"))
        self.refused(PreconditionFailed, "precondition failed", self.rules.revoke(token.id, {1}))

    def test_rotate(self) -> None:
        """The new secret is good at once, the present one until the overlap ends; a new time counts from now."""
        token, secret = self.issued()
        rotated, new = self.done(self.rules.rotate(token.id, 60.0, 120.0, {1}))
        self.assertEqual((rotated.previous_until, rotated.expires_at), (NOW + 60, NOW + 120))
        self.assertEqual(self.principal(new).token.expires_at, NOW + 120)
        self.assertEqual(self.principal(secret).token.expires_at, NOW + 60)

    def test_rotate_at_once(self) -> None:
        """Without an overlap the present secret ends now; without a duration the token ends when it did."""
        token, secret = self.issued()
        rotated, _ = self.done(self.rules.rotate(token.id, 0))
        self.assertEqual((rotated.previous_until, rotated.expires_at), (None, token.expires_at))
        self.failureResultOf(self.directory.load(secret.encode()), TokenNotFound)

    def test_rotate_bounds(self) -> None:
        """An overlap is a week at most, a duration a year; the bounds themselves are within."""
        token, _ = self.issued()
        for overlap, duration in ((-1.0, None), (7 * 86_400 + 1, None), (0, 0.0), (0, -60.0), (0, YEAR + 1)):
            failure = self.failureResultOf(Deferred.fromCoroutine(self.rules.rotate(token.id, overlap, duration)))
            self.assertIs(failure.type, BadRequest, (overlap, duration))
        self.assertEqual(self.stored(token.id), token)
        self.done(self.rules.rotate(token.id, 7 * 86_400, YEAR))

    def test_rotate_refused(self) -> None:
        """A version that is not there comes before what state it is in; one that is over needs a time."""
        token, _ = self.issued()
        self.clock.advance(3600)
        self.refused(Conflict, "token has expired", self.rules.rotate(token.id, 60.0))
        self.done(self.rules.rotate(token.id, 60.0, 60.0))
        self.done(self.rules.revoke(token.id))
        self.refused(PreconditionFailed, "precondition failed", self.rules.rotate(token.id, 60.0, versions={1}))
        self.refused(Conflict, "token is revoked", self.rules.rotate(token.id, 60.0, 60.0))
        self.refused(NotFound, "token not found", self.rules.rotate("t0", 60.0))
