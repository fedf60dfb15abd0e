"""Tests for L{llmproxy.app.settingscheck}."""

from __future__ import annotations

from typing import Any

from attrs import fields
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.settings import Settings, settings_of
from llmproxy.app.settingscheck import RULES, SECRETS
from llmproxy.errors import ConfigError

from ..tables import row
from .embedded import a_config

WRONG: dict[str, tuple[Any, ...]] = {
    "management_token": (None, b"token-canary", "token canary", "canaryé", "canary\n", 7),
    "encryption_key": (b"canary", "canary" * 6, 32),
    "database_url": (None, b"canary", 5),
    "listen": ("tcp:8080", None, [8080]),
    "access_log": (b"-", 1, True),
    "log_format": ("JSON5", None, b"json", ""),
    "log_level": ("loud", "INFO", None, 10),
    "server_log_format": ("console", None),
    "metrics_path": ("metrics", "", "/a b", "/a?b", b"/metrics", 1),
    "metrics_token": (None, "canary canary", b"canary"),
    "drain_seconds": (-1, -0.1, "30s", None, float("nan"), float("inf"), True),
    "drain_delay": (-1, "5", None),
    "resolution": (0, -1, "0.1", None),
    "cache": (True, "memory", {}),
    "audit": (True, "audit.log", {}),
    "old_encryption_keys": (b"c" * 32, [b"canary"], None, "canary"),
    "require_encryption": (1, "true", None),
    "pool_size": (0, -1, 1001, 2.0, "5", True, None),
    "keep_ended_tokens": (0, -1, "90d", True),
    "manage_listen": ("tcp:8081", None),
    "otel": (None, "OTEL_X=1", {"OTEL_X": 1}, {b"OTEL_X": "1"}),
    "watch": (1, "true", None),
    "admin_ui": ("yes", 1, None),
}
RIGHT: dict[str, tuple[Any, ...]] = {
    "management_token": ("", "t" * 40),
    "encryption_key": (None, bytes(32)),
    "listen": ((), ["tcp:8080"]),
    "access_log": (None, "-", "access.log"),
    "log_format": ("json", "console"),
    "metrics_path": (None, "/", "/internal/metrics"),
    "drain_seconds": (0, 0.5, 3600),
    "resolution": (0.01, 1),
    "old_encryption_keys": ((), [bytes(32)]),
    "keep_ended_tokens": (None, 3600, 86400.0),
    "pool_size": (1, 1000),
}


def settings(**values: Any) -> Settings:
    return Settings(a_config().alone(), **values)


class SettingsCheckTests(SynchronousTestCase):
    def test_each_has_a_rule(self) -> None:
        """No setting is taken as it comes, but for the APIs, which have their own rules, and what workers inherit."""
        self.assertEqual({each.name for each in fields(Settings)} - RULES.keys(), {"apis", "inherited", "source"})
        self.assertEqual(WRONG.keys(), RULES.keys())

    def test_wrong(self) -> None:
        """What is none is named with what was expected; nothing that may be a secret is shown."""
        for name, values in WRONG.items():
            for value in values:
                with row(name, value):
                    error = self.assertRaises(ConfigError, settings_of, settings(**{name: value}), {})
                (problem,) = error.problems
                self.assertTrue(problem.startswith(f"{name}: expected {RULES[name][0]}, got "), problem)
                if name in SECRETS:
                    self.assertNotIn("canary", problem)

    def test_right(self) -> None:
        """The defaults, and what else is one."""
        settings_of(settings(), {})
        for name, values in RIGHT.items():
            for value in values:
                given = settings(**{name: value})
                self.assertIs(settings_of(given, {}), given, (name, value))

    def test_keywords(self) -> None:
        """An application is told of all that is wrong with its keywords at once, before anything is made."""
        reactor = MemoryReactorClock()
        wrong: Any = {"drain_seconds": "30s", "log_level": "loud", "database_url": ":memory:"}
        error = self.assertRaises(ConfigError, TransparentProxy, reactor, a_config(), **wrong)
        self.assertEqual(
            error.problems,
            (
                "log_level: expected one of debug, info, warn, error, got 'loud'",
                "drain_seconds: expected seconds, 0 or more, got '30s'",
            ),
        )
        self.assertEqual(reactor.getDelayedCalls(), [])
