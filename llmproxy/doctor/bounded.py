"""Calls that may block, each in a thread of its own that nobody waits for longer than its bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Generic, TypeVar, cast

T = TypeVar("T")

MOST_AT_ONCE = 128


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self.outcome: T | None = None
        self.error: Exception | None = None
        self.is_done = False
        # A name server that does not answer must not keep the program from ending.
        self.thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.outcome = self._function()
        except Exception as error:
            self.error = error
        self.is_done = True

    def result(self) -> T | Exception:
        if not self.is_done:
            return Late()
        return self.error if self.error is not None else cast("T", self.outcome)


class Late(Exception):
    """It took longer than it may."""


def at_once(
    functions: Sequence[Callable[[], T]], seconds: float, clock: Callable[[], float] = time.monotonic
) -> list[T | Exception]:
    """
    Call all of them at once, some at a time, and wait for so many seconds in all.

    @return: for each what it returned or raised, or L{Late}; its thread is left alone then.
    """
    until = clock() + seconds
    calls = [_Call(function) for function in functions]
    for begin in range(0, len(calls), MOST_AT_ONCE):
        some = calls[begin : begin + MOST_AT_ONCE]
        if clock() >= until:
            break
        for call in some:
            call.thread.start()
        for call in some:
            call.thread.join(max(0.0, until - clock()))
    found: list[T | Exception] = []
    for call in calls:
        found.append(call.result())
    return found
