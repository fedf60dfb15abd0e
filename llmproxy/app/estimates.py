"""Estimates of what answers used that do not say it: made in a thread, before their exchanges are recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..core.budget import Budget
from ..providers.estimation import estimated
from ..store.threads import NoThreads, PooledThreads
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..providers.estimation import Call, Tokens
    from ..record import Record
    from ..usage import Usage

HELD = 64 * 1024 * 1024
"""Bytes of all calls and answers that are copied, or wait for their estimate."""

MOST = 1000
"""Answers that wait for their estimate; a further one stays unknown."""

WITHIN = 10.0
"""Seconds for an estimate; an exchange whose estimate takes longer is recorded without."""

Then = Callable[["Record"], None]


class Estimates:
    """
    Implements L{llmproxy.middleware.estimate.Estimates}.

    @param reactor: one without threads, as tests have, counts where it stands.
    @param failed: takes a kind of few and the reason, where nothing could be estimated.
    @param tokens: counts; tiktoken does.
    """

    def __init__(self, reactor: Any, failed: Callable[[str, str], object], tokens: Tokens | None = None) -> None:
        self._reactor = reactor
        self._failed = failed
        self._tokens = tokens or Tokenizer().count
        self._threads = PooledThreads(reactor, 1, "estimates") if hasattr(reactor, "callFromThread") else NoThreads()
        self._threads.start()
        self._waiting: dict[int, list[tuple[Then, Record]]] = {}
        self._running = True
        self.budget = Budget(HELD)

    def warm(self) -> None:
        """Have what counts read before it is asked, which takes up to a second."""
        if self._running and hasattr(self._reactor, "callFromThread"):
            self._threads.run(lambda: self._tokens("", "")).addErrback(self._lost)

    def estimate(self, record: Record, call: Call) -> None:
        usage = record.usage
        lease = self.budget.lease()
        if (
            usage is None
            or not self._running
            or len(self._waiting) >= MOST
            or not lease.take(len(call.request) + len(call.answer))
        ):
            return
        self._waiting[id(record)] = []
        counting = self._threads.run(lambda: estimated(call, usage, self._tokens))
        counting.addTimeout(WITHIN, self._reactor)
        counting.addCallbacks(lambda found: self._found(record, found), self._lost)
        counting.addBoth(lambda _: self._settle(record)).addBoth(lambda _: lease.end())

    def postpones(self, record: Record, then: Then) -> bool:
        """Have C{then} called with a record whose estimate is under way, once it is made; C{False} for any other."""
        waiting = self._waiting.get(id(record))
        if waiting is None:
            return False
        waiting.append((then, record))
        return True

    def after(self, then: Then) -> Then:
        """The same, for a record whose estimate is under way once it is made."""

        def postponed(record: Record) -> None:
            if not self.postpones(record, then):
                then(record)

        return postponed

    def stop(self) -> None:
        """What is under way is not waited for. Idempotent."""
        if self._running:
            self._running = False
            for key in list(self._waiting):
                self._call(key)
            self._threads.stop()

    def _found(self, record: Record, usage: Usage | None) -> None:
        # Who has been called back already has written down that it is not known.
        if usage is not None and id(record) in self._waiting:
            record.usage, record.estimated = usage, True

    def _lost(self, reason: Failure) -> None:
        # What an exception says may be out of the answer.
        self._failed(
            "estimate", f"{type(reason.value).__name__} while the usage of an answer was estimated: it is unknown"
        )

    def _settle(self, record: Record) -> None:
        self._call(id(record))

    def _call(self, key: int) -> None:
        for then, record in self._waiting.pop(key, ()):
            then(record)
