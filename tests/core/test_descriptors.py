"""Tests for L{llmproxy.core.descriptors}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.descriptors import (
    OWN,
    RESERVED,
    TURNED_AWAY,
    UNLIMITED,
    connections_within,
    spare_within,
    wanted,
)


class DescriptorTests(SynchronousTestCase):
    def test_shares(self) -> None:
        """A client and its upstream are two, beside what the process needs for itself."""
        for descriptors, connections in (
            (0, 1),
            (3, 1),
            (64, 23),
            (256, 95),
            (1024, 464),
            (4096, 2000),
            (20_096, 10_000),
        ):
            self.assertEqual(connections_within(descriptors), connections, (descriptors, connections))

    def test_spare(self) -> None:
        """Few descriptors leave few for clients that are turned away; where clients are few, there is more."""
        for descriptors, connections, expected in (
            (0, None, (0, 1)),
            (64, 10_000, (0, 1)),
            (64, 10, (13, 14)),
            (200, None, (17, 18)),
            (1024, 10_000, (TURNED_AWAY, 47)),
        ):
            self.assertEqual(spare_within(descriptors, connections), expected, (descriptors, connections))

    @given(st.integers(64, 1_000_000), st.none() | st.integers(0, 1_000_000))
    def test_fits(self, descriptors: int, connections: int | None) -> None:
        """All of them together are no more than there are."""
        most = connections_within(descriptors)
        clients = most if connections is None else min(connections, most)
        self.assertLessEqual(OWN + 2 * clients + sum(spare_within(descriptors, connections)), descriptors)

    @given(st.integers(RESERVED * 2, 1_000_000))
    def test_wanted(self, connections: int) -> None:
        """What is asked for is enough, and no more."""
        self.assertEqual(connections_within(wanted(connections)), connections)
        self.assertLess(connections_within(wanted(connections) - 1), connections)

    def test_unlimited(self) -> None:
        """No limit of connections is not one of descriptors either, where the system allows it."""
        self.assertEqual(wanted(None), UNLIMITED)
