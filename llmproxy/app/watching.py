"""A watch over the files of a configuration: it says when they have changed, and are no longer being written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..net.clockedcall import ClockedCall
from .reloading import on_thread

if TYPE_CHECKING:
    from .settings import Settings

EVERY = 1.0
"""Seconds between two looks."""

Look = Mapping[str, object]
"""By path, how a file is, such that any change of it makes it another."""


def look(paths: Iterable[str]) -> Look:
    """How files are now; links are followed, as Kubernetes and certbot replace those."""
    return {path: _state(path) for path in paths}


def differ(before: Look, now: Look) -> bool:
    """Whether a file has changed that was known: one that was not belongs to it only now."""
    return any(path in before and before[path] != state for path, state in now.items())


def _state(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def watch_of(reactor: Any, settings: Settings, changed: Callable[[], Deferred[Any]]) -> FileWatch | None:
    """A watch over the files of a configuration, where one is wanted; it is not started."""
    source = settings.source
    if source is None or not settings.watch:
        return None
    return FileWatch(reactor, lambda: source.files, partial(on_thread, reactor), changed)


class FileWatch:
    """
    Looks at files each L{EVERY} seconds.

    A file that is written in pieces, or several that belong together, are one change: it is reported at the first look
    that is the same as the one before.

    @param files: gives the paths, at each look.
    @param run: calls a function on a thread: a file system can hang.
    @param changed: called with nothing; what it returns is waited for before the next look.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        files: Callable[[], Iterable[str]],
        run: Callable[[Callable[[], Look]], Deferred[Look]],
        changed: Callable[[], Deferred[Any]],
    ) -> None:
        self._files = files
        self._run = run
        self._changed = changed
        self._known: Look = {}
        self._before: Look = {}
        self._looping = ClockedCall(clock, lambda: Deferred.fromCoroutine(self._look()))

    def start(self) -> None:
        """Look from now on. What there is now is what the configuration was made of."""
        self._looping.start(EVERY).addErrback(lambda reason: self._log.failure("the watch has ended", reason))

    def stop(self) -> None:
        if self._looping.running:
            self._looping.stop()

    async def _look(self) -> None:
        paths = tuple(self._files())
        found = await self._run(lambda: look(paths))
        settled, self._before = found == self._before, found
        if not differ(self._known, found):
            self._known = found
        elif settled:
            # What changes from now on is another change.
            self._known = found
            await self._changed()
