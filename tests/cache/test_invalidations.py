"""Tests for L{llmproxy.cache.invalidations}, by the store that has them."""

from __future__ import annotations

from llmproxy.cache import invalidations as removals
from llmproxy.cache import scripts
from llmproxy.redis.pool import PATIENCE

from ..contracts.cache_store import key
from .test_redis import StoreTestCase


class RemovalsTests(StoreTestCase):
    def test_removed_while_down(self) -> None:
        """W17: what became invalid while Redis was away is not served when it is back."""
        self.connector.failure = OSError("refused")
        self.redis.abort()
        self.assertEqual(self.successResultOf(self.store.remove(key())), 0)
        self.connector.failure = None
        self.clock.advance(0.1)
        self.assertEqual(self.redis.sent[0][:2], [b"EVALSHA", scripts.REMOVE.sha])
        self.assertIsNone(self.successResultOf(self.lookup()))
        self.redis.answer(1)
        self.lookup()
        self.assertEqual(self.redis.sent[-1][0], b"HMGET")

    def test_too_much_removed_while_down(self) -> None:
        """What is to be removed is remembered within bounds; beyond, everything goes."""
        self.patch(removals, "MOST_OWED", 3)
        self.connector.failure = OSError("refused")
        self.redis.abort()
        for number in range(5):
            self.store.remove(key(b"/%d" % number))
        self.clock.advance(0.1)
        self.assertEqual(self.store._removals._owed, {})
        self.connector.failure = None
        self.clock.advance(0.2)
        self.assertIsNone(self.successResultOf(self.lookup()))
        self.redis.answer(None)
        self.redis.answer([b"openai\0p1"])
        self.redis.answer([3, 3])
        self.lookup()
        self.assertEqual(self.redis.sent[-1][0], b"HMGET")

    def test_removals_are_gathered(self) -> None:
        """A thousand POSTs to one target are a few removals, the first at once; until it is gone it is not found."""
        removing = [self.store.remove(key()) for _ in range(1000)]
        self.assertEqual(len(self.redis.sent), 1)
        self.assertIsNone(self.successResultOf(self.lookup()))
        self.redis.answer(1)
        self.assertEqual(self.successResultOf(removing[0]), 1)
        self.assertIsNone(self.successResultOf(self.lookup()))
        other = self.store.remove(key(b"/other"))
        self.assertEqual(len(self.redis.sent), 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.redis.sent), 3)
        self.redis.answer(0)
        self.redis.answer(1)
        self.assertEqual([self.successResultOf(each) for each in removing[1:]], [0] * 999)
        self.assertEqual(self.successResultOf(other), 1)
        self.clock.advance(0.1)
        self.assertEqual(self.store._removals._leaving, {})
        self.lookup()
        self.assertEqual(self.redis.sent[-1][0], b"HMGET")

    def test_stop_sends_what_was_gathered(self) -> None:
        """What became invalid at the very end is still told to Redis."""
        self.store.remove(key())
        last = self.store.remove(key(b"/other"))
        stopping = self.store.stop()
        self.assertEqual(len(self.redis.sent), 2)
        self.redis.answer(1)
        self.assertNoResult(stopping)
        self.redis.answer(1)
        self.successResultOf(stopping)
        self.assertEqual(self.successResultOf(last), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_waits_for_nobody(self) -> None:
        """A Redis that hangs does not keep the proxy from ending."""
        self.store.remove(key())
        stopping = self.store.stop()
        self.clock.pump([PATIENCE, 0])
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])
