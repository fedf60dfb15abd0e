"""A worker's side of the pipe; tests/integration/test_workers.py runs whole processes."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.presence import PresenceFilter, SharedTable
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.errors import Unavailable
from llmproxy.service import Settings
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.workers.connections import ConnectionTable
from llmproxy.workers.ipc import Control, packed
from llmproxy.workers.limits import SharedLimitTable
from llmproxy.workers.peers import OtherWorkers
from llmproxy.workers.process import Running


class Reactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.stopped = 0

    def stop(self) -> None:
        self.stopped += 1


class Pipe:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._control = Control(lambda kind, values: self.told.append((kind, values)), lambda: None)

    def write(self, data: bytes) -> None:
        self._control.dataReceived(data)


class Counted:
    """Uses, hits and records, which are written when the test says so."""

    def __init__(self) -> None:
        self.writing: Deferred[None] = Deferred()

    def flush(self) -> Deferred[None]:
        return self.writing


class Proxy:
    """@ivar seconds: what exchanges get when it drains."""

    def __init__(self) -> None:
        self.ending = self.stored = self.foundation = self.metering = self.generations = self.current = self
        self.drained: list[tuple[str, str, bool]] = []
        self.publisher, self.quota, self.hits = Counted(), Counted(), Counted()
        self.seconds = 30.0

    def within(self, seconds: float) -> None:
        self.seconds = seconds

    def set_drained(self, api: str, upstream: str, drained: bool) -> None:
        self.drained.append((api, upstream, drained))

    def metrics(self) -> ProxyMetrics:
        metrics = ProxyMetrics(0.0)
        metrics.refused("too_slow")
        return metrics


class Service:
    """Stops when it is told to by the test."""

    def __init__(self) -> None:
        self.proxy = Proxy()
        self.stopping: Deferred[None] | None = None

    def stopService(self) -> Deferred[None]:
        self.stopping = Deferred()
        return self.stopping


class WorkerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor, self.pipe, self.service = Reactor(), Pipe(), Service()
        self.running = Running(self.reactor, lambda protocol, reactor: self.pipe)
        self.running._service = self.service  # type: ignore[assignment]
        self.running._peers = OtherWorkers(self.reactor, self.running.tell, PresenceFilter())

    def test_stops_when_it_has_drained(self) -> None:
        """Told to stop it gives its exchanges the time that the parent has left, and ends after them."""
        self.running._heard("stop", {"seconds": 4.0})
        self.running._heard("stop", {"seconds": 9.0})
        self.assertEqual((self.service.proxy.seconds, self.reactor.stopped), (4.0, 0))
        assert self.service.stopping is not None
        self.service.stopping.callback(None)
        self.assertEqual(self.reactor.stopped, 1)

    def test_parent_is_gone(self) -> None:
        """Nobody is left who could say stop: it drains by itself."""
        self.running.stop()
        self.assertIsNotNone(self.service.stopping)

    def test_stopped_before_it_was_started(self) -> None:
        """A worker that serves nothing yet ends at once."""
        self.running._service = None
        self.running._heard("stop", {"seconds": 4.0})
        self.assertEqual(self.reactor.stopped, 1)

    def test_cannot_be_made(self) -> None:
        """What keeps the service from being made at all is told to the parent, like what keeps it from starting."""
        apis = APIConfig({"a": APIProviderConfig("http://127.0.0.1:1", ["/v1"], ["GET"])}, "a")
        options = Settings(
            apis=apis,
            management_token="m" * 32,
            encryption_key=None,
            database_url="sqlite://",
            listen=[],
            access_log=None,
            audit=AuditOptions("/nowhere/audit.log", create_directory=False),
        )
        table, connections, limits = SharedTable(1), ConnectionTable(1, False), SharedLimitTable(1)
        self.addCleanup(limits.close)
        self.addCleanup(table.close)
        self.addCleanup(connections.close)
        given = {
            "drained": [["openai", "azure"]],
            "marks": [os.dup(table.fd), 1, 0],
            "connections": [os.dup(connections.fd), 1, 0, connections.key.hex()],
            "limits": [os.dup(limits.fd), 1, 0],
        }
        self.running._heard("start", {"settings": packed(options), **given})
        ((kind, values),) = self.pipe.told
        self.assertEqual(kind, "failed")
        self.assertIn("AUDIT_LOG_FILE: /nowhere/audit.log: No such file", values["problems"][0])

    def test_metrics_are_told(self) -> None:
        """The parent gets the numbers of this process, with the number of its question."""
        self.running._heard("metrics", {"number": 7})
        ((kind, values),) = self.pipe.told
        self.assertEqual((kind, values["number"]), ("metrics", 7))

    def test_flush(self) -> None:
        """The parent hears when counts are written down, or cannot be."""
        self.running._heard("flush", {"number": 7})
        proxy = self.service.proxy
        proxy.hits.writing.callback(None)
        self.assertEqual(self.pipe.told, [])
        proxy.quota.writing.errback(Unavailable("no database"))
        self.assertEqual(self.pipe.told, [("flushed", {"number": 7})])

    def test_drain(self) -> None:
        """The parent hears when an upstream is drained here; before this worker serves there is nothing to drain."""
        self.running._heard("drain", {"number": 7, "api": "openai", "upstream": "azure", "drained": True})
        self.assertEqual(self.service.proxy.drained, [("openai", "azure", True)])
        self.running._service = None
        self.running._heard("drain", {"number": 8, "api": "openai", "upstream": "azure", "drained": True})
        self.assertEqual(self.pipe.told, [("drained", {"number": 7}), ("drained", {"number": 8})])

    def test_flush_before_it_was_started(self) -> None:
        """A worker that has counted nothing yet says so, as somebody waits for it."""
        self.running._service = None
        self.running._heard("flush", {"number": 7})
        self.assertEqual(self.pipe.told, [("flushed", {"number": 7})])

    def test_purge_before_it_was_started(self) -> None:
        """A worker that holds nothing yet says so, as somebody waits for it."""
        self.running._service = None
        self.running._heard("purge", {"number": 3, "api": None, "tenant": None, "start": ""})
        self.running._heard("removed", {"keys": []})
        self.assertEqual(self.pipe.told, [("purged", {"number": 3, "count": 0})])
