"""Tests of L{llmproxy.app.redislimits}."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import TransparentProxy
from llmproxy.app.redislimits import RedisLimiting
from llmproxy.config.redis import RedisConfig
from llmproxy.core.limits.verdicts import Part, Refusal
from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.limits.redis import RedisLimits
from llmproxy.sinks.metrics import ProxyMetrics

from ..limits.fakes import REQUESTS
from .embedded import a_config

AWAY = "limits: redis://redis.example:6379/0: does not answer: on_store_failure says what holds"


class RedisLimitingTests(SynchronousTestCase):
    def setUp(self) -> None:
        options = RedisOptions(RedisLocation("redis.example"))
        reactor = MemoryReactorClock()
        self.limiting = RedisLimiting(reactor, options, None, None, lambda rule: succeed(0), lambda crossed: None)

    def test_warnings(self) -> None:
        """One that was never connected is away."""
        self.assertEqual(self.limiting.warnings(), [AWAY])

    def test_metrics(self) -> None:
        """Each figure of the store is shown, and read when it is asked for."""
        metrics = ProxyMetrics()
        self.limiting.show(metrics)
        refusal = self.limiting.store.reserve([Part(evolve(REQUESTS, on_store_failure="closed"), 1)])
        assert isinstance(refusal, Refusal)
        shown = {name: read() for name, (_, read) in (metrics.gauges | metrics.counters).items()}
        self.assertEqual(
            shown, {f"llmproxy_limits_{name}": value for name, value in self.limiting.store.statistics().items()}
        )
        self.assertEqual(shown["llmproxy_limits_decided_alone"], 1)


class ChoiceTests(SynchronousTestCase):
    def proxy(self, url: str) -> TransparentProxy:
        config = evolve(a_config().alone(), redis=RedisConfig(url))
        return TransparentProxy(MemoryReactorClock(), config, database_url=":memory:")

    def test_choice(self) -> None:
        """Limits are in Redis where one is configured, and in memory without; then nothing is connected to."""
        limiting = self.proxy("redis://redis.example").foundation.limiting
        self.assertIsInstance(limiting.store, RedisLimits)
        self.assertEqual(limiting.warnings(), [AWAY])
        alone = self.proxy("").foundation.limiting
        self.assertNotIsInstance(alone.store, RedisLimits)
        alone.start()
        self.successResultOf(alone.stop())
        self.assertEqual(alone.warnings(), [])

    def test_password(self) -> None:
        """It is masked wherever it could stand."""
        proxy = self.proxy("redis://:s3cret-password@redis.example")
        self.assertIn("s3cret-password", proxy.settings.secrets())
        self.assertNotIn("s3cret", repr(proxy.settings))
