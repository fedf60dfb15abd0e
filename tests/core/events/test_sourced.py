"""Events as a bus has them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.sourced import Sourced


class SourcedTests(SynchronousTestCase):
    def test_first_delivery(self) -> None:
        """What is read for the first time was delivered once."""
        self.assertEqual(Sourced("1-0", None, b"x").deliveries, 1)
