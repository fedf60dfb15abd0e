"""The memory store: the contract, its order of leaving, and its bound."""

from __future__ import annotations

import gc
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.cache.memory import OVERHEAD, MemoryStore
from llmproxy.core.caching.content import PIECE, Pieces
from llmproxy.core.caching.entry import Found
from llmproxy.core.caching.key import Key
from tests.compiled import python_only

from ..contracts.cache_store import CacheStoreContract, entry, key, select
from ..properties import examples

LIMIT = 1024 * 1024
FIELDS = [
    (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"1024"),
    (b"Cache-Control", b"public, max-age=60"),
    (b"ETag", b'"0123456789abcdef"'),
]


class ContractTests(CacheStoreContract, TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self.clock.seconds, LIMIT)

    def pass_time(self, seconds: float) -> Deferred[None]:
        self.clock.advance(seconds)
        return succeed(None)


class BoundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def put(self, store: MemoryStore, at: Key, body: bytes, **values: bytes) -> bool:
        names = tuple(name.encode() for name in values)
        return self.successResultOf(store.put(at, names, select(**values), entry(), body, 60))

    def test_least_recently_used_goes_first(self) -> None:
        """What is asked for again stays."""
        store = MemoryStore(self.clock.seconds, 4 * 3000)
        for name in (b"/a", b"/b", b"/c"):
            self.assertTrue(self.put(store, key(name), b"x" * 3000), name)
        self.assertIsNotNone(store.found(key(b"/a"), select()))
        self.put(store, key(b"/d"), b"x" * 3000)
        left = [name for name in (b"/a", b"/b", b"/c", b"/d") if store.found(key(name), select())]
        self.assertEqual(left, [b"/a", b"/c", b"/d"])
        self.assertEqual(store.statistics()["evictions"], 1)

    def test_too_large_alone(self) -> None:
        """What does not fit at all leaves no trace of itself."""
        store = MemoryStore(self.clock.seconds, 3000)
        self.assertFalse(self.put(store, key(), b"x" * 3000))
        self.assertIsNone(store.found(key(), select()))
        self.assertEqual(store.statistics()["bytes"], 0)

    def test_too_large_drives_nothing_out(self) -> None:
        """An answer that can never fit costs nobody else a place, but what it would have replaced is old and goes."""
        store = MemoryStore(self.clock.seconds, 6000)
        for name in (b"/a", b"/b"):
            self.put(store, key(name), b"x" * 1000)
        self.assertFalse(self.put(store, key(b"/a"), b"x" * 6000))
        self.assertIsNone(store.found(key(b"/a"), select()))
        self.assertIsNotNone(store.found(key(b"/b"), select()))
        self.assertEqual(store.statistics()["evictions"], 0)

    def test_variants_are_bounded(self) -> None:
        """A client that invents values of a field does not fill a key without end."""
        store = MemoryStore(self.clock.seconds, LIMIT)
        for number in range(200):
            self.put(store, key(), b"x", accept=b"%d" % number)
        self.assertEqual(store.statistics()["entries"], 64)

    @settings(max_examples=examples(40), deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 5000), st.integers(0, 3)), max_size=40)
    )
    def test_bound_holds_whatever_is_done(self, steps: list[tuple[int, int, int, int]]) -> None:
        """Never more than the limit, and the account is right when everything is gone."""
        store = MemoryStore(self.clock.seconds, 9000)
        for name, variant, size, what in steps:
            at = key(b"/%d" % name, tenant=str(name % 2))
            if what == 0:
                store.remove(at)
            elif what == 1:
                store.purge(None, str(name % 2), b"/%d" % name)
            else:
                self.put(store, at, b"x" * size, accept=b"%d" % variant)
            self.assertLessEqual(store.statistics()["bytes"], 9000, name)
        store.purge(None, None)
        self.assertEqual(store.statistics() | {"evictions": 0}, {"entries": 0, "bytes": 0, "evictions": 0, "errors": 0})
        self.assertEqual((store._primaries, store._scopes), ({}, {}))

    def test_small_objects_cost_what_is_counted(self) -> None:
        """W22: the bound holds for small objects too; 1 KiB costs less than 2.2 KiB."""
        count = 4000
        store = MemoryStore(self.clock.seconds, 1 << 30)
        keys = [key(b"/v1/files/file-%012d/content" % number) for number in range(count)]
        gc.collect()
        tracemalloc.start()
        for at in keys:
            # A body and a key of its own each, as from a connection.
            own = Key(at.api, at.tenant, at.method, at.target, at.body)
            store.put(own, (), select(), entry(fields=[*FIELDS]), bytes(bytearray(1024)), 60)
            del own
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] / count
        tracemalloc.stop()
        counted = store.statistics()["bytes"] / count
        self.assertLess(used, 2.2 * 1024)
        self.assertLess(
            used, counted * 1.05, f"{used} bytes are used, {counted} are counted ({OVERHEAD} beside content)"
        )
        self.assertGreater(used, counted * 0.7)

    def test_large_objects_cost_what_is_counted(self) -> None:
        """So it does for what came in pieces, and what is dropped is free at once, for nobody else holds it."""
        store = MemoryStore(self.clock.seconds, 1 << 30)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(8):
            pieces = Pieces([bytes(bytearray(PIECE)) for _ in range(100)])
            store.put(key(b"/%d" % number), (), select(), entry(), pieces, 60)
        del pieces
        used, counted = tracemalloc.get_traced_memory()[0] - before, store.statistics()["bytes"]
        self.assertLess(used, counted)
        self.assertGreater(used, counted * 0.98)
        store.purge(None, None)
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, counted / 100)


class MayHoldTests(SynchronousTestCase):
    def test_certain(self) -> None:
        """What was never stored costs an unsafe request nothing, nor anything once the store is empty."""
        store = MemoryStore(Clock().seconds, LIMIT)
        self.assertFalse(store.may_hold(b"/v1/models"))
        self.successResultOf(store.put(key(body=b"1"), (), select(), entry(), b"x", 60))
        self.assertFalse(store.may_hold(None))
        self.successResultOf(store.put(key(), (), select(), entry(), b"x", 60))
        self.assertTrue(store.may_hold(b"/v1/models") and store.may_hold(None))
        self.assertLess(sum(store.may_hold(b"/v1/%d" % number) for number in range(1000)), 10)
        self.successResultOf(store.purge(None, None))
        self.assertFalse(store.may_hold(None))

    @python_only("it replaces a method of an object")
    def test_never_in_between(self) -> None:
        """Another process that looks while an answer is made fresh again, or makes room, sees it held."""
        store = MemoryStore(Clock().seconds, LIMIT)
        looked: list[bool] = []
        self.successResultOf(store.put(key(), (), select(), entry(), b"x", 60))
        drop = store._drop
        store._drop = lambda stored: (drop(stored), looked.append(store.may_hold(b"/v1/models")))  # type: ignore
        store.replace_head(key(), Found(entry()), entry(b'"b"'), 60)
        store.expect(key())
        store.put(key(), (), select(), entry(), b"y", 60)
        store.put(key(), (b"accept",), select(accept=b"1"), entry(), b"z", 60)
        store.settle(key())
        self.assertEqual(looked, [True, True, True])
        store.remove(key())
        self.assertFalse(store.may_hold(None))
