"""Tests for L{llmproxy.cache.rediskeys}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache import rediskeys
from llmproxy.cache.rediskeys import RedisKeys, behind, member, milliseconds
from llmproxy.redis.commands import command

from ..contracts.cache_store import key


class KeysTests(SynchronousTestCase):
    @given(st.binary(min_size=1, max_size=12), st.text(max_size=4), st.text(max_size=4), st.binary(max_size=16))
    def test_lookup(self, prefix: bytes, api: str, tenant: str, variant: bytes) -> None:
        """A lookup is two commands as Redis reads them, whatever they hold."""
        keys, at = RedisKeys(prefix), key(api=api, tenant=tenant)
        scope = keys.scope(api, tenant)
        self.assertEqual(
            keys.lookup(at, variant),
            command(b"HMGET", keys.object(at), b"g", b"n", b"h" + variant, b"b" + variant)
            + command(b"MGET", keys.root, scope.generation, keys.logs[0]),
        )

    def test_apart(self) -> None:
        """No two things are called the same, and everything begins with the prefix."""
        keys = RedisKeys(b"p:")
        scope = keys.scope("openai", "p1")
        names = [*keys.logs, *keys.storing(key()), keys.scopes, scope.members]
        self.assertEqual(len(set(names)), len(names) - 2)
        self.assertTrue(all(name.startswith(b"p:") for name in names))

    def test_scopes_are_bounded(self) -> None:
        """The names for a million projects do not fill this process."""
        self.patch(rediskeys, "MOST_SCOPES", 3)
        keys = RedisKeys(b"p:")
        for number in range(10):
            self.assertEqual(keys.scope("a", str(number)).generation, b"p:ga\0%d" % number, number)
        self.assertLessEqual(len(keys._known), 3)

    @given(st.binary(max_size=6), st.binary(max_size=8))
    def test_prefixes(self, start: bytes, other: bytes) -> None:
        """What lies between a prefix and its end begins with it, and nothing else does."""
        end = behind(start)
        self.assertEqual(other >= start and (end == b"+" or other < end[1:]), other.startswith(start))

    def test_member(self) -> None:
        """A member begins with its target, so that it can be purged by it, and ends with its digest."""
        self.assertTrue(member(key(b"/v1/x")).startswith(b"/v1/x\0GET"))
        self.assertEqual(member(key(b"/v1/x"))[-32:], key(b"/v1/x").digest)

    def test_milliseconds(self) -> None:
        """Nothing is stored for no time, nor for longer than Redis can count."""
        for seconds, expected in ((0.0, b"1"), (1.5, b"1500"), (1e12, b"1000000000000")):
            self.assertEqual(milliseconds(seconds), expected, seconds)
