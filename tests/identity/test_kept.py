"""Tests for L{llmproxy.identity.kept}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.identity.kept import RETRY_AFTER, Kept
from llmproxy.identityerrors import ProviderUnavailable

from .world import done, failed


class KeptTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.fetches: list[Deferred[int]] = []
        self.kept: Kept[int] = Kept(self.clock.seconds, self.fetch, fresh_for=100.0, kept_for=1000.0, cooldown=30.0)

    async def fetch(self) -> int:
        waiter: Deferred[int] = Deferred()
        self.fetches.append(waiter)
        return await waiter

    def get(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.kept.get())

    def test_shared(self) -> None:
        """All wait for one fetch, whoever of them leaves; then nobody waits for as long as it is fresh."""
        first, second = self.get(), self.get()
        first.cancel()
        self.failureResultOf(first)
        self.fetches[0].callback(7)
        self.assertEqual(self.successResultOf(second), 7)
        self.clock.advance(99)
        self.assertEqual(done(self, self.kept.get()), 7)
        self.clock.advance(2)
        third = self.get()
        self.fetches[1].callback(8)
        self.assertEqual(self.successResultOf(third), 8)

    def test_away(self) -> None:
        """What is old serves while there is nothing new, and is asked for again after a while, not each time."""
        self.get()
        self.fetches[0].callback(7)
        self.clock.advance(101)
        again = self.get()
        self.fetches[1].errback(ProviderUnavailable("away"))
        self.assertEqual(self.successResultOf(again), 7)
        self.assertEqual(done(self, self.kept.get()), 7)
        self.assertEqual(len(self.fetches), 2)
        self.clock.advance(900)
        last = self.get()
        self.fetches[2].errback(ProviderUnavailable("away"))
        self.failureResultOf(last, ProviderUnavailable)
        self.assertEqual(str(failed(self, self.kept.get(), ProviderUnavailable)), str(ProviderUnavailable("away")))
        self.assertEqual(len(self.fetches), 3)
        self.clock.advance(RETRY_AFTER)
        self.get()
        self.assertEqual(len(self.fetches), 4)

    def test_newer(self) -> None:
        """Who wants a newer one costs a fetch, but not at every time."""
        self.get()
        self.fetches[0].callback(7)
        self.assertIsNone(done(self, self.kept.newer()))
        self.clock.advance(30)
        newer = Deferred.fromCoroutine(self.kept.newer())
        self.fetches[1].callback(8)
        self.assertEqual(self.successResultOf(newer), 8)
        self.clock.advance(30)
        newer = Deferred.fromCoroutine(self.kept.newer())
        self.fetches[2].errback(ValueError())
        self.assertIsNone(self.successResultOf(newer))
        self.assertEqual(done(self, self.kept.get()), 8)
