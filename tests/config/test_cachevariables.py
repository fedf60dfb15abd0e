"""What the environment says of the cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.config.cachevariables import read_cache_environment
from llmproxy.core.redisoptions import RedisLocation, RedisOptions


class EnvironmentTests(SynchronousTestCase):
    def test_unset(self) -> None:
        """As the reference: on, in memory, nothing cached that upstream gives no lifetime."""
        found, problems = read_cache_environment({})
        self.assertEqual(problems, [])
        self.assertTrue(found.enabled)
        self.assertIsNone(found.redis)
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
        self.assertEqual(found.redis, RedisOptions(RedisLocation(host="cache", port=7000, database=2), 4, 0.5))
        self.assertEqual((found.prefix, found.stats_buffer), ("p:", 7))
        self.assertEqual(found.defaults, CacheSettings(streams=True, default_ttl=30, max_object=1000))

    def test_units(self) -> None:
        """Sizes and durations are written as everywhere else."""
        found, problems = read_cache_environment(
            {"HTTP_CACHE_MEMORY_BYTES": "256MB", "HTTP_CACHE_DEFAULT_TTL": "1m", "HTTP_CACHE_MAX_OBJECT_BYTES": "4MiB"}
        )
        self.assertEqual(problems, [])
        self.assertEqual(found.memory_bytes, 256_000_000)
        self.assertEqual((found.defaults.default_ttl, found.defaults.max_object), (60.0, 4 * 2**20))

    def test_wrong_values_are_told(self) -> None:
        """And the default holds."""
        found, problems = read_cache_environment(
            {
                "HTTP_CACHE_DEFAULT_TTL": "soon",
                "REDIS_CACHE_TIMEOUT": "0",
                "HTTP_CACHE_ENABLED": "tru",
                "HTTP_CACHE_BACKEND": "rediss",
            }
        )
        self.assertEqual(len(problems), 4)
        self.assertEqual((found.defaults.default_ttl, found.redis), (0, None))

    def test_password_is_not_shown(self) -> None:
        """A log of the configuration tells no secret, wherever it stood, and neither does what is wrong with it."""
        for env in (
            {"REDIS_CACHE_URL": "redis://:hunter2@cache:6379/0"},
            {"REDIS_CACHE_URL": "rediss://cache:6379/0", "REDIS_PASSWORD": "hunter2"},
            {"REDIS_ADDR": "cache", "REDIS_PASSWORD": "hunter2"},
        ):
            found, problems = read_cache_environment({"HTTP_CACHE_BACKEND": "redis", **env})
            assert found.redis is not None
            self.assertEqual(
                (found.redis.location.host, found.redis.location.password, problems), ("cache", "hunter2", []), env
            )
            self.assertNotIn("hunter2", repr(found))
        _, problems = read_cache_environment({"HTTP_CACHE_BACKEND": "redis", "REDIS_CACHE_URL": "redis://:hunter2@x:y"})
        self.assertEqual(problems, [("REDIS_CACHE_URL", "expected a URL such as redis://host:6379/0")])

    def test_only_with_redis(self) -> None:
        """A URL alone brings no Redis: the reference has it so."""
        found, problems = read_cache_environment({"REDIS_CACHE_URL": "nonsense", "REDIS_DB": "x"})
        self.assertEqual((found.redis, problems), (None, []))

    def test_wrong_database(self) -> None:
        """What is wrong is named by the variable that it stands in."""
        _, problems = read_cache_environment({"HTTP_CACHE_BACKEND": "redis", "REDIS_DB": "x"})
        self.assertEqual(problems, [("REDIS_ADDR", "expected a database number, as in redis://host:6379/0")])
