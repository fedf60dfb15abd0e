"""What every L{llmproxy.interfaces.ITokenStore} does, whatever the database."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.interfaces import ITokenStore
from llmproxy.store.database import Database

from ..store.databases import NOW, clock_at, project, token


class TokenStoreContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.tokens = self.database.tokens
        for name in ("p1", "p2"):
            self.done(self.database.projects.create(project(name)))

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def test_interface(self) -> None:
        verifyObject(ITokenStore, self.tokens)

    def test_round_trip(self) -> None:
        """What was stored is what is found, to the microsecond, by id and by hash."""
        stored = token(expires_at=NOW + 0.000001, max_requests=2**40, last_used_at=None)
        self.done(self.tokens.create(stored))
        assert self.done(self.tokens.get("t1")) == stored
        assert self.done(self.tokens.by_hash(stored.token_hash)) == stored

    def test_unknown(self) -> None:
        """What is not there is None, also to an update."""
        assert self.done(self.tokens.get("x")) is None
        assert self.done(self.tokens.by_hash("0" * 64)) is None
        assert self.done(self.tokens.update("x", is_active=False)) is None

    def test_newest_first(self) -> None:
        """A list starts with what was made last, and can be one project's."""
        for name, age, owner in (("a", 2, "p1"), ("b", 0, "p1"), ("c", 1, "p2")):
            self.done(self.tokens.create(token(name, owner, created_at=NOW - age)))
        assert [each.id for each in self.done(self.tokens.list())] == ["b", "c", "a"]
        assert [each.id for each in self.done(self.tokens.list("p1"))] == ["b", "a"]

    def test_revocation_is_dated_once(self) -> None:
        """Revoking twice keeps the first date; activating clears it."""
        self.done(self.tokens.create(token()))
        assert self.done(self.tokens.update("t1", is_active=False)).deactivated_at == NOW
        self.clock.advance(5)
        revoked = self.done(self.tokens.update("t1", is_active=False))
        assert (revoked.is_active, revoked.deactivated_at) == (False, NOW)
        active = self.done(self.tokens.update("t1", is_active=True))
        assert (active.is_active, active.deactivated_at) == (True, None)

    def test_limits(self) -> None:
        """A limit can be set, and taken away; what is not named stays."""
        self.done(self.tokens.create(token()))
        assert self.done(self.tokens.update("t1", max_requests=7)).max_requests == 7
        assert self.done(self.tokens.update("t1", is_active=True)).max_requests == 7
        assert self.done(self.tokens.update("t1", unlimited=True)).max_requests is None

    def test_unchanged_is_found(self) -> None:
        """An update that changes nothing is not taken for an unknown token."""
        self.done(self.tokens.create(token(max_requests=7)))
        assert self.done(self.tokens.update("t1", max_requests=7)).max_requests == 7

    def test_revoke_project(self) -> None:
        """All of a project's tokens are revoked, nobody else's, and a second time changes nothing."""
        for name, owner in (("a", "p1"), ("b", "p1"), ("c", "p2")):
            self.done(self.tokens.create(token(name, owner)))
        self.done(self.tokens.update("a", is_active=False))
        before = self.database.statements
        assert self.done(self.tokens.revoke_project("p1")) == (1, 2)
        assert self.database.statements - before <= 3
        assert self.done(self.tokens.revoke_project("p1")) == (0, 2)
        assert [each.is_active for each in self.done(self.tokens.list("p2"))] == [True]
        assert self.done(self.tokens.get("b")).deactivated_at == NOW

    def test_statements(self) -> None:
        """The counter that other tests trust does count."""
        before = self.database.statements
        self.done(self.tokens.get("t1"))
        assert self.database.statements > before
