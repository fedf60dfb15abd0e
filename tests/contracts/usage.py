"""What the statements that change counters do, whatever the database."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.core.quotas import Grant, Settlement
from llmproxy.errors import TokenInactive, TokenNotFound
from llmproxy.interfaces import ICacheStatsStore
from llmproxy.store.database import Database
from llmproxy.store.schema import writings
from llmproxy.store.usage import REMEMBERED_FOR

from ..store.databases import NOW, clock_at, project, token


class UsageContract:
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

    def lease(self, token_id: str = "t1", wanted: int = 1, used: int = 0, released: int = 0) -> Grant:
        settlement = Settlement(token_id, used, released, None)
        return self.done(self.database.usage.lease(settlement, wanted, 128, uuid4().hex))

    def issue(self, **changes: object) -> None:
        self.done(self.database.tokens.create(token(**changes)))  # type: ignore[arg-type]

    def test_lease(self) -> None:
        """What is leased is gone for others until it is handed back."""
        self.issue(max_requests=10)
        assert self.lease(wanted=7) == Grant(7)
        assert self.lease(wanted=7) == Grant(3)
        assert self.lease() == Grant(0, held_elsewhere=True)
        assert self.lease(used=8, released=10, wanted=7) == Grant(2)

    def test_spent(self) -> None:
        """What was written down is gone for good."""
        self.issue(max_requests=2)
        self.lease(wanted=2)
        assert self.lease(used=2, released=2) == Grant(0)

    def test_refused(self) -> None:
        """A token that is unknown or revoked gets no lease, and the reason."""
        self.issue(is_active=False, max_requests=5)
        assert self.lease() == Grant(0, TokenInactive)
        assert self.lease("x") == Grant(0, TokenNotFound)

    def test_no_limit(self) -> None:
        """A token that has just lost its limit is leased as much as one may hold."""
        self.issue()
        assert self.lease(wanted=500) == Grant(128)

    def test_settle(self) -> None:
        """Many tokens are written down in one transaction; an unknown one harms nobody."""
        self.issue()
        self.issue(token_id="t2", last_used_at=NOW + 9)
        batch = [Settlement(each, 2, 0, NOW + 1) for each in ("t2", "gone", "t1")]
        self.done(self.database.usage.settle(batch, "a"))
        found = [self.done(self.database.tokens.get(each)) for each in ("t1", "t2")]
        assert [(each.request_count, each.last_used_at) for each in found] == [(2, NOW + 1), (2, NOW + 9)]

    def test_hits(self) -> None:
        """Hits of many tokens are one statement; they add up, nothing else changes, an unknown token harms nobody."""
        verifyObject(ICacheStatsStore, self.database.usage)
        for token_id in ("t1", "t2", "t3"):
            self.issue(token_id=token_id, request_count=7)
        add = self.database.usage.increment_cache_hit_count_batch
        sent = [self.database.statements]
        for counts in ({"t1": 3}, {"t2": 5, "gone": 1, "t1": 2}, {}):
            self.done(add(counts))
            sent.append(self.database.statements)
        # One of them may be the beginning of the transaction.
        assert sent[1] - sent[0] == sent[2] - sent[1] <= 2
        assert sent[3] == sent[2]
        found = [self.done(self.database.tokens.get(each)) for each in ("t1", "t2", "t3")]
        assert [each.cache_hit_count for each in found] == [5, 5, 0]
        assert [(each.request_count, each.last_used_at) for each in found] == [(7, None)] * 3

    def test_hits_of_a_whole_batch(self) -> None:
        """A thousand tokens at once are still one statement."""
        self.issue()
        counts = {f"token-{number}": number for number in range(999)} | {"t1": 2**40}
        self.done(self.database.usage.increment_cache_hit_count_batch(counts))
        assert self.done(self.database.tokens.get("t1")).cache_hit_count == 2**40

    def test_happened(self) -> None:
        """Of a writing whose end nobody saw it can be found out whether it happened, as often as one asks."""
        self.issue()
        self.done(self.database.usage.settle([Settlement("t1", 2, 0, NOW)], "written"))
        self.done(self.database.usage.lease(Settlement("t1", 1, 0, NOW), 1, 128, "leased"))
        for _ in range(2):
            found = {name: self.done(self.database.usage.happened(name)) for name in ("written", "leased", "never")}
            assert found == {"written": True, "leased": True, "never": False}

    def test_cannot_happen_any_more(self) -> None:
        """What was said not to have happened does not happen later: a server that was paused may still try."""
        self.issue()
        assert not self.done(self.database.usage.happened("late"))
        late = self.database.usage.settle([Settlement("t1", 2, 0, NOW)], "late")
        self.failureResultOf(late, IntegrityError)  # type: ignore[attr-defined]
        assert self.done(self.database.tokens.get("t1")).request_count == 0

    def test_forgotten(self) -> None:
        """What is kept to find that out is kept for a day."""
        self.issue()
        self.done(self.database.usage.settle([Settlement("t1", 1, 0, NOW)], "old"))
        self.clock.advance(REMEMBERED_FOR + 1)
        self.done(self.database.usage.settle([Settlement("t1", 1, 0, NOW)], "new"))
        count = self.database.read(lambda connection: connection.scalar(select(func.count()).select_from(writings)))
        assert self.done(count) == 1
