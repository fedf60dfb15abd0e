"""Quotas spent from leases, and uses counted in memory and written down in batches."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, fail, inlineCallbacks, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.quotas import MAX_LEASE, Account, Grant, Settlement
from ..errors import OutcomeUnknown, ProxyError, TokenUsedUp, Unavailable
from ..interfaces import IQuota
from ..net.clockedcall import ClockedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..message import Principal
    from .database import Database

SPENT_FOR = 2.0
"""Seconds that a quota which the database called spent is refused without asking it again."""

HELD_FOR = 0.25
"""The same where other workers hold leases, which they may hand back."""


@define(slots=True, eq=False)
class _Holding:
    """
    One token in this process.

    @ivar waiting: requests that wait for the next lease.
    @ivar leasing: one is being asked for; all who wait, wait for that one.
    @ivar fence: raised when a lease granted under earlier limits must not be spent any more.
    @ivar refused_until: no lease is asked for before this moment.
    @ivar asked: fires when the lease has come that the database is being asked for; C{None} while it is not.
    @ivar writing: fires when what was used has been written down, or not; C{None} while it is not being done.
    """

    account: Account
    waiting: deque[Deferred[None]] = field(factory=deque)
    leasing: bool = False
    fence: int = 0
    refused_until: float = 0.0
    asked: Deferred[None] | None = None
    writing: Deferred[None] | None = None

    def leave(self, waiter: Deferred[None]) -> None:
        """One that was cancelled takes no use."""
        if waiter in self.waiting:
            self.waiting.remove(waiter)

    def is_idle(self, now: float) -> bool:
        account = self.account
        return (
            account.is_settled()
            and not (account.available or self.waiting or self.leasing)
            and self.refused_until <= now
        )


@implementer(IQuota)
class LeasedQuota:
    """
    Exact for limited tokens, whatever the number of processes; counts for all.

    What is written down of one token is written in its order, one after the other: each says how far the ledger had
    come (L{llmproxy.core.ledger.uses}), so that what a killed process had on its way behind it would be lost.

    What it keeps in memory is bounded by the number of tokens that were used within the last two
    intervals: leases that lie idle for one are handed back.

    @param clock: its C{seconds} are since the epoch.
    @param max_lease: what a crash may lose of one token.
    @param flush_interval: seconds between two writings.
    @ivar sequence: of the ledger, see L{llmproxy.core.ledger.uses}; 0 without one.
    """

    _log = Logger()

    def __init__(
        self, clock: Any, database: Database, *, max_lease: int = MAX_LEASE, flush_interval: float = 5.0
    ) -> None:
        self._seconds = clock.seconds
        self.sequence: Callable[[], int] = lambda: 0
        self._usage = database.usage
        self._max_lease = max_lease
        self._interval = flush_interval
        self._held: dict[str, _Holding] = {}
        self._doubtful: dict[str, list[tuple[_Holding, Settlement]]] = {}
        self._writing = DeferredLock()
        self._leases_in_flight = 0
        self._quiet: Deferred[None] | None = None
        self._stopped = False
        self._loop = ClockedCall(clock, self._tick)

    def start(self) -> None:
        """Write down at intervals from now on."""
        self._loop.start(self._interval, now=False)

    @inlineCallbacks
    def stop(self) -> Generator[Deferred[Any], Any, None]:
        """Hand back what is leased and write down what was used. Fails if that cannot be written."""
        if self._loop.running:
            self._loop.stop()
        self._stopped = True
        if self._leases_in_flight:
            self._quiet = Deferred()
            yield self._quiet
        for holding in self._held.values():
            holding.account.drop_lease()
        yield self.flush()

    def spend(self, principal: Principal) -> Deferred[None] | None:
        token = principal.token
        holding = self._held.get(token.id)
        if holding is None:
            holding = self._held[token.id] = _Holding(Account(token.id))
        if token.max_requests is None:
            holding.account.count(self._seconds())
            return None
        now = self._seconds()
        if holding.account.spend(now):
            return None
        return self._wait(holding, now)

    def check(self, principal: Principal) -> Deferred[None] | None:
        token = principal.token
        holding = self._held.get(token.id)
        if token.max_requests is None or (holding is not None and holding.account.available > 0):
            return None
        spending = self.spend(principal)
        if spending is None:
            self.give_back(principal)
            return None
        return spending.addCallback(lambda _: self._return(principal))

    def _return(self, principal: Principal) -> None:
        self.give_back(principal)

    def give_back(self, principal: Principal) -> bool:
        token = principal.token
        holding = self._held.get(token.id)
        if holding is None:
            holding = self._held[token.id] = _Holding(Account(token.id))
        holding.refused_until = 0.0
        if token.max_requests is None or holding.fence:
            # It may be one that the new limit does not allow: let the database decide.
            holding.account.uncount()
            return False
        holding.account.unspend()
        self._serve(holding)
        return True

    def flush(self) -> Deferred[None]:
        """
        Write down what was used until now; then the store's numbers are the present ones.

        Fails with L{Unavailable}, and keeps the numbers for the next time.
        """
        return self._writing.run(self._flush, list(self._held.values()))

    def settle(self, token_id: str) -> Deferred[None]:
        """
        Forget what is leased of a token, and write down what was used of it: its limits have changed.

        From this call on, not only from when the Deferred fires, nothing is spent that was leased before.
        """
        holding = self._held.get(token_id)
        if holding is None:
            return succeed(None)
        holding.fence += 1
        holding.refused_until = 0.0
        holding.account.drop_lease()
        return self._writing.run(self._flush, [holding])

    def settle_all(self) -> Deferred[None]:
        """The same for every token: it is not known whose limits have changed."""
        for holding in self._held.values():
            holding.fence += 1
            holding.refused_until = 0.0
            holding.account.drop_lease()
        return self.flush()

    def _wait(self, holding: _Holding, now: float) -> Deferred[None]:
        if self._stopped:
            return fail(Unavailable("shutting down"))
        if now < holding.refused_until:
            return fail(TokenUsedUp())
        waiter: Deferred[None] = Deferred(holding.leave)
        holding.waiting.append(waiter)
        if not holding.leasing:
            self._lease(holding)
        return waiter

    def _lease(self, holding: _Holding) -> None:
        holding.leasing = True
        self._leases_in_flight += 1
        before = self._before(holding)
        if before is None:
            self._ask(holding)
        else:
            before.addCallbacks(lambda _: self._ask(holding), self._cannot_ask, errbackArgs=(holding,))

    def _before(self, holding: _Holding) -> Deferred[None] | None:
        """What was taken of the account before is written down, or back in it; C{None} if it is already."""
        if any(holding is each for taken in self._doubtful.values() for each, _ in taken):
            return self._writing.run(self._flush, [holding])
        return None if holding.writing is None else _when(holding.writing)

    def _cannot_ask(self, reason: Failure, holding: _Holding) -> None:
        holding.leasing = False
        _turn_away(holding, _for_clients(reason))
        self._lease_over(None)

    def _ask(self, holding: _Holding) -> None:
        fence = holding.fence
        asked: Deferred[None] = Deferred()
        holding.asked = asked
        settlement, name = holding.account.settle(self.sequence()), uuid4().hex
        leasing = self._usage.lease(settlement, len(holding.waiting), self._max_lease, name)
        leasing.addCallbacks(
            self._granted, self._failed, callbackArgs=(holding, fence), errbackArgs=(holding, settlement, name)
        )
        leasing.addErrback(lambda reason: self._log.failure("a lease could not be handed out", reason))
        leasing.addBoth(_over, holding, asked)
        leasing.addBoth(self._lease_over)

    def _granted(self, grant: Grant, holding: _Holding, fence: int) -> None:
        holding.leasing = False
        holding.account.available += grant.size
        if holding.fence != fence:
            holding.account.drop_lease()
        elif not grant.size:
            self._refuse(holding, grant)
        self._serve(holding)
        if holding.waiting:
            self._lease(holding)

    def _refuse(self, holding: _Holding, grant: Grant) -> None:
        # A use that was given back meanwhile is still there for the first who waits.
        self._serve(holding)
        if holding.waiting:
            holding.refused_until = self._seconds() + (HELD_FOR if grant.held_elsewhere else SPENT_FOR)
        _turn_away(holding, grant.refusal())

    def _failed(self, reason: Failure, holding: _Holding, settlement: Settlement, name: str) -> None:
        holding.leasing = False
        self._keep([(holding, settlement)], name, reason)
        _turn_away(holding, _for_clients(reason))

    def _lease_over(self, _: object) -> None:
        self._leases_in_flight -= 1
        if self._quiet is not None and not self._leases_in_flight:
            quiet, self._quiet = self._quiet, None
            quiet.callback(None)

    def _serve(self, holding: _Holding) -> None:
        while holding.waiting and holding.account.spend(self._seconds()):
            holding.waiting.popleft().callback(None)

    def _tick(self) -> Deferred[None]:
        idle_since = self._seconds() - self._interval
        for holding in self._held.values():
            used_at = holding.account.last_used_at
            if not holding.leasing and (used_at is None or used_at <= idle_since):
                holding.account.drop_lease()
        # A LoopingCall ends at its first failure. What went wrong has been logged.
        return self.flush().addErrback(lambda _: None).addCallback(self._prune)

    def _prune(self, _: object) -> None:
        now = self._seconds()
        for token_id in [token_id for token_id, holding in self._held.items() if holding.is_idle(now)]:
            del self._held[token_id]

    @inlineCallbacks
    def _flush(self, holdings: list[_Holding]) -> Generator[Deferred[Any], Any, None]:
        writing: Deferred[None] = Deferred()
        for holding in holdings:
            holding.writing = writing
        try:
            for holding in holdings:
                if holding.asked is not None:
                    yield _when(holding.asked)
            yield from self._find_out()
            yield from self._write(holdings)
        finally:
            for holding in holdings:
                holding.writing = None
            writing.callback(None)

    def _write(self, holdings: list[_Holding]) -> Generator[Deferred[Any], Any, None]:
        upto = self.sequence()
        taken = [(each, each.account.settle(upto)) for each in holdings if not each.account.is_settled()]
        if not taken:
            return
        name = uuid4().hex
        try:
            yield self._usage.settle([settlement for _, settlement in taken], name)
        except CancelledError:
            # Nobody waits for it any more; it goes on.
            self._doubtful[name] = taken
            raise
        except Exception:
            reason = Failure()
            self._keep(taken, name, reason)
            self._log.warn("the uses of {count} tokens could not be written down; they are kept", count=len(taken))
            raise _for_clients(reason) from None

    def _find_out(self) -> Generator[Deferred[Any], Any, None]:
        """Ask about those writings of which it is not known whether they happened: no use is counted twice."""
        for name, taken in list(self._doubtful.items()):
            try:
                happened = yield self._usage.happened(name)
            except CancelledError:
                raise
            except Exception:
                raise _for_clients(Failure()) from None
            del self._doubtful[name]
            if not happened:
                self._restore(taken)

    def _keep(self, taken: list[tuple[_Holding, Settlement]], name: str, reason: Failure) -> None:
        if reason.check(OutcomeUnknown):
            self._doubtful[name] = taken
        else:
            self._restore(taken)

    def _restore(self, taken: list[tuple[_Holding, Settlement]]) -> None:
        for holding, settlement in taken:
            holding.account.restore(settlement)
            # It may have been pruned while it was being written.
            current = self._held.setdefault(holding.account.token_id, holding)
            if current is not holding:
                current.account.restore(holding.account.settle())


def _when(over: Deferred[None]) -> Deferred[None]:
    """Fires when another one does, which stays as it is."""
    waiting: Deferred[None] = Deferred()

    def done(result: None) -> None:
        if not waiting.called:
            waiting.callback(None)

    over.addCallback(done)
    return waiting


def _over(_: object, holding: _Holding, asked: Deferred[None]) -> None:
    """The database has answered, and what it said is noted."""
    if holding.asked is asked:
        holding.asked = None
    asked.callback(None)


def _turn_away(holding: _Holding, error: ProxyError) -> None:
    turned_away, holding.waiting = holding.waiting, deque()
    for waiter in list(turned_away):
        if not waiter.called:
            waiter.errback(error)


def _for_clients(reason: Failure) -> ProxyError:
    error = reason.value
    return error if isinstance(error, ProxyError) else Unavailable("the quota cannot be asked")
