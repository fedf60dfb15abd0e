"""Tests for L{llmproxy.app.descriptors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.descriptors import most_connections, raise_limit, spare


class Resource:
    """The limits of a process that is not this one."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, soft: int, hard: int, most: int = 1 << 20) -> None:
        self.soft, self.hard, self.most = soft, hard, most

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == self.RLIMIT_NOFILE
        return self.soft, self.hard

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        assert which == self.RLIMIT_NOFILE
        if limits[0] > self.most or limits[1] != self.hard:
            raise ValueError("not allowed to raise maximum limit")
        self.soft = limits[0]


class RaiseLimitTests(SynchronousTestCase):
    def test_raised(self) -> None:
        """As far as is needed and allowed, and never lowered; macOS allows less than it says."""
        for soft, hard, most, connections, after in (
            (256, 4096, 4096, 10_000, 4096),
            (1024, 1 << 20, 1 << 20, 10_000, 20_096),
            (1024, 1 << 20, 1 << 20, None, 65_536),
            (65_536, 1 << 20, 1 << 20, 10_000, 65_536),
            (1024, 1 << 20, 1 << 20, 10, 1024),
            (-1, -1, 1 << 20, 10_000, -1),
            (256, -1, 1 << 20, 10_000, 20_096),
            (256, -1, 10_240, 10_000, 10_240),
            (256, -1, 256, 10_000, 256),
            (256, 256, 256, 10_000, 256),
        ):
            limits = Resource(soft, hard, most)
            raise_limit(connections, limits)
            self.assertEqual((limits.soft, limits.hard), (after, hard), (soft, hard, connections))

    def test_none(self) -> None:
        """A system without such a limit has nothing to raise, and allows everything."""
        raise_limit(10, None)
        self.assertIsNone(most_connections(10, None))


class MostConnectionsTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """Where not all of them fit, it is what fits."""
        for soft, connections, most in (
            (256, 10_000, 95),
            (256, 95, None),
            (256, 96, 95),
            (4096, None, 2000),
            (-1, None, None),
            (-1, 10_000, None),
        ):
            self.assertEqual(most_connections(connections, Resource(soft, -1)), most, (soft, connections))


class SpareTests(SynchronousTestCase):
    def test_bound(self) -> None:
        """What the system says decides; without a limit there is none."""
        self.assertEqual(spare(10_000, Resource(64, -1)), (0, 1))
        self.assertEqual(spare(10_000, Resource(-1, -1)), (32, None))
        self.assertEqual(spare(10_000, None), (32, None))
