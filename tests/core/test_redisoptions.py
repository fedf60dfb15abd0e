"""Where Redis is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redisoptions import RedisLocation, parse_redis_url

from ..tables import row


class ParseTests(SynchronousTestCase):
    def test_understood(self) -> None:
        """What other programs take for a URL of Redis is one here."""
        for text, expected in (
            ("redis://localhost:6379/0", RedisLocation()),
            ("redis://cache", RedisLocation(host="cache")),
            ("redis://cache:7000/3", RedisLocation(host="cache", port=7000, database=3)),
            ("redis://[::1]:7000/", RedisLocation(host="::1", port=7000)),
            ("redis://:s%40cret@cache", RedisLocation(host="cache", password="s@cret")),
            ("redis://me:pw@cache", RedisLocation(host="cache", username="me", password="pw")),
            ("redis://cache?db=4&username=me&password=pw", RedisLocation("cache", 6379, "me", "pw", 4)),
            ("rediss://cache:6380/1", RedisLocation(host="cache", port=6380, database=1, tls=True)),
            ("rediss://cache?ca_file=/ca.pem", RedisLocation(host="cache", tls=True, ca_file="/ca.pem")),
            ("unix:///run/redis.sock?db=2", RedisLocation(path="/run/redis.sock", database=2)),
        ):
            self.assertEqual(parse_redis_url(text), expected, text)

    def test_password_of_its_own(self) -> None:
        """A password that stands in a variable of its own is used; one in the URL goes before it."""
        self.assertEqual(parse_redis_url("redis://cache", "other").password, "other")
        self.assertEqual(parse_redis_url("redis://me@cache", "other").username, "me")
        self.assertEqual(parse_redis_url("redis://:mine@cache", "other").password, "mine")

    def test_refused(self) -> None:
        """A URL that is none is told at the start, and its password is not in what is told."""
        for text in (
            "",
            "cache:6379",
            "http://:canary@cache",
            "redis://:canary@cache:port/0",
            "redis://:canary@cache:99999/0",
            "redis://:canary@cache/zero",
            "redis://:canary@cache/0?tls=yes",
            "redis://:canary@cache/0?ca_file=x",
            "redis://:canary@cache/0#x",
            "redis://me@cache",
            "unix://",
            "redis://[::1",
        ):
            with row(text):
                error = self.assertRaises(ValueError, parse_redis_url, text)
            self.assertNotIn("canary", str(error))

    def test_no_secret_is_shown(self) -> None:
        """Neither a log nor a traceback shows the password."""
        for text in ("redis://me:canary@cache/2", "rediss://:canary@[::1]:7000", "unix:///s?password=canary"):
            location = parse_redis_url(text)
            self.assertEqual(location.password, "canary", text)
            self.assertNotIn("canary", repr(location) + location.label)
        self.assertEqual(parse_redis_url("rediss://:x@[::1]:7000/2").label, "rediss://[::1]:7000/2")
        self.assertEqual(parse_redis_url("unix:///run/redis.sock").label, "unix:///run/redis.sock")
