"""The memory in front of a shared store."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.cache.memory import MemoryStore
from llmproxy.cache.tiered import TieredStore
from llmproxy.core.caching.entry import Found

from ..contracts.cache_store import BODY, CacheStoreContract, entry, key, select


class SlowStore(MemoryStore):
    """A shared store whose lookups are answered when the test says so."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.seconds, 1 << 20)
        self.lookups = 0
        self.held: list[tuple[Deferred[Any], Any]] | None = None

    def lookup(self, key: Any, select: Any) -> Deferred[Any]:
        self.lookups += 1
        primary = self._primaries.get(key.digest)
        found = self.found(key, select)
        if found is not None and primary is not None:
            found = type(found)(found.entry, found.body, found.variant, primary.names)
        if self.held is None:
            return succeed(found)
        waiting: Deferred[Any] = Deferred()
        self.held.append((waiting, found))
        return waiting

    def release(self) -> None:
        held, self.held = self.held or [], None
        for waiting, found in held:
            waiting.callback(found)


class ContractTests(CacheStoreContract, TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = TieredStore(MemoryStore(self.clock.seconds, 1 << 20), SlowStore(self.clock))

    def pass_time(self, seconds: float) -> Deferred[None]:
        self.clock.advance(seconds)
        return succeed(None)


class TieredStoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.shared = SlowStore(self.clock)
        self.store = TieredStore(MemoryStore(self.clock.seconds, 1 << 20), self.shared)
        self.put()

    def put(self, body: bytes = BODY, names: tuple[bytes, ...] = (), **values: bytes) -> None:
        self.successResultOf(self.store.put(key(), names, select(**values), entry(), body, 60))

    def body(self, **values: bytes) -> bytes | None:
        found = self.successResultOf(self.store.lookup(key(), select(**values)))
        return None if found is None or found.entry is None else found.body

    def test_asked_once_a_second(self) -> None:
        """What everybody asks for costs Redis one lookup a second."""
        for _ in range(100):
            self.assertEqual(self.body(), BODY)
        self.assertEqual(self.shared.lookups, 1)
        self.clock.advance(1.0)
        self.body()
        self.assertEqual(self.shared.lookups, 2)

    def test_removed_elsewhere(self) -> None:
        """What another proxy purges is gone here within a second."""
        self.body()
        self.shared.purge(None, None)
        self.clock.advance(0.9)
        self.assertEqual(self.body(), BODY)
        self.clock.advance(0.1)
        self.assertIsNone(self.body())

    def test_use_does_not_prolong(self) -> None:
        """Being asked for again and again keeps no copy alive."""
        self.body()
        self.shared.purge(None, None)
        for _ in range(8):
            self.clock.advance(0.125)
            body = self.body()
        self.assertIsNone(body)

    def test_changed_here(self) -> None:
        """What this process changes, it sees changed at once."""
        self.body()
        self.put(b"new")
        self.assertEqual(self.body(), b"new")
        self.successResultOf(self.store.replace_head(key(), Found(entry()), entry(b'"b"'), 60))
        found = self.successResultOf(self.store.lookup(key(), select()))
        self.assertEqual(found.entry, entry(b'"b"'))
        self.successResultOf(self.store.remove(key()))
        self.assertIsNone(self.body())
        self.put()
        self.body()
        self.successResultOf(self.store.purge("openai", None, b"/v1"))
        self.assertIsNone(self.body())

    def test_removed_while_looking(self) -> None:
        """What was read before it was removed here is not kept."""
        for change in (
            lambda: self.store.remove(key()),
            lambda: self.store.purge(None, None),
            lambda: self.store.put(key(), (), select(), entry(), b"new", 60),
            lambda: self.store.replace_head(key(), Found(entry()), entry(b'"b"'), 60),
            lambda: self.store.forget(None, None),
        ):
            self.put()
            self.shared.held = []
            looking = self.store.lookup(key(), select())
            change()
            self.shared.release()
            self.assertEqual(self.successResultOf(looking).body, BODY, change)
            self.assertEqual(self.store.near.statistics()["entries"], 0, change)

    def test_purged_by_another_worker(self) -> None:
        """A worker that hears of a purge answers nothing of it any more."""
        self.body()
        self.shared.purge(None, None)
        self.store.forget("openai", "p1", b"/v1")
        self.assertIsNone(self.body())

    def test_variants(self) -> None:
        """A copy answers its own variant and no other."""
        self.put(b"one", (b"accept",), accept=b"1")
        self.assertEqual(self.body(accept=b"1"), b"one")
        self.assertIsNone(self.body(accept=b"2"))
        self.assertEqual(self.body(accept=b"1"), b"one")

    def test_statistics(self) -> None:
        """The bytes are those that this process holds."""
        self.body()
        numbers = self.store.statistics()
        self.assertEqual(numbers["entries"], 1)
        self.clock.advance(1)
        self.store.near.purge(None, None)
        self.assertEqual(self.store.statistics()["bytes"], 0)
