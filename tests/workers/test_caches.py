"""Caches of several workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.cache.memory import MemoryStore
from llmproxy.core.caching.key import Key
from llmproxy.workers.caches import AnnouncingStore, key_of, plain

from ..contracts.cache_store import CacheStoreContract


class ContractTests(CacheStoreContract, TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = AnnouncingStore(self.clock, MemoryStore(self.clock.seconds, 1 << 20), lambda keys: None)

    def pass_time(self, seconds: float) -> Deferred[None]:
        self.clock.advance(seconds)
        return succeed(None)


class KeyTests(SynchronousTestCase):
    @given(st.binary(), st.binary(max_size=32), st.text())
    def test_keys(self, target: bytes, body: bytes, tenant: str) -> None:
        """Whatever bytes are in a key, the other worker removes that one."""
        made = Key("api", tenant, b"POST", target, body)
        self.assertEqual(key_of(plain(made)).digest, made.digest)
