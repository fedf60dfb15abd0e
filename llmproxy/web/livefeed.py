"""A feed of what happens now: collected once for all who watch, and by nobody while nobody does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

EVERY = 2.0
"""Seconds between two collections."""

QUIET = 20.0
"""Seconds without news after which a comment is sent, so that nothing in between takes the connection for dead."""

CHECKED_EVERY = 30.0
"""Seconds between two looks whether a watcher still may, with news and without."""

MOST = 500
"""Watchers of one process; each holds a connection."""


@frozen(eq=False)
class Source:
    """
    @ivar needs: the permission that it takes, see L{llmproxy.core.roles}.
    @ivar collect: gives what is now, as values of JSON.
    @ivar if_named: only who names it gets it.
    """

    needs: str
    collect: Callable[[], Deferred[Any]]
    if_named: bool = False


class LiveFeed:
    """
    Each source is asked every two seconds while somebody watches it. What has changed is sent to all of them, as it is
    by then: a watcher that is slow misses what was in between, and holds nothing.

    @ivar sources: by the names of their events.
    @param is_over: no more is sent; asked now and then.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        sources: Mapping[str, Source],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.sources = dict(sources)
        self._clock = clock
        self._is_over = is_over
        self._last: dict[str, bytes] = {}
        self._watchers: set[_Watcher] = set()
        self._collecting = False
        self._next: Any = None

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    async def watch(
        self, wanted: Collection[str], still: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[bytes, None]:
        """
        Server-sent events (HTML standard, section 9.2): each is named after its source, its data is JSON.

        @param wanted: names of sources.
        @param still: raises when the watcher may not any more: then it ends.
        """
        watcher = _Watcher(self._clock, frozenset(wanted))
        self._begin(watcher)
        checked = self._clock.seconds()
        try:
            yield b"retry: 5000\n\n"
            watcher.news |= watcher.wanted & self._last.keys()
            while not self._is_over():
                if not watcher.news:
                    # News that come seldom put the look off no further.
                    await watcher.wait(min(QUIET, max(0.0, checked + CHECKED_EVERY - self._clock.seconds())))
                news, watcher.news = sorted(watcher.news), set()
                if self._clock.seconds() - checked >= CHECKED_EVERY:
                    await still()
                    checked = self._clock.seconds()
                for name in news:
                    yield b"event: %b\ndata: %b\n\n" % (name.encode(), self._last[name])
                if not news:
                    yield b":\n\n"
        finally:
            self._end(watcher)

    def _begin(self, watcher: _Watcher) -> None:
        self._watchers.add(watcher)
        if self._next is None and not self._collecting:
            self._collect()

    def _end(self, watcher: _Watcher) -> None:
        self._watchers.discard(watcher)
        if not self._watchers and self._next is not None:
            self._next.cancel()
            self._next = None
            # What is old by then is shown to nobody.
            self._last.clear()

    def _collect(self) -> None:
        self._next = None
        self._collecting = True
        collecting = Deferred.fromCoroutine(self._collect_all())
        collecting.addErrback(lambda reason: self._log.failure("what happens now could not be collected", reason))
        collecting.addBoth(self._collected)

    async def _collect_all(self) -> None:
        wanted = frozenset().union(*(watcher.wanted for watcher in self._watchers))
        for name in sorted(wanted & self.sources.keys()):
            text = msgspec.json.encode(await self.sources[name].collect())
            if text != self._last.get(name):
                self._last[name] = text
                # One that may not any more leaves meanwhile.
                for watcher in list(self._watchers):
                    watcher.hear(name)

    def _collected(self, result: object) -> None:
        self._collecting = False
        if self._watchers and not self._is_over():
            self._next = self._clock.callLater(EVERY, self._collect)
        elif self._is_over():
            for watcher in list(self._watchers):
                watcher.wake()
        else:
            self._last.clear()


class _Watcher:
    """@ivar news: names of sources that have something new."""

    def __init__(self, clock: IReactorTime, wanted: frozenset[str]) -> None:
        self._clock = clock
        self.wanted = wanted
        self.news: set[str] = set()
        self._waiting: Deferred[None] | None = None

    def hear(self, name: str) -> None:
        if name in self.wanted:
            self.news.add(name)
            self.wake()

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def wait(self, longest: float) -> None:
        """Until there is news, C{longest} seconds at most."""
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        timer = self._clock.callLater(longest, self.wake)
        try:
            await waiting
        finally:
            self._waiting = None
            if timer.active():
                timer.cancel()
