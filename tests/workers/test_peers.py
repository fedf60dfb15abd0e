"""Peers of a worker, with the pipes of several in memory."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.memory import MemoryStore
from llmproxy.cache.presence import PresenceFilter, SharedTable, of_parent
from llmproxy.cache.tiered import TieredStore
from llmproxy.core.caching.key import Key
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.workers.ipc import Control, message, packed
from llmproxy.workers.peers import OtherWorkers

from ..contracts.cache_store import BODY, entry, key, select


class Cache:
    """What L{llmproxy.middleware.caching.cache.Cache} is here."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.doubted: list[Key] = []

    def doubt(self, key: Key) -> None:
        self.doubted.append(key)

    def forget(self, api: str | None, tenant: str | None, start: bytes = b"") -> int:
        return int(self.store.forget(api, tenant, start))


class Worker:
    """A worker with a cache of its own; what it tells goes through JSON, as in the pipe."""

    def __init__(self, clock: Clock, store: Any = None, marks: PresenceFilter | None = None) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        pipe = Control(lambda kind, values: self.told.append((kind, values)), lambda: None)
        tell = lambda kind, **values: pipe.dataReceived(message(kind, **values))  # noqa: E731
        self.peers = OtherWorkers(clock, tell, marks or PresenceFilter())
        self.cache: Any = Cache(self.peers.store(store or MemoryStore(clock.seconds, 1 << 20)))

    def put(self, *keys: Key) -> None:
        for each in keys:
            self.cache.store.put(each, (), select(), entry(), BODY, 60)

    def keys(self, *keys: Key) -> list[bool]:
        store = self.cache.store._store
        return [store.found(each, select()) is not None for each in keys]


class OtherWorkersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        table = SharedTable(2)
        self.addCleanup(table.close)
        marks = [of_parent(os.dup(table.fd), 2, column) for column in range(2)]
        self.one, self.two = (Worker(self.clock, marks=each) for each in marks)

    def test_removed_everywhere(self) -> None:
        """W17: what a PUT to one worker has made doubtful, no worker serves, nor stores what is on its way."""
        self.two.put(key(), key(b"/other"))
        self.assertTrue(self.one.cache.store.may_hold(b"/v1/models"))
        self.one.cache.store.remove(key())
        [(kind, values)] = self.one.told
        self.assertEqual(kind, "removed")
        self.two.peers.removed(self.two.cache, values["keys"])
        self.assertEqual(self.two.keys(key(), key(b"/other")), [False, True])
        self.assertEqual(self.two.cache.doubted, [key()])
        self.assertEqual(self.two.told, [])

    def test_held_elsewhere(self) -> None:
        """
        A POST to one worker costs nothing more while none holds or fetches an answer of its target; from before such a
        request leaves, in whatever worker, it does.
        """
        self.assertFalse(self.one.cache.store.may_hold(None))
        self.two.cache.store.expect(key())
        self.assertTrue(self.one.cache.store.may_hold(b"/v1/models"))
        self.assertFalse(self.one.cache.store.may_hold(b"/v1/chat/completions"))
        self.two.put(key())
        self.two.cache.store.settle(key())
        self.assertTrue(self.one.cache.store.may_hold(b"/v1/models"))
        self.one.peers.purge_here(self.one.cache, {"number": 1, "api": None, "tenant": None, "start": ""})
        self.two.peers.purge_here(self.two.cache, {"number": 1, "api": None, "tenant": None, "start": ""})
        self.assertFalse(self.one.cache.store.may_hold(None))

    def test_gathered(self) -> None:
        """A thousand POSTs to one target are a message now and one in a tenth of a second."""
        for _ in range(1000):
            self.one.cache.store.remove(key())
        self.assertEqual(len(self.one.told), 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.one.told), 2)
        self.clock.advance(0.1)
        self.assertEqual((len(self.one.told), self.clock.getDelayedCalls()), (2, []))

    def test_told_at_the_end(self) -> None:
        """What became doubtful at the very end is told too."""
        self.one.cache.store.remove(key())
        self.one.cache.store.remove(key(b"/other"))
        self.successResultOf(self.one.cache.store.stop())
        self.assertEqual(len(self.one.told), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_purge(self) -> None:
        """A purge goes to all, and the answer is how many there were in all of them."""
        self.two.put(key(), key(b"/v1/x"), key(b"/v2"))
        purging = self.one.peers.purge("openai", None, b"/v1/\xff"[:4])
        [(kind, values)] = self.one.told
        self.assertEqual(kind, "purge_others")
        self.two.peers.purge_here(self.two.cache, values)
        self.assertEqual(self.two.told, [("purged", {"number": 1, "count": 2})])
        self.one.peers.answered("purged", {"number": 1, "count": 2})
        self.one.peers.answered("purged", {"number": 1, "count": 2})
        self.assertEqual(self.successResultOf(purging), 2)
        self.assertEqual(self.two.keys(key(), key(b"/v2")), [False, True])

    def test_shared_store(self) -> None:
        """With Redis only what a worker holds of its own is let go of, and counted by none."""
        shared = MemoryStore(self.clock.seconds, 1 << 20)
        shared.forget = lambda *arguments: 0  # type: ignore[method-assign]
        worker = Worker(self.clock, TieredStore(MemoryStore(self.clock.seconds, 1 << 20), shared))
        worker.put(key())
        self.successResultOf(worker.cache.store.lookup(key(), select()))
        worker.peers.purge_here(worker.cache, {"number": 4, "api": None, "tenant": None, "start": ""})
        self.assertEqual(worker.told, [("purged", {"number": 4, "count": 0})])
        self.assertEqual(worker.cache.store.near.statistics()["entries"], 0)

    def test_flush_of_others(self) -> None:
        """Who shows counts waits until the others have written theirs."""
        asked = self.one.peers.flush()
        [(kind, values)] = self.one.told
        self.assertNoResult(asked)
        self.one.peers.answered("flushed", values)
        self.assertEqual((kind, self.successResultOf(asked), self.one.peers._asked), ("flush_others", None, {}))

    def test_drain_of_others(self) -> None:
        """An upstream is drained when the others have drained it."""
        asked = self.one.peers.set_drained("openai", "azure", True)
        [(kind, values)] = self.one.told
        self.assertEqual((kind, values["upstream"], values["drained"]), ("drain_others", "azure", True))
        self.assertNoResult(asked)
        self.one.peers.answered("drained", {"number": values["number"]})
        self.successResultOf(asked)

    def test_metrics_of_all(self) -> None:
        """Who asks this worker for metrics gets those of all; who has left is forgotten."""
        numbers = ProxyMetrics(0.0)
        numbers.refused("too_slow")
        asked, left = (self.one.peers.collect_metrics(ProxyMetrics) for _ in range(2))
        left.addErrback(lambda _: None)
        left.cancel()
        for _, values in self.one.told:
            told = {"number": values["number"], "metrics": packed(numbers.plain())}
            self.one.peers.answered("all_metrics", told)
        self.assertEqual(self.successResultOf(asked).plain(), numbers.plain())
        self.assertEqual(self.one.peers._asked, {})
