"""The statements that change counters."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.quotas import Grant, Settlement
from llmproxy.errors import TokenInactive, TokenNotFound

from .databases import NOW, opened, project, token


class UsageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)
        self.successResultOf(self.database.projects.create(project()))

    def lease(self, token_id: str = "t1", wanted: int = 1, used: int = 0, released: int = 0) -> Grant:
        settlement = Settlement(token_id, used, released, None)
        return self.successResultOf(self.database.usage.lease(settlement, wanted, 128))

    def issue(self, **changes: object) -> None:
        self.successResultOf(self.database.tokens.create(token(**changes)))  # type: ignore[arg-type]

    def test_lease(self) -> None:
        """What is leased is gone for others until it is handed back."""
        self.issue(max_requests=10)
        self.assertEqual(self.lease(wanted=7), Grant(7))
        self.assertEqual(self.lease(wanted=7), Grant(3))
        self.assertEqual(self.lease(), Grant(0, held_elsewhere=True))
        self.assertEqual(self.lease(used=8, released=10, wanted=7), Grant(2))

    def test_spent(self) -> None:
        """What was written down is gone for good."""
        self.issue(max_requests=2)
        self.lease(wanted=2)
        self.assertEqual(self.lease(used=2, released=2), Grant(0))

    def test_refused(self) -> None:
        """A token that is unknown or revoked gets no lease, and the reason."""
        self.issue(is_active=False, max_requests=5)
        self.assertEqual(self.lease(), Grant(0, TokenInactive))
        self.assertEqual(self.lease("x"), Grant(0, TokenNotFound))

    def test_no_limit(self) -> None:
        """A token that has just lost its limit is leased as much as one may hold."""
        self.issue()
        self.assertEqual(self.lease(wanted=500), Grant(128))

    def test_settle(self) -> None:
        """Many tokens are written down in one transaction; an unknown one harms nobody."""
        self.issue()
        self.issue(token_id="t2", last_used_at=NOW + 9)
        batch = [Settlement(each, 2, 0, NOW + 1) for each in ("t2", "gone", "t1")]
        self.successResultOf(self.database.usage.settle(batch))
        found = [self.successResultOf(self.database.tokens.get(each)) for each in ("t1", "t2")]
        self.assertEqual([(each.request_count, each.last_used_at) for each in found], [(2, NOW + 1), (2, NOW + 9)])
