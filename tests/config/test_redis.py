"""The Redis that machines share, in programs and variables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.redis import RedisConfig, read_redis_environment
from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.errors import ConfigError

from ..tables import row


class VariableTests(SynchronousTestCase):
    def test_values(self) -> None:
        """Only what is said stands above the file."""
        found = read_redis_environment({"REDIS_URL": " redis://h ", "REDIS_POOL_SIZE": "", "REDIS_KEY_PREFIX": "x:"})
        self.assertEqual(found, ({"url": "redis://h", "prefix": "x:"}, []))

    def test_wrong(self) -> None:
        """By the name of the variable, without its value where that is a secret."""
        said = {"REDIS_URL": "s3cret", "REDIS_POOL_SIZE": "many", "REDIS_TIMEOUT": "0", "REDIS_KEY_PREFIX": "a b"}
        found, problems = read_redis_environment(said)
        self.assertEqual((found, [name for name, _ in problems]), ({}, list(said)))
        self.assertNotIn("s3cret", str(problems))


class ProgramTests(SynchronousTestCase):
    def test_password(self) -> None:
        """A program may have it at hand; its rules are those of files without it."""
        for url in ("redis://u:s3cret@h/1", "redis://:s3cret@h/1", "redis://h/1?username=u&password=s3cret&db=1"):
            with row(self, url):
                found = RedisConfig(url).without_credentials()
                self.assertEqual(found.options(), RedisOptions(RedisLocation("h", database=1)))
        error = self.assertRaises(ConfigError, RedisConfig("redis://u@h").options)
        self.assertIn("a user name needs a password", str(error))
