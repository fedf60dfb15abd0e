"""The variables there are."""

from __future__ import annotations

from opentelemetry.sdk import environment_variables
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.oldvariables import NOT_EFFECTIVE, OF_COMMANDS
from llmproxy.config.variables import EFFECTIVE, OTEL_VARIABLES, SECRETS, without_effect


class VariablesTests(SynchronousTestCase):
    def test_each_means_something_or_nothing(self) -> None:
        """No variable is told to do something and warned of at once, and every secret is one that does something."""
        self.assertFalse(NOT_EFFECTIVE & EFFECTIVE.keys() | OF_COMMANDS.keys() & EFFECTIVE.keys())
        self.assertLessEqual(set(SECRETS), EFFECTIVE.keys())

    def test_opentelemetry(self) -> None:
        """Those of OpenTelemetry have its exact names."""
        others = {"OTEL_PROPAGATORS", "OTEL_SEMCONV_STABILITY_OPT_IN"}
        others |= {"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"}
        known = {name for name in dir(environment_variables) if name.startswith("OTEL_")} | others
        self.assertEqual(OTEL_VARIABLES.keys() - known, set())

    def test_without_effect(self) -> None:
        """Named are those that mean nothing without another one, none that is empty, and none of others."""
        env = {"TLS_CERT_FILE": "c", "TLS_KEY_FILE": "", "HOME": "/root", "LOG_LEVEL": "info"}
        self.assertEqual(without_effect(env), ["TLS_CERT_FILE: without effect here unless there is ENABLE_TLS=true"])
        self.assertEqual(without_effect({**env, "ENABLE_TLS": "1"}), [])

    def test_redis(self) -> None:
        """What is said of Redis means something once the cache is there."""
        env = {"REDIS_ADDR": "r:6379", "REDIS_DB": "1"}
        (said,) = without_effect(env)
        self.assertTrue(said.startswith("REDIS_ADDR, REDIS_DB: without effect here unless"), said)
        self.assertEqual(without_effect({**env, "HTTP_CACHE_BACKEND": " Redis"}), [])
        env["REDIS_CACHE_TIMEOUT"] = "1s"
        (said,) = without_effect({**env, "LLM_PROXY_EVENT_BUS": "redis-streams"})
        self.assertTrue(said.startswith("REDIS_CACHE_TIMEOUT: "), said)
