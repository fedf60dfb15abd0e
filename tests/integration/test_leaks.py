"""Thousands of exchanges that end in every way leave nothing behind."""

from __future__ import annotations

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import BreakerConfig

from .churn import AnsweringUpstream, Churn, leftover, living, settled
from .harness import ProxyTestCase

COUNT = 1000
"""Exchanges; C{python -m tests.benchmarks.leaks} has a hundred thousand."""


class LeakTests(ProxyTestCase):
    timeout = 120

    def make_upstream(self) -> AnsweringUpstream:
        return AnsweringUpstream()

    def api(self, base_url: str) -> APIProviderConfig:
        return evolve(super().api(base_url), breaker=BreakerConfig(threshold=1_000_000))

    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": self.api(base_url)}, "api")

    async def test_nothing_is_left(self) -> None:
        """No object of ours, no descriptor, no timer more than after the first hundreds; and nothing failed."""
        churn = Churn(self.port, self.secret, seed=3)
        await churn.run(400, 20)
        await settled(self.service, self.upstream)
        self.records.clear()
        before = living()
        await churn.run(COUNT, 20)
        await settled(self.service, self.upstream)
        await deferLater(reactor, 0.1)
        endings = {record.ended for record in self.records}
        self.records.clear()
        self.assertEqual(await leftover(before), {})
        self.assertLessEqual({"complete", "client_left", "upstream_failed", "refused"}, endings)
        self.assertNotIn("failed", endings)
