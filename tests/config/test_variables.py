"""The variables there are."""

from __future__ import annotations

from opentelemetry.sdk import environment_variables
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.variables import EFFECTIVE, NOT_EFFECTIVE, OTEL_VARIABLES, SECRETS, without_effect


class VariablesTests(SynchronousTestCase):
    def test_each_means_something_or_nothing(self) -> None:
        """No variable is told to do something and warned of at once, and every secret is one that does something."""
        self.assertFalse(NOT_EFFECTIVE & EFFECTIVE.keys())
        self.assertLessEqual(set(SECRETS), EFFECTIVE.keys())

    def test_opentelemetry(self) -> None:
        """Those of OpenTelemetry have its exact names."""
        others = {"OTEL_PROPAGATORS", "OTEL_SEMCONV_STABILITY_OPT_IN"}
        others |= {"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"}
        known = {name for name in dir(environment_variables) if name.startswith("OTEL_")} | others
        self.assertEqual(OTEL_VARIABLES.keys() - known, set())

    def test_without_effect(self) -> None:
        """Named are those of the reference that mean nothing here, none that is empty, and none of others."""
        env = {"GLOBAL_RATE_LIMIT": "5", "API_ENV": "", "HOME": "/root", "LOG_LEVEL": "info"}
        self.assertEqual(without_effect(env), ["GLOBAL_RATE_LIMIT"])

    def test_redis(self) -> None:
        """What is said of Redis means something once the cache is there."""
        env = {"REDIS_ADDR": "r:6379", "REDIS_DB": "1"}
        self.assertEqual(without_effect(env), ["REDIS_ADDR", "REDIS_DB"])
        self.assertEqual(without_effect({**env, "HTTP_CACHE_BACKEND": " Redis"}), [])
        env["REDIS_CACHE_TIMEOUT"] = "1s"
        self.assertEqual(without_effect({**env, "LLM_PROXY_EVENT_BUS": "redis-streams"}), ["REDIS_CACHE_TIMEOUT"])
