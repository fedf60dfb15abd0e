"""Tests for L{llmproxy.core.descriptors}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.descriptors import RESERVED, UNLIMITED, connections_within, wanted


class DescriptorTests(SynchronousTestCase):
    def test_shares(self) -> None:
        """A client and its upstream are two, beside what the process needs for itself."""
        for descriptors, connections in (
            (0, 1),
            (3, 1),
            (64, 24),
            (256, 96),
            (1024, 464),
            (4096, 2000),
            (20_096, 10_000),
        ):
            self.assertEqual(connections_within(descriptors), connections, (descriptors, connections))

    @given(st.integers(RESERVED * 2, 1_000_000))
    def test_wanted(self, connections: int) -> None:
        """What is asked for is enough, and no more."""
        self.assertEqual(connections_within(wanted(connections)), connections)
        self.assertLess(connections_within(wanted(connections) - 1), connections)

    def test_unlimited(self) -> None:
        """No limit of connections is not one of descriptors either, where the system allows it."""
        self.assertEqual(wanted(None), UNLIMITED)
