"""Tests for L{llmproxy.app.shownsettings}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.configsource import ConfigSource
from llmproxy.app.settings import Settings
from llmproxy.app.shownsettings import shown_settings
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.redis import RedisConfig
from llmproxy.config.upstreams import UpstreamConfig

API = APIProviderConfig(
    "https://one.example",
    ["/v1"],
    ["GET"],
    key="canary-of-the-api",
    own_key_for=frozenset({"p"}),
    upstreams=(UpstreamConfig("u", "https://two.example", key="canary-of-an-upstream"),),
)
SETTINGS = Settings(
    APIConfig({"a": API}, "a", redis=RedisConfig("redis://u:canary-of-redis@h:1/0")),
    management_token="canary-of-management",
    metrics_token="canary-of-metrics",
    encryption_key=b"canary-of-the-key-of-32-bytes-!!",
    old_encryption_keys=(b"canary-of-an-old-key-of-32-bytes",),
    database_url="postgresql://u:canary-of-the-database@h/db",
    source=ConfigSource("apis.yaml", None, {"listen": "--listen"}),
)


class ShownSettingsTests(SynchronousTestCase):
    def test_no_secret(self) -> None:
        """No secret in any place, and JSON can be made of it."""
        found = shown_settings(SETTINGS)
        text = json.dumps([found.configuration, found.settings, found.origins])
        self.assertNotIn("canary", text)
        self.assertNotIn("source", found.settings)

    def test_values(self) -> None:
        """Everything else is there."""
        found = shown_settings(SETTINGS)
        self.assertEqual((found.file, found.origins), ("apis.yaml", {"listen": "--listen"}))
        self.assertEqual(found.configuration["apis"]["a"]["base_url"], "https://one.example")
        self.assertEqual(found.settings["drain_seconds"], 30.0)
        self.assertEqual(found.settings["database_url"], "postgresql://[masked]@h/db")

    def test_no_file(self) -> None:
        self.assertIsNone(shown_settings(Settings(APIConfig({"a": API}, "a"))).file)
