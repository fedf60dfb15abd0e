"""Peers where there are none; tests/workers/test_peers.py has those of workers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.peers import Alone
from llmproxy.sinks.metrics import ProxyMetrics


class AloneTests(SynchronousTestCase):
    def test_alone(self) -> None:
        """Everything is what it is without peers, and nobody is waited for."""
        alone, thing, metrics = Alone(), object(), ProxyMetrics()
        self.assertIs(alone.directory(thing), thing)  # type: ignore[arg-type]
        self.assertIs(alone.store(thing), thing)  # type: ignore[arg-type]
        self.assertIs(self.successResultOf(alone.collect_metrics(lambda: metrics)), metrics)
        self.assertIsNone(self.successResultOf(alone.set_drained("openai", "azure", True)))
        self.assertEqual(self.successResultOf(alone.purge(None, None, b"")), 0)

    def test_connections(self) -> None:
        """Each port counts for itself."""
        alone = Alone()
        clients, management = alone.connections(0), alone.connections(1)
        clients.add("192.0.2.1")
        self.assertEqual(management.add("192.0.2.1"), (1, 1))
