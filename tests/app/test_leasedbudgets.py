"""Tests of L{llmproxy.app.leasedbudgets}."""

from __future__ import annotations

import os

from attrs import evolve
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import TransparentProxy
from llmproxy.config.redis import RedisConfig
from llmproxy.config.usagelimits import UsageLimitsConfig
from llmproxy.limits.split import SplitLimits

from ..tables import row
from .embedded import a_config


class ChoiceTests(SynchronousTestCase):
    def shares(self, url: str, said: bool, redis: str = "") -> bool:
        limits = UsageLimitsConfig(budget_leases=said)
        config = evolve(a_config().alone(), redis=RedisConfig(redis), usage_limits=limits)
        proxy = TransparentProxy(MemoryReactorClock(), config, database_url=url, encryption_key=bytes(32))
        return isinstance(proxy.foundation.limiting.store, SplitLimits)

    def test_table(self) -> None:
        """Where others can open the database; not beside Redis, and not where it is not wanted."""
        file = os.path.join(os.path.abspath(self.mktemp()), "llmproxy.db")
        server = "postgresql://u:p@127.0.0.1:1/d"
        for url, said, redis, expected in (
            (server, True, "", True),
            (server, False, "", False),
            (server, True, "redis://redis.example", False),
            (file, True, "", True),
            (file, False, "", False),
            (":memory:", True, "", False),
        ):
            with row(f"{url} {said} {redis}"):
                self.assertEqual(self.shares(url, said, redis), expected)
