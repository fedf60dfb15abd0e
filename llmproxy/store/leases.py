"""Exact quotas without SQL on the way of a request: a few uses are leased at a time and spent in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import RateLimitExceeded, Unavailable
from ..interfaces import IQuota

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from ..message import Principal

MAX_LEASE = 64
"""What a crash can lose of one token at most, and what saves that many statements."""


@define(eq=False, slots=True)
class _Account:
    """
    One token's uses in this process.

    @ivar left: leased and not spent.
    @ivar spent: spent and not written down.
    @ivar settled: leased uses among C{spent}.
    """

    left: int = 0
    spent: int = 0
    settled: int = 0
    last_used_at: float | None = None
    leasing: bool = False
    waiting: list[Deferred[None]] = field(factory=list)


@implementer(IQuota)
class LeasedQuota:
    """
    C{max_requests} of N is N uses, over all processes that share the database.

    Uses are counted in memory and written every C{flush_interval}; what could not be written is kept for the next
    time. A process that dies loses the leases that it holds: fewer uses, never more.
    """

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, database: Any, *, max_lease: int = MAX_LEASE, flush_interval: float = 5.0
    ) -> None:
        self._seconds = clock.seconds
        self._store = database.tokens
        self._max_lease = max_lease
        self._interval = flush_interval
        self._accounts: dict[str, _Account] = {}
        self._flushing = LoopingCall(self.flush)
        self._flushing.clock = clock

    def start(self) -> None:
        self._flushing.start(self._interval, now=False)

    def spend(self, principal: Principal) -> Deferred[None] | None:
        token = principal.token
        account = self._accounts.get(token.id)
        if account is None:
            account = self._accounts[token.id] = _Account()
        if token.max_requests is None:
            account.spent += 1
            account.last_used_at = self._seconds()
            return None
        if account.left > 0 and not account.waiting:
            self._take(account)
            return None
        waiting: Deferred[None] = Deferred(account.waiting.remove)
        account.waiting.append(waiting)
        self._lease(token.id, account)
        return waiting

    def give_back(self, principal: Principal) -> None:
        account = self._accounts.get(principal.token.id)
        if account is None:
            account = self._accounts[principal.token.id] = _Account()
        account.spent -= 1
        if principal.token.max_requests is not None:
            account.settled -= 1
            account.left += 1

    def limits_changed(self, token_id: str) -> Deferred[None]:
        """The limit is another: what is leased under the old one goes back."""
        account = self._accounts.get(token_id)
        if account is not None:
            account.settled += account.left
            account.left = 0
        return self.flush()

    def flush(self) -> Deferred[None]:
        """Write down what was used. Never fails."""
        batch: dict[str, tuple[int, int, float | None]] = {}
        for token_id, account in list(self._accounts.items()):
            if account.spent or account.settled:
                batch[token_id] = (account.spent, account.settled, account.last_used_at)
                account.spent = account.settled = 0
            elif not account.left and not account.leasing and not account.waiting:
                del self._accounts[token_id]
        if not batch:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done

        def failed(reason: Failure) -> None:
            self._log.failure("uses could not be written down; they are kept for the next time", reason)
            for token_id, (spent, settled, last) in batch.items():
                account = self._accounts.setdefault(token_id, _Account())
                account.spent += spent
                account.settled += settled
                account.last_used_at = account.last_used_at or last

        settling: Deferred[None] = self._store.settle(batch)
        return settling.addErrback(failed)

    def stop(self) -> Deferred[None]:
        """Write everything down and give the leases back."""
        if self._flushing.running:
            self._flushing.stop()
        for account in self._accounts.values():
            account.settled += account.left
            account.left = 0
        return self.flush()

    def _take(self, account: _Account) -> None:
        account.left -= 1
        account.spent += 1
        account.settled += 1
        account.last_used_at = self._seconds()

    def _lease(self, token_id: str, account: _Account) -> None:
        if account.leasing:
            return
        account.leasing = True
        wanted = max(self._max_lease, len(account.waiting))
        leasing: Deferred[int] = self._store.lease(token_id, min(wanted, self._max_lease))
        leasing.addCallbacks(self._leased, self._not_leased, (token_id, account), {}, (account,))

    def _leased(self, count: int, token_id: str, account: _Account) -> None:
        account.leasing = False
        account.left += count
        while account.waiting and account.left > 0:
            waiting = account.waiting.pop(0)
            self._take(account)
            waiting.callback(None)
        if account.waiting:
            if count:
                self._lease(token_id, account)
            else:
                self._refuse(account, RateLimitExceeded())

    def _not_leased(self, reason: Failure, account: _Account) -> None:
        account.leasing = False
        self._log.failure("uses cannot be counted", reason)
        self._refuse(account, Unavailable("uses cannot be counted"))

    def _refuse(self, account: _Account, error: Exception) -> None:
        waiting, account.waiting = account.waiting, []
        for one in waiting:
            one.errback(error)
