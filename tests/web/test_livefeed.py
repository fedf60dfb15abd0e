"""What happens now: collected once for all, sent when it has changed, and held by nobody who has left."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.livefeed import CHECKED_EVERY, EVERY, QUIET, LiveFeed, Source


class Watching:
    """@ivar heard: what came; C{ended} is how it ended."""

    def __init__(self, feed: LiveFeed, wanted: list[str], still: Any) -> None:
        self.heard: list[bytes] = []
        self.ended: Any = None
        self._reading = Deferred.fromCoroutine(self._read(feed.watch(wanted, still)))
        self._reading.addBoth(self._end)

    async def _read(self, pieces: Any) -> None:
        try:
            async for piece in pieces:
                self.heard.append(piece)
        finally:
            await pieces.aclose()

    def _end(self, result: Any) -> None:
        self.ended = "done" if result is None else result.value

    def leave(self) -> None:
        self._reading.cancel()

    def take(self) -> list[bytes]:
        heard, self.heard = self.heard, []
        return heard


class LiveFeedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.values: dict[str, Any] = {"a": 1, "b": 1}
        self.asked: list[str] = []
        self.over = False
        self.checks = 0
        sources = {name: Source("usage.read", lambda name=name: self.collect(name)) for name in "ab"}  # type: ignore[misc]
        self.feed = LiveFeed(self.clock, sources, lambda: self.over)

    def collect(self, name: str) -> Deferred[Any]:
        self.asked.append(name)
        value = self.values[name]
        return fail(value) if isinstance(value, Exception) else succeed(value)

    async def still(self) -> None:
        self.checks += 1

    def watch(self, *wanted: str) -> Watching:
        watching = Watching(self.feed, list(wanted), self.still)
        self.addCleanup(watching.leave)
        return watching

    def test_changes(self) -> None:
        """One who watches gets what is now, and then what has changed."""
        watching = self.watch("a")
        self.assertEqual(watching.take(), [b"retry: 5000\n\n", b"event: a\ndata: 1\n\n"])
        self.clock.advance(EVERY)
        self.assertEqual(watching.take(), [])
        self.values["a"] = {"x": 2}
        self.clock.advance(EVERY)
        self.assertEqual(watching.take(), [b'event: a\ndata: {"x":2}\n\n'])

    def test_once_for_all(self) -> None:
        """However many watch, each source is asked once; one that nobody watches is not."""
        several = [self.watch("a") for _ in range(5)]
        self.asked.clear()
        self.values["a"] = 2
        self.clock.advance(EVERY)
        self.assertEqual(self.asked, ["a"])
        self.assertEqual([each.take()[-1] for each in several], [b"event: a\ndata: 2\n\n"] * 5)

    def test_latecomer(self) -> None:
        """One who comes later gets what is known at once."""
        self.watch("a")
        self.assertEqual(self.watch("a").take()[-1], b"event: a\ndata: 1\n\n")

    def test_nobody(self) -> None:
        """While nobody watches nothing is asked, nothing is timed and nothing is held."""
        watching = self.watch("a", "b")
        watching.leave()
        self.assertIsInstance(watching.ended, CancelledError)
        self.assertEqual((self.feed.watchers, self.clock.getDelayedCalls()), (0, []))
        self.values["a"] = 7
        self.assertEqual(self.watch("a").take()[-1], b"event: a\ndata: 7\n\n")

    def test_quiet(self) -> None:
        """Where nothing changes for long a comment shows that the connection lives."""
        watching = self.watch("a")
        watching.take()
        for _ in range(int(QUIET / EVERY)):
            self.clock.advance(EVERY)
        self.assertEqual(watching.take(), [b":\n\n"])

    def test_still(self) -> None:
        """Who may not any more is cut off."""
        watching = self.watch("a")

        async def refuse() -> None:
            raise PermissionError("over")

        gone = Watching(self.feed, ["a"], refuse)
        for at in range(int(CHECKED_EVERY / EVERY) + 1):
            self.values["a"] = at
            self.clock.advance(EVERY)
        self.assertEqual((self.checks, watching.ended), (1, None))
        self.assertIsInstance(gone.ended, PermissionError)
        self.assertEqual(self.feed.watchers, 1)

    def test_still_in_quiet(self) -> None:
        """Whoever may not any more is cut off as soon where there is no news, or some just before the look."""
        for news_at in (None, CHECKED_EVERY - EVERY):

            async def refuse() -> None:
                raise PermissionError("over")

            gone = Watching(self.feed, ["a"], refuse)
            for at in range(1, int(CHECKED_EVERY / EVERY) + 1):
                self.assertIsNone(gone.ended, (news_at, at))
                if at * EVERY == news_at:
                    self.values["a"] = "news"
                self.clock.advance(EVERY)
            self.assertIsInstance(gone.ended, PermissionError, news_at)
            self.assertEqual(self.feed.watchers, 0, news_at)

    def test_broken(self) -> None:
        """A source that fails is asked again, and does not end anything."""
        self.values["a"] = ValueError("away")
        watching = self.watch("a")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.values["a"] = 5
        self.clock.advance(EVERY)
        self.assertEqual(watching.take()[-1], b"event: a\ndata: 5\n\n")

    def test_over(self) -> None:
        """When the proxy stops, all that watch are done."""
        watching = self.watch("a")
        self.over = True
        self.clock.advance(EVERY)
        self.assertEqual((watching.ended, self.feed.watchers), ("done", 0))
