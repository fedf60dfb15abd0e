"""
Budgets of machines that share a database and nothing else: money is leased, and spent in memory.

A request that fits in what this process has leased is decided at once; another one waits for a lease. What was spent is
written down every two seconds, and when the process stops, with what it hands back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.limits.leasing import NANO, Account, Answer, Ask, left_of
from ..core.limits.verdicts import Refusal, crossed
from ..net.clockedcall import ClockedCall
from ..net.ratelimitedlog import RateLimitedLog
from .leasefile import LeaseNotes
from .standings import SpentOf, standings

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed, Left, Part
    from ..interfaces import IBudgetLeases

INTERVAL = 2.0
"""Seconds between two writings; what nobody asked for within one is handed back."""

FORGETS_AFTER = 60.0
"""Seconds after which a budget that nobody met is not kept in memory."""

REMOVES_EVERY = 3600.0
"""Seconds after which what nobody needs any more is removed from the database."""

ANSWERS_WITHIN = STOPS_WITHIN = 5.0
"""Seconds for which a request waits for a lease, and a stop for what is written down last."""

FOREIGN_FOR = 90 * 86_400.0
"""Seconds for which the file of a process is kept that this database knows nothing of: it is for another one."""

AWAY_FOR = 1.0
"""Seconds for which a database that did not answer is not asked for leases."""

AT_ONCE = 50
"""Budgets of one transaction: others who need one of them wait for it."""

SHORT = 1.0
"""Seconds after which it is worth to try again."""


@define(slots=True, eq=False)
class _Budget:
    """
    @ivar waiting: amounts, and who waits for a lease of them.
    @ivar is_saying: something of it is being written down or leased: one at a time.
    """

    account: Account
    waiting: list[tuple[int, Deferred[None]]]
    is_saying: bool = False


class Taken(list[tuple[Account, int]]):
    """What a request has reserved of budgets: how much of each."""

    __slots__ = ()


class LeasedBudgets:
    """
    @param clock: its C{seconds} are since the epoch.
    @param holder: what this process is called in C{leases}.
    @param spent: what was spent of a budget in its window before anybody counted it, as a ledger says.
    @param spent_of: the same of several.
    @param warn: called for every share of a budget that was passed, by one of all processes.
    @param directory: where a process notes what could be handed back of its leases if it was killed; C{None} for
        nowhere: then that counts as spent.
    @ivar failures: requests that were decided without the database.
    @ivar epoch: another number when accounts were forgotten: who holds one has to find it anew.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        leases: IBudgetLeases,
        holder: str,
        spent: Callable[[Rule], Deferred[int]],
        spent_of: SpentOf,
        warn: Callable[[Crossed], object],
        directory: str | None = None,
    ) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self._leases = leases
        self._notes = LeaseNotes(directory, holder)
        self._spent = spent
        self._spent_of = spent_of
        self._warn = warn
        self._budgets: dict[str, _Budget] = {}
        self._serial = 0
        self._complaints = RateLimitedLog(clock, self._log, "budgets")
        self._loop = ClockedCall(clock, self._tick)
        self._away_until = 0.0
        self._removes_at = 0.0
        self._stopped = False
        self._foreign: set[str] = set()
        self.failures = self.epoch = 0

    def start(self) -> None:
        """The database is open."""
        self._loop.start(INTERVAL, now=True)

    def stop(self) -> Deferred[None]:
        """Hand back what is leased, and write down what was spent, within L{STOPS_WITHIN}."""
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        for budget in self._budgets.values():
            budget.account.available = 0
            budget.account.note()
        writing = self._write().addTimeout(STOPS_WITHIN, self._clock)
        return writing.addErrback(self._not_written).addCallback(lambda _: self._close())

    # -- requests

    def reserve(self, parts: Sequence[Part]) -> Taken | Refusal | Deferred[Taken | Refusal]:
        """
        See L{llmproxy.interfaces.ILimitStore.reserve}.

        @param parts: of money.
        """
        now = self._seconds()
        budgets, taken = self._budgets, Taken()
        for rule, amount in parts:
            budget = budgets.get(rule.key)
            account = None if budget is None else budget.account
            if account is None or account.rule is not rule or (account.end is not None and now >= account.end):
                account = self._account(rule, now)
            if amount > account.available and amount and rule.over_budget != "warn":
                return self._wanting([(part, self._account(part.rule, now)) for part in parts], now)
            taken.append((account, amount))
        for account, amount in taken:
            account.take(amount, now)
        return taken

    def settle(self, held: Taken, used: Iterable[int | None]) -> None:
        """See L{llmproxy.interfaces.ILimitStore.settle}."""
        for (account, amount), known in zip(held, used, strict=True):
            account.settle(amount, amount if known is None else known)

    def account_of(self, rule: Rule) -> Account | None:
        """Where a budget is counted here; C{None} where that has not begun."""
        budget = self._budgets.get(rule.key)
        return None if budget is None else budget.account

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        """See L{llmproxy.interfaces.ILimitStore.left}; what others have leased and not spent is left."""
        now = self._clock.seconds()
        return Deferred.fromCoroutine(self._left([self._account(rule, now) for rule in rules], now))

    async def _left(self, accounts: list[Account], now: float) -> list[Left]:
        found = await standings(self._leases, accounts, self._spent_of)
        return [left_of(account, standing, now) for account, standing in zip(accounts, found, strict=True)]

    def _wanting(self, pairs: list[tuple[Part, Account]], now: float) -> Taken | Refusal | Deferred[Taken | Refusal]:
        """Some of it is not leased."""
        lacking = [(part, account) for part, account in pairs if not account.fits(part)]
        refusals = [
            account.refusal(part.amount, now) for part, account in lacking if account.is_refused(part.amount, now)
        ]
        if refusals:
            return max(refusals, key=_patience)
        if now < self._away_until or self._stopped:
            return self._alone(pairs, now)
        waiting = [self._lease(account, part.amount) for part, account in lacking]
        leasing: Deferred[Any] = DeferredList(waiting, fireOnOneErrback=True, consumeErrors=True)
        leasing.addTimeout(ANSWERS_WITHIN, self._clock)
        return leasing.addCallbacks(self._leased, self._not_leased, (pairs,), {}, (pairs,), {})

    def _leased(self, _: object, pairs: list[tuple[Part, Account]]) -> Taken | Refusal | Deferred[Taken | Refusal]:
        """There is as much as there will be."""
        now = self._clock.seconds()
        lacking = [(part, account) for part, account in pairs if not account.fits(part)]
        if any(account.known is None for _, account in lacking):
            # Another window has begun meanwhile.
            return self._wanting(pairs, now)
        if lacking:
            return max((account.refuse(part.amount, now) for part, account in lacking), key=_patience)
        return self._take(pairs, now)

    def _not_leased(self, reason: Failure, pairs: list[tuple[Part, Account]]) -> Taken | Refusal:
        now = self._clock.seconds()
        self._away_until = now + AWAY_FOR
        return self._alone(pairs, now)

    def _alone(self, pairs: list[tuple[Part, Account]], now: float) -> Taken | Refusal:
        """The database cannot be asked."""
        self.failures += 1
        for part, account in pairs:
            rule = part.rule
            if account.fits(part) or rule.on_store_failure == "open":
                continue
            if rule.on_store_failure == "closed":
                return Refusal(rule, 0, SHORT, unavailable=True)
            if not account.fits_alone(part.amount):
                return account.refusal(part.amount, now)
        return self._take(pairs, now)

    def _take(self, pairs: list[tuple[Part, Account]], now: float) -> Taken:
        taken = Taken((account, part.amount) for part, account in pairs)
        for account, amount in taken:
            account.take(amount, now)
        return taken

    def _account(self, rule: Rule, now: float) -> Account:
        budget = self._budgets.get(rule.key)
        if budget is None:
            account = Account(rule, self._new_serial(), *rule.span(now), used_at=now)
            self._budgets[rule.key] = _Budget(account, [])
            self._notes.begin(account)
            return account
        account = budget.account
        if account.end is not None and now >= account.end:
            self._roll(account, now)
        if rule is not account.rule:
            if rule.limit != account.rule.limit:
                # What was leased under another limit may be more than this one allows.
                account.available = 0
                account.refused_until = 0.0
                account.note()
            account.rule = rule
        return account

    def _roll(self, account: Account, now: float) -> None:
        self._notes.drop(account)
        account.roll(self._new_serial(), now)
        self._notes.begin(account)

    def _new_serial(self) -> int:
        self._serial += 1
        return self._serial

    # -- leases

    def _lease(self, account: Account, amount: int) -> Deferred[None]:
        budget = self._budgets[account.rule.key]
        waiting: Deferred[None] = Deferred(lambda _: None)
        budget.waiting.append((amount, waiting))
        if not budget.is_saying:
            self._ask(budget)
        return waiting

    def _ask(self, budget: _Budget) -> None:
        """Ask for what all who wait need, at once."""
        waiting, budget.waiting = budget.waiting, []
        amounts = [amount for amount, each in waiting if not each.called]
        if not amounts:
            return
        budget.is_saying = True
        self._make_file()
        account = budget.account
        wanted = max(0, sum(amounts) - account.available)
        asking = Deferred.fromCoroutine(self._say([(account, wanted, max(0, min(amounts) - account.available))]))
        asking.addBoth(self._asked, budget, waiting)

    def _asked(self, outcome: object, budget: _Budget, waiting: list[tuple[int, Deferred[None]]]) -> None:
        budget.is_saying = False
        for _, each in waiting:
            if not each.called:
                each.errback(outcome) if isinstance(outcome, Failure) else each.callback(None)
        if isinstance(outcome, Failure):
            self._complaints.say("lease", f"no money can be leased of budgets ({outcome.getErrorMessage()})")
        if budget.waiting:
            self._ask(budget)

    async def _say(self, accounts: list[tuple[Account, int, int]]) -> None:
        """
        Have it known what this process holds and has spent.

        @param accounts: each with what is wanted of it, and the least that helps.
        """
        said = [(each, each.ask(each.rule.key, wanted, least)) for each, wanted, least in accounts]
        for (account, ask), answer in zip(said, await self._leases.say([ask for _, ask in said]), strict=True):
            if answer is None and account.serial == ask.serial:
                await self._begin(account, ask.wanted * NANO, ask.least * NANO)
            elif answer is not None:
                self._heard(account, ask, answer)

    async def _begin(self, account: Account, wanted: int = 0, least: int = 0) -> None:
        """Nobody had begun it: with what the ledger has of it."""
        serial, spent = account.serial, await self._spent(account.rule)
        if account.serial != serial:
            # Another window has begun meanwhile.
            return
        ask = account.ask(account.rule.key, wanted, least)
        answer = await self._leases.begin(ask, spent)
        if answer is not None:
            self._heard(account, ask, answer)

    def _heard(self, account: Account, ask: Ask, answer: Answer) -> None:
        if account.serial == ask.serial:
            account.answered(ask, answer)
            for each in crossed(account.rule, answer.warned * NANO, answer.spent * NANO):
                self._warn(each)

    # -- writing down

    def _tick(self) -> Deferred[Any]:
        now = self._clock.seconds()
        for key, budget in list(self._budgets.items()):
            account = budget.account
            if account.end is not None and now >= account.end:
                self._roll(account, now)
            account.trim(now, INTERVAL)
            is_over = not account.running and not account.total and not account.holds and account.known is None
            if (account.is_idle() or is_over) and not budget.is_saying and now - account.used_at >= FORGETS_AFTER:
                del self._budgets[key]
                self.epoch += 1
                self._notes.drop(account)
        # A LoopingCall ends at its first failure.
        return self._write().addErrback(self._not_written).addBoth(lambda _: self._look(now))

    def _write(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._say_all(list(self._budgets.values())))

    async def _say_all(self, budgets: Sequence[_Budget]) -> None:
        """Have it known what this process holds and has spent of them; where that is under way already, it will be."""
        for start in range(0, len(budgets), AT_ONCE):
            late = [each for each in budgets[start : start + AT_ONCE] if not each.is_saying and _is_late(each.account)]
            if late:
                await self._say_some(late)

    async def _say_some(self, budgets: list[_Budget]) -> None:
        self._make_file()
        for each in budgets:
            each.is_saying = True
        try:
            await self._say([(each.account, 0, 0) for each in budgets])
        finally:
            for each in budgets:
                each.is_saying = False
                if each.waiting:
                    self._ask(each)

    def _not_written(self, reason: Failure) -> None:
        why = reason.getErrorMessage()
        self._complaints.say("write", f"what was spent of budgets could not be written down; it is kept ({why})")

    # -- files

    def _make_file(self) -> None:
        if self._notes.make():
            for budget in self._budgets.values():
                self._notes.begin(budget.account)

    def _look(self, now: float) -> Deferred[Any]:
        """Take over what dead processes have held; and remove what nobody needs, now and then."""
        looking = Deferred.fromCoroutine(self._reclaim(now))
        return looking.addErrback(lambda reason: self._complaints.say("look", reason.getErrorMessage()))

    async def _reclaim(self, now: float) -> None:
        for dead in self._notes.dead(self._foreign):
            try:
                free = await self._leases.reclaim(dead.holder, dead.available())
                if free is None and dead.age(now) < FOREIGN_FOR:
                    self._foreign.add(dead.holder)
                else:
                    dead.remove()
            finally:
                dead.close()
            if free:
                words = "limits: {free} USD that the process {holder} had leased of budgets when it died are free again"
                self._log.info(words, free=f"{free / 10**12:.6f}", holder=dead.holder)
        if self._serial and now >= self._removes_at:
            self._removes_at = now + REMOVES_EVERY
            await self._leases.forget()

    def _close(self) -> None:
        all_written = all(each.account.is_idle() for each in self._budgets.values())
        for each in self._budgets.values():
            each.account.cells, each.account.cell = [0], 0
        self._notes.close(remove=all_written)


def _is_late(account: Account) -> bool:
    """Whether there is something to be written down."""
    return not account.is_written() and bool(account.known or account.total or account.holds)


def _patience(refusal: Refusal) -> float:
    return float("inf") if refusal.resets_in is None else refusal.resets_in
