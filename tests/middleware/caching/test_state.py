"""Tests for L{llmproxy.middleware.caching.state}: what all requests to a cache have in common."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.memory import MemoryStore
from llmproxy.core.caching.key import Key
from llmproxy.middleware.caching.state import CacheState

from .case import FRESH, CacheTestCase


class Doubted:
    """A fetch that only notes that it was doubted."""

    def __init__(self, target: bytes, api: str = "a", tenant: str = "t") -> None:
        self.key = Key(api, tenant, b"GET", target)
        self.doubts = 0

    def doubt(self) -> None:
        self.doubts += 1

    join = is_stuck = set_aside = None


class RunningTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.store = MemoryStore(clock.seconds, 1 << 20)
        background: Any = None
        self.counts = {"store": 0}
        self.state = CacheState(clock, self.store, background, self.counts)

    def started(self, target: bytes = b"/v1/a", place: bytes | None = b"", **scope: str) -> Any:
        fetch: Any = Doubted(target, **scope)
        self.state.started(fetch, fetch if place is None else place)
        return fetch

    def test_joined_by_variant(self) -> None:
        """A request joins a fetch of its own variant, and one that is listed by itself is nobody's to join."""
        one, two = self.started(place=b"1"), self.started(place=None)
        self.assertEqual([self.state.running(one.key, variant) for variant in (b"1", b"2")], [one, None])
        for fetch, place in ((one, b"1"), (two, two)):
            self.state.finished(fetch, place)
        self.assertTrue(self.state.idle)

    def test_moved(self) -> None:
        """One that is set aside is joined no more, but what it brings can be doubted."""
        fetch = self.started()
        place = self.state.moved(fetch, b"")
        self.assertIsNone(self.state.running(fetch.key, b""))
        self.state.doubt(fetch.key)
        self.assertEqual(fetch.doubts, 1)
        self.state.finished(fetch, place)
        self.assertTrue(self.state.idle)

    def test_in_place_of_another(self) -> None:
        """A fetch that ends leaves alone the next one of its variant."""
        former, later = self.started(), self.started()
        self.state.finished(former, b"")
        self.assertIs(self.state.running(later.key, b""), later)

    def test_expected(self) -> None:
        """The store knows of each fetch until it has ended."""
        fetch = self.started()
        self.assertTrue(self.store.may_hold(b"/v1/a"))
        self.state.finished(fetch, b"")
        self.assertFalse(self.store.may_hold(b"/v1/a"))

    def test_purged(self) -> None:
        """Who purges doubts what is on its way for the same keys, and for no others."""
        fetches = [self.started(b"/v1/a"), self.started(b"/v2/a"), self.started(b"/v1/a", tenant="u")]
        for purged, expected in (
            (("a", "t", b"/v1"), [1, 0, 0]),
            (("a", None, b"/v1"), [2, 0, 1]),
            (("b", None, b""), [2, 0, 1]),
            ((None, None, b""), [3, 1, 2]),
        ):
            with self.subTest(purged=purged):
                self.state.forget(*purged)
                self.assertEqual([fetch.doubts for fetch in fetches], expected, purged)


class OneWayTests(CacheTestCase):
    def test_doubted_while_it_is_stored(self) -> None:
        """A store that is still storing when the key is removed, and succeeds, is counted as one that has stored."""
        putting: list[Any] = []
        put = self.store.put
        self.patch(
            self.store, "put", lambda *arguments: putting.append(put(*arguments)) or putting[0].pause() or putting[0]
        )
        responding = self.send()
        self.answer(FRESH)
        self.got(responding)
        self.cache.doubt(self.cache_key())
        putting[0].unpause()
        self.assertEqual((self.counts["store"], self.cache.idle), (1, True))

    def cache_key(self) -> Key:
        return Key(self.api.space, "p-1", b"GET", b"/v1/models")
