"""What the retention of ended tokens does, whatever the database."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import select
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from llmproxy.core.quotas import Settlement
from llmproxy.store import endedtokens
from llmproxy.store.database import Database
from llmproxy.store.endedtokens import EndedTokens
from llmproxy.store.schema import ended_tokens, leases

from ..store.databases import NOW, clock_at, project, token

DAY = 86400.0


class EndedTokensContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.done(self.database.projects.create(project()))

    def issue(self, token_id: str, **changes: Any) -> None:
        self.done(self.database.tokens.create(token(token_id, **changes)))

    def clear(self) -> None:
        self.done(Deferred.fromCoroutine(EndedTokens(self.clock, self.database, 30 * DAY).clear()))

    def left(self) -> list[str]:
        return sorted(each.id for each in self.done(self.database.tokens.list()))

    def names(self) -> dict[str, tuple[Any, ...]]:
        query = select(ended_tokens)
        rows = self.done(self.database.read(lambda connection: connection.execute(query).all()))
        return {row.id: (row.name, row.project_id, row.ended_at, row.removed_at) for row in rows}

    def test_ended(self) -> None:
        """What expired or was revoked long enough ago goes, and leaves its name; everything else stays."""
        old, new = NOW - 30 * DAY - 1, NOW - 30 * DAY
        for token_id, changes in (
            ("expired", {"expires_at": old, "name": "späť 東京"}),
            ("expired-late", {"expires_at": new}),
            ("revoked", {"is_active": False, "deactivated_at": old, "expires_at": None}),
            ("revoked-late", {"is_active": False, "deactivated_at": new, "expires_at": None}),
            ("both", {"is_active": False, "deactivated_at": old, "expires_at": old - 5}),
            ("let-in-again", {"is_active": True, "deactivated_at": old, "expires_at": None}),
            ("revoked-somehow", {"is_active": False, "deactivated_at": None, "expires_at": None}),
            ("good", {"expires_at": NOW + DAY}),
            ("endless", {"expires_at": None}),
            ("used-up", {"expires_at": None, "max_requests": 1, "request_count": 1}),
        ):
            self.issue(token_id, **changes)
        self.clear()
        stay = ["endless", "expired-late", "good", "let-in-again", "revoked-late", "revoked-somehow", "used-up"]
        assert self.left() == stay, self.left()
        assert self.names() == {
            "expired": ("späť 東京", "p1", old, NOW),
            "revoked": (None, "p1", old, NOW),
            "both": (None, "p1", old - 5, NOW),
        }, self.names()
        self.clear()
        assert self.left() == stay

    def test_batches(self) -> None:
        """However many there are, a transaction removes a bounded number."""
        for number in range(7):
            self.issue(f"t{number}", expires_at=1.0)
        self.patch(endedtokens, "BATCH", 3)  # type: ignore[attr-defined]
        self.clear()
        assert (self.left(), len(self.names())) == ([], 7)

    def test_leases(self) -> None:
        """What was leased of one goes along; a process that writes its uses down later does no harm."""
        self.issue("t1", max_requests=100)
        self.done(self.database.usage.lease(Settlement("t1", 0, 0, None), 10, 10, uuid4().hex))
        self.clock.advance(31 * DAY)
        self.clear()
        found = self.done(self.database.read(lambda connection: connection.execute(select(leases)).all()))
        assert (self.left(), found) == ([], [])
        self.done(self.database.usage.settle([Settlement("t1", 3, 10, None)], uuid4().hex))
        self.done(self.database.usage.increment_cache_hit_count_batch({"t1": 1}))
        assert self.left() == []

    def test_name_twice(self) -> None:
        """One that came back from a backup goes again."""
        for _ in range(2):
            self.issue("t1", expires_at=1.0)
            self.clear()
        assert (self.left(), list(self.names())) == ([], ["t1"])
