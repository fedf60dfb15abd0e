"""What the environment says of the cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.environment import read_cache_environment
from llmproxy.core.caching.settings import CacheSettings


class EnvironmentTests(SynchronousTestCase):
    def test_unset(self) -> None:
        """As the reference: on, in memory, nothing cached that upstream gives no lifetime."""
        found, problems = read_cache_environment({})
        self.assertEqual(problems, [])
        self.assertTrue(found.enabled)
        self.assertIsNone(found.redis_url)
        self.assertEqual((found.defaults, found.stats_buffer), (CacheSettings(), 1000))

    def test_each_variable(self) -> None:
        """W21: what is documented is read."""
        found, problems = read_cache_environment(
            {
                "HTTP_CACHE_ENABLED": "No",
                "HTTP_CACHE_BACKEND": "redis",
                "HTTP_CACHE_STREAM_RESPONSES": "yes",
                "HTTP_CACHE_DEFAULT_TTL": "30",
                "HTTP_CACHE_MAX_OBJECT_BYTES": "1000",
                "REDIS_ADDR": "cache:7000",
                "REDIS_DB": "2",
                "REDIS_CACHE_TIMEOUT": "500ms",
                "REDIS_CACHE_KEY_PREFIX": "p:",
                "CACHE_STATS_BUFFER_SIZE": "7",
            }
        )
        self.assertEqual(problems, [])
        self.assertFalse(found.enabled)
        self.assertEqual(found.redis_url, "redis://cache:7000/2")
        self.assertEqual((found.timeout, found.prefix, found.stats_buffer), (0.5, "p:", 7))
        self.assertEqual(found.defaults, CacheSettings(streams=True, default_ttl=30, max_object=1000))

    def test_wrong_values_are_told(self) -> None:
        """And the default holds."""
        found, problems = read_cache_environment({"HTTP_CACHE_DEFAULT_TTL": "soon", "REDIS_CACHE_TIMEOUT": "0"})
        self.assertEqual(len(problems), 2)
        self.assertEqual((found.defaults.default_ttl, found.timeout), (0, 1.0))

    def test_password_is_not_shown(self) -> None:
        """A log of the configuration tells no secret."""
        found, _ = read_cache_environment(
            {"HTTP_CACHE_BACKEND": "redis", "REDIS_CACHE_URL": "redis://:hunter2@cache:6379/0"}
        )
        self.assertEqual(found.redis_url, "redis://:hunter2@cache:6379/0")
        self.assertNotIn("hunter2", repr(found))
