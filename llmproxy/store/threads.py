"""Threads for blocking database calls: of our own, or, in tests, none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Threads(Protocol):
    """A bounded number of places where a function can block."""

    def start(self) -> None:
        """Called once, before the first L{run}."""

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        """Call it there. Cancelling forgets the result; the call itself goes on."""

    def stop(self) -> None:
        """Called once, when nothing runs any more."""


class _Pool(ThreadPool):
    """Threads that do not keep alive a process which has forgotten to stop them."""

    threadFactory = staticmethod(partial(Thread, daemon=True))  # type: ignore[assignment]


class PooledThreads:
    """Threads of a pool that nobody else uses, started when needed."""

    def __init__(self, reactor: Any, size: int, name: str = "database") -> None:
        self._reactor = reactor
        self._pool = _Pool(minthreads=0, maxthreads=size, name=name)

    def start(self) -> None:
        self._pool.start()

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._pool, call)

    def grow(self, size: int) -> None:
        """Have room for C{size} calls at once, if there is less."""
        if size > self._pool.max:
            self._pool.adjustPoolsize(0, size)

    def stop(self) -> None:
        self._pool.stop()


class NoThreads:
    """Calls at once, in the thread of the caller: for tests, and for commands that have nothing else to do."""

    def __init__(self, size: int = 1) -> None:
        pass

    def start(self) -> None:
        pass

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        return execute(call)

    def grow(self, size: int) -> None:
        pass

    def stop(self) -> None:
        pass
