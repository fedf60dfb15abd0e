"""The policy of a sink."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.policy import STOPS_WITHIN, SinkPolicy


class SinkPolicyTests(SynchronousTestCase):
    def test_delivery(self) -> None:
        """The queue in memory tries until it is told otherwise, and ends within seconds."""
        delivery = SinkPolicy(batch=7, flush_interval=2).delivery()
        self.assertEqual((delivery.batch, delivery.gather_for, delivery.attempts), (7, 2, None))
        self.assertEqual((delivery.stop_within, delivery.fills), (STOPS_WITHIN, True))
