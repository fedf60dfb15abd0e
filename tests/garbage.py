"""Garbage that a piece of work leaves to the collector, for tests that count it."""

from __future__ import annotations

import gc
from types import TracebackType


class Garbage:
    """
    The collector at rest for a block, so that all that it could find is found in the end.

    What was there before is not looked at: it does not count, and takes no time, however many tests have run.
    """

    def __enter__(self) -> Garbage:
        self._collects = gc.isenabled()
        gc.disable()
        gc.freeze()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        gc.unfreeze()
        if self._collects:
            gc.enable()

    def collected(self) -> int:
        """Let the collector look now: how many objects it found since the block began, or since the last time."""
        return gc.collect()
