"""Tests for L{llmproxy.core.clientlimits}; tests/web/http1/test_channel.py and tests/integration see each at work."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.schema import LIMIT_KEYS
from llmproxy.core.clientlimits import Limits


class LimitsTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        """Nobody has to say anything for a client to be bounded in size and time."""
        limits = Limits()
        for each in fields(Limits):
            if each.name != "connections_per_client":
                self.assertGreater(getattr(limits, each.name), 0, each.name)

    def test_agree(self) -> None:
        """They fit together: a target fits into a head, and a load balancer closes an idle connection before we do."""
        limits = Limits()
        self.assertLess(limits.target, limits.head)
        self.assertGreater(limits.idle, 60)

    def test_configurable(self) -> None:
        """Each of them is a key of the configuration."""
        self.assertEqual({each.name for each in fields(Limits)}, set(LIMIT_KEYS))
