"""What can be said of the scripts without a Redis; tests/integration/test_redis.py runs them in one."""

from __future__ import annotations

import re
from hashlib import sha1
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache import scripts
from llmproxy.cache.redis import RedisStore
from llmproxy.cache.scripts import Script
from llmproxy.core.caching.entry import Found
from llmproxy.redis.pool import RedisPool

from ..contracts.cache_store import BODY, entry, key, select
from .fakeredis import FakeConnector

SCRIPTS = {name: value for name, value in vars(scripts).items() if isinstance(value, Script)}
REPLIES = {"HEADS": [], "PUT": 1, "SCOPES": [b"api\0"], "PURGE": [0, 0], "EPOCH": b"1"}
"""What ends the work of a command; 0 for all others."""

_READING = {b"TIME", b"MGET", b"HGET", b"HKEYS", b"ZRANGE", b"ZCOUNT"}


def taken(script: Script, array: bytes) -> int:
    """How many C{KEYS} or C{ARGV} a script reads, by its source."""
    unpacked = re.search(rb"local ([^=\n]+) = unpack\(%s\)" % array, script.source)
    if unpacked:
        return len(unpacked[1].split(b","))
    return max((int(at) for at in re.findall(rb"%s\[(\d+)\]" % array, script.source)), default=0)


def told(script: Script, array: bytes) -> int:
    """How many of them the comment at its head names."""
    named = re.search(rb"-- (?:[^\n]*\. )?%s: ([^.\n]+)\." % array, script.source)
    return len(named[1].replace(b" and ", b", ").split(b", ")) if named else 0


class ScriptTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sent: list[list[bytes]] = []
        clock, connector = Clock(), FakeConnector()
        connector.answers = self.answer
        self.store = RedisStore(clock, RedisPool(clock, connector, 1, 1.0), b"p:")
        self.store.start()
        self.addCleanup(self.store.stop)

    def answer(self, words: list[bytes]) -> Any:
        if words[0] == b"HMGET":
            return [None] * 4, [None] * 3
        self.sent.append(words)
        return REPLIES.get(self.named(words), 0)

    def named(self, words: list[bytes]) -> str:
        [name] = [name for name, script in SCRIPTS.items() if script.sha == words[1]]
        return name

    def test_everything_is_passed(self) -> None:
        """Each command of the store names its script and passes the keys and arguments that the script reads."""
        for done in (
            self.store.lookup(key(), select()),
            self.store.put(key(), (), select(), entry(), BODY, 60),
            self.store.heads(key()),
            self.store.replace_head(key(), Found(entry()), entry(), 60),
            self.store.remove(key()),
            self.store.purge(None, None),
            self.store.count(),
        ):
            self.successResultOf(done)
        self.assertEqual({self.named(words) for words in self.sent}, SCRIPTS.keys())
        for words in self.sent:
            script, count = SCRIPTS[self.named(words)], int(words[2])
            passed = (words[0], count, len(words) - 3 - count)
            self.assertEqual(passed, (b"EVALSHA", taken(script, b"KEYS"), taken(script, b"ARGV")), self.named(words))

    def test_comments(self) -> None:
        """Who writes another caller can go by the comment at the head of a script."""
        for name, script in SCRIPTS.items():
            for array in (b"KEYS", b"ARGV"):
                self.assertEqual(told(script, array), taken(script, array), (name, array))

    def test_names(self) -> None:
        """A script is called what Redis calls it, and no two are called the same."""
        for name, script in SCRIPTS.items():
            self.assertEqual(script.sha, sha1(script.source).hexdigest().encode(), name)
        self.assertEqual(len({script.sha for script in SCRIPTS.values()}), len(SCRIPTS))

    def test_limits_are_filled_in(self) -> None:
        """Every limit stands in the scripts as its number; a name would be nil in Lua."""
        sources = b"".join(script.source for script in SCRIPTS.values())
        self.assertEqual(re.findall(rb"\b(?:MOST_VARIANTS|MOST_REMOVED|MOST_PURGED|KEPT|SWEPT|BATCH)\b", sources), [])
        for limit in (b"count >= %d" % scripts.MOST_VARIANTS, b"0, %d)" % scripts.SWEPT, b"0, %d)" % scripts.BATCH):
            self.assertIn(limit, sources)

    def test_looking_changes_nothing(self) -> None:
        """The heads and the count only read: nothing is created or expires by being asked for."""
        for script in (scripts.HEADS, scripts.COUNT):
            self.assertEqual(set(re.findall(rb"redis\.p?call\('(\w+)'", script.source)) - _READING, set(), script)
