"""How many connections there are in one process."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.connections import OwnConnections


class OwnConnectionsTests(SynchronousTestCase):
    def test_counts(self) -> None:
        """In all and of each address; what has ended is forgotten, and takes no memory."""
        connections = OwnConnections()
        added = [connections.add(client) for client in ("a", "a", "b")]
        self.assertEqual(added, [(1, 1), (2, 2), (3, 1)])
        for client in ("a", "b"):
            connections.remove(client)
        self.assertEqual(connections.add("a"), (2, 2))
        self.assertEqual(connections._clients, {"a": 2})

    def test_alone(self) -> None:
        """One process leaves nothing to others."""
        connections = OwnConnections()
        connections.add("a")
        self.assertFalse(connections.is_ahead())
