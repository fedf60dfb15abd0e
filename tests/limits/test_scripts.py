"""What can be said of the scripts without a Redis; tests/integration/test_redis_limits.py runs them in one."""

from __future__ import annotations

from llmproxy.core.limits.verdicts import Part
from llmproxy.limits import scripts
from llmproxy.limits.redis import RedisLimits

from ..tables import row
from .fakes import BUDGET, NAMES, PARALLEL, REQUESTS, TOKENS, LimitsTestCase

WORDS = {"RESERVE": (3, 6, 0), "SETTLE": (1, 7, 1), "RENEW": (1, 3, 0), "BEGIN": (3, 0, 0), "LEFT": (0, 3, 0)}
"""Arguments before those of each part, those of each, and keys before the two of each."""

RULES = (REQUESTS, TOKENS, PARALLEL, BUDGET)


class ScriptTests(LimitsTestCase):
    def test_everything_is_passed(self) -> None:
        """Each call has as many keys and arguments as its script reads."""
        self.replies |= {"RESERVE": [[b"unknown", 4], [b"ok", 1, 1000]], "BEGIN": 1, "LEFT": [b"1", -1] * 4}
        held = self.held(*(Part(each, 2) for each in RULES))
        self.store.left(RULES)
        self.pass_time(RedisLimits.lease / 3)
        self.store.settle(held, [1, 1, 1, 1])
        self.pass_time(1)
        self.assertEqual({name for name, _ in self.ran}, set(NAMES.values()))
        for name, words in self.ran:
            with row(self, name):
                keys, (before, each, more) = int(words[0]), WORDS[name]
                self.assertEqual(len(words) - 1 - keys, before + each * ((keys - more) // 2))

    def test_heads(self) -> None:
        """Who writes another caller can go by the comment at the head of a script."""
        for name in NAMES.values():
            with row(self, name):
                source = getattr(scripts, name).source
                self.assertIn(b"-- KEYS: ", source)
                self.assertIn(b"ARGV: ", source)
