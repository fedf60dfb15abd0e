"""The Redis that machines share, in files, variables and programs."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import load_api_config
from llmproxy.config.redis import RedisConfig
from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.errors import ConfigError

from ..tables import row

FILE = """
redis: {said}
default_api: a
apis:
  a: {{base_url: http://a, allowed_methods: [POST], allowed_endpoints: [/v1]}}
"""


class FileTests(SynchronousTestCase):
    def read(self, said: str, **env: str) -> RedisConfig:
        path = self.mktemp()
        Path(path).write_text(FILE.format(said=said))
        return load_api_config(path, env=env).redis

    def problems(self, said: str, **env: str) -> str:
        return "\n".join(self.assertRaises(ConfigError, self.read, said, **env).problems)

    def test_values(self) -> None:
        """Each of them has a default but the URL, without which there is no Redis."""
        self.assertIsNone(self.read("").options())
        self.assertIsNone(self.read("{pool: 9}").options())
        self.assertIsNone(self.read("{url: '${REDIS_URL:-}'}").options())
        self.assertEqual(self.read("{url: redis://h}").options(), RedisOptions(RedisLocation("h")))
        found = self.read("{url: 'redis://h/3', pool: 9, timeout: 200ms, prefix: 'a:'}").options()
        self.assertEqual(found, RedisOptions(RedisLocation("h", database=3), 9, 0.2, "a:"))

    def test_secrets(self) -> None:
        """A password comes of a variable or a file, and is shown by nothing."""
        path = self.mktemp()
        Path(path).write_text("redis://u:s3cret@h\n")
        for said, env in (
            ("{url: '${URL}'}", {"URL": "redis://u:s3cret@h"}),
            ("{url: 'redis://u:${P}@h'}", {"P": "s3cret"}),
            ("{url: 'redis://h?username=u&password=${P}'}", {"P": "s3cret"}),
            (f"{{url: 'file:{path}'}}", {}),
            ("{url: '${URL}'}", {"URL": f"file:{path}"}),
        ):
            with row(self, said):
                found = self.read(said, **env)
                options = found.options()
                assert options is not None
                self.assertEqual((options.location.username, options.location.password), ("u", "s3cret"))
                self.assertNotIn("s3cret", repr((found, options)))

    def test_written_passwords(self) -> None:
        """One in the file itself is refused without being shown, wherever in the URL it stands."""
        for url in (
            "redis://u:s3cret@h",
            "redis://:s3cret@h",
            "rediss://h/?password=s3cret",
            "unix:///s?db=1&password=s3cret",
        ):
            with row(self, url):
                problems = self.problems(f"{{url: '{url}'}}")
                self.assertIn("redis.url: expected a variable where a password stands", problems)
                self.assertNotIn("s3cret", problems)

    def test_wrong(self) -> None:
        """The value that a variable has is not shown either."""
        problems = self.problems("{url: '${URL}'}", URL="http://u:s3cret@h")
        self.assertIn("redis.url: expected a URL such as redis://host:6379/0", problems)
        self.assertNotIn("s3cret", problems)
        for said in (
            "{pool: 0}",
            "{pool: 1001}",
            "{timeout: 0}",
            "{timeout: 2h}",
            "{prefix: '{a}'}",
            "{size: 3}",
            "[a]",
        ):
            with row(self, said):
                self.assertIn("redis", self.problems(said))
