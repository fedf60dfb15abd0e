"""Lanes on threads: what one user calls runs one at a time and in its order, and waits for nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredLock


class RunsCalls(Protocol):
    """Calls a function on a thread."""

    def __call__(self, call: Callable[[], Any], /) -> Deferred[Any]: ...


class Lane:
    """
    See L{llmproxy.sinks.registry.RunInThread}.

    @ivar waiting: calls that run or wait.
    """

    def __init__(self, run: RunsCalls) -> None:
        self._run = run
        self._lock = DeferredLock()
        self._idle: list[Deferred[None]] = []
        self.waiting = 0

    def __call__(self, call: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        self.waiting += 1
        running: Deferred[Any] = self._lock.run(lambda: self._run(lambda: call(*arguments)))
        return running.addBoth(self._done)

    def idle(self) -> Deferred[None]:
        """Fires when nothing runs or waits any more."""
        waiting: Deferred[None] = Deferred(self._forget)
        self._idle.append(waiting)
        self._tell()
        return waiting

    def _done(self, result: Any) -> Any:
        self.waiting -= 1
        self._tell()
        return result

    def _tell(self) -> None:
        if not self.waiting:
            idle, self._idle = self._idle, []
            for each in idle:
                each.callback(None)

    def _forget(self, waiting: Deferred[None]) -> None:
        if waiting in self._idle:
            self._idle.remove(waiting)
