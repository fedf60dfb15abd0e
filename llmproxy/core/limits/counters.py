"""
Counters of limits: what is used and reserved of each, and whether a request fits in all that hold for it.

No I/O and no clock. A request reserves what it can use at most in all of its limits or in none of them; when it has
ended, it is settled with what it has used, or given back where nothing was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field

from .sliding import SlidingSum
from .values import Rule
from .verdicts import SHARES, Crossed, Left, Part, Refusal, Reservation, crossed


@define(slots=True, eq=False)
class Budget:
    """
    @ivar begin: of the window that C{spent} is of, seconds since the epoch.
    @ivar reserved: by requests that run, whenever they began.
    """

    begin: float
    end: float | None
    spent: int = 0
    reserved: int = 0

    def used(self) -> int:
        return self.spent + self.reserved


@define(slots=True, eq=False)
class Counters:
    """
    All that one process counts. Moments are seconds since the epoch.

    @ivar parallel: requests that run, by the key of their rule; 0 is kept for a while, as a dictionary is made anew
        again and again if what comes first goes last.
    @ivar epoch: another number when counters were forgotten: who holds one has to find it anew.
    @ivar look_at: from when on it is looked after whether some can be forgotten.
    """

    _rates: dict[str, SlidingSum] = field(factory=dict)
    _budgets: dict[str, Budget] = field(factory=dict)
    parallel: dict[str, int] = field(factory=dict)
    epoch: int = 0
    look_at: float = 0.0

    def reserve(
        self, parts: Sequence[Part], now: float, id: str = "", asked: Sequence[Part] | None = None
    ) -> Reservation | Refusal:
        """
        All parts are taken, or none is. Where several limits refuse, it is the one that takes longest.

        @param asked: those that may refuse, if not all of them.
        """
        if asked is not None:
            refusals = [each for part in asked if (each := self._refusal(part, now)) is not None]
            if refusals:
                return max(refusals, key=_patience)
        taken = 0
        for rule, amount in parts:
            kind = rule.kind
            if kind == "money":
                budget = self._budgets.get(rule.key)
                if budget is None or (budget.end is not None and now >= budget.end):
                    budget = self.budget(rule, now)
                used = budget.spent + budget.reserved + amount
                fits = used <= rule.limit or not amount or rule.over_budget == "warn" or asked is not None
                if fits:
                    budget.reserved += amount
            elif kind == "parallel":
                used = self.parallel.get(rule.key, 0) + amount
                fits = used <= rule.limit or not amount or asked is not None
                if fits:
                    self.parallel[rule.key] = used
            else:
                rate = self._rates.get(rule.key) or self.rate(rule.key)
                fits = rate.take(amount, rule.limit if amount and asked is None else _ANY, now)
            if fits:
                taken += 1
            else:
                self._return(parts[:taken], now)
                refusals = [each for part in parts if (each := self._refusal(part, now)) is not None]
                return max(refusals, key=_patience)
        return Reservation(tuple(parts), now, id)

    def _return(self, parts: Iterable[Part], now: float) -> None:
        """What was taken in the same moment, of a request that does not fit in all of its limits."""
        for rule, amount in parts:
            if rule.kind == "money":
                self.budget(rule, now).reserved -= amount
            elif rule.kind == "parallel":
                self._leave(rule, amount)
            else:
                self.rate(rule.key).take_back(amount)

    def settle(self, held: Reservation, used: Iterable[int | None], now: float) -> list[Crossed]:
        """
        The request has ended.

        @param used: of each part, what it was in the end; C{None} where that is not known, so that it was as much as
            was reserved.
        @return: what has to be said of budgets.
        """
        found: list[Crossed] = []
        for (rule, reserved), known in zip(held.parts, used):  # noqa: B905
            # (A keyword would take as long again.)
            kind = rule.kind
            if kind == "money":
                budget = self._budgets.get(rule.key)
                if budget is None or (budget.end is not None and now >= budget.end):
                    budget = self.budget(rule, now)
                budget.reserved = budget.reserved - reserved if budget.reserved > reserved else 0
                before = budget.spent
                after = budget.spent = before + (reserved if known is None else known)
                if rule.soft is not None or after * 100 >= rule.limit * SHARES[0]:
                    found += crossed(rule, before, after)
            elif kind == "parallel":
                self._leave(rule, reserved)
            elif known is not None and known != reserved:
                rate = self._rates.get(rule.key) or self.rate(rule.key)
                rate.change(known - reserved, held.at, now)
        return found

    def give_back(self, held: Reservation, now: float) -> None:
        """Nothing was sent: it has used nothing."""
        self.settle(held, [0] * len(held.parts), now)

    def left(self, rule: Rule, now: float) -> Left:
        """How much of a limit is used."""
        if rule.kind == "parallel":
            return _left(rule, self.parallel.get(rule.key, 0), None)
        if rule.kind == "money":
            budget = self.budget(rule, now)
            ends_in = None if budget.end is None or not budget.used() else budget.end - now
            return _left(rule, budget.used(), ends_in)
        rate = self._rates.get(rule.key)
        used = 0 if rate is None else rate.at(now)
        empties_at = None if rate is None else rate.empties_at()
        return _left(rule, used, None if empties_at is None else max(0.0, empties_at - now))

    def knows(self, rule: Rule, now: float) -> bool:
        """Whether a budget was counted from its begin on: what was spent before that, a ledger has to say."""
        budget = self._budgets.get(rule.key)
        return budget is not None and (budget.end is None or now < budget.end)

    def has_begun(self, rule: Rule) -> bool:
        """Whether a budget is counted: from then on all of it is known, windows that begin later too; or a rate."""
        return rule.key in (self._budgets if rule.kind == "money" else self._rates)

    def begin(self, rule: Rule, spent: int, now: float) -> None:
        """At least so much of a budget was spent in the present window, this process's own part included."""
        budget = self.budget(rule, now)
        budget.spent = max(budget.spent, spent)

    def restore(self, rule: Rule, amount: int, at: float, now: float) -> None:
        """
        What was used before this process began to count, as a ledger says.

        @param at: when; of a budget, in whose window.
        """
        if rule.kind == "money":
            self.budget(rule, now).spent += amount
        elif now - at <= 60:
            self.rate(rule.key).add(amount, at)

    def prune(self, now: float) -> None:
        """Forget what counts for nothing any more: rates that have passed, and budgets whose window has."""
        self.epoch += 1
        self.parallel = {key: running for key, running in self.parallel.items() if running}
        self._rates = {key: rate for key, rate in self._rates.items() if rate.at(now) or rate.empties_at() is not None}
        self._budgets = {
            key: budget
            for key, budget in self._budgets.items()
            if budget.reserved or budget.end is None or now < budget.end
        }

    def shed(self, count: int) -> None:
        """Forget as many rates, those first of which least is used; money and what runs is never forgotten."""
        self.epoch += 1
        used = sorted(self._rates, key=lambda key: self._rates[key].total)
        for key in used[: max(0, count)]:
            del self._rates[key]

    def __len__(self) -> int:
        """How many limits are counted."""
        return len(self._rates) + len(self._budgets) + len(self.parallel)

    def _refusal(self, part: Part, now: float) -> Refusal | None:
        rule, amount = part.rule, part.amount
        if not amount:
            return None
        if rule.kind == "parallel":
            used = self.parallel.get(rule.key, 0)
            # It may be any moment.
            return None if used + amount <= rule.limit else Refusal(rule, max(0, rule.limit - used), 1.0)
        if rule.kind == "money":
            return self._beyond(rule, amount, now)
        rate = self._rates.get(rule.key) or SlidingSum()
        if rate.at(now) + amount <= rule.limit:
            return None
        return Refusal(rule, max(0, rule.limit - rate.total), rate.wait(amount, rule.limit, now))

    def _beyond(self, rule: Rule, amount: int, now: float) -> Refusal | None:
        if rule.over_budget == "warn":
            return None
        budget = self.budget(rule, now)
        if budget.spent + budget.reserved + amount <= rule.limit:
            return None
        waits = budget.end is not None and amount <= rule.limit
        resets_in = budget.end - now if waits and budget.end is not None else None
        return Refusal(rule, max(0, rule.limit - budget.used()), resets_in)

    def _leave(self, rule: Rule, amount: int) -> None:
        key = rule.key
        running = self.parallel.get(key, 0) - amount
        self.parallel[key] = running if running > 0 else 0

    def rate(self, key: str) -> SlidingSum:
        """That of a rule of requests or tokens."""
        rate = self._rates.get(key)
        if rate is None:
            rate = self._rates[key] = SlidingSum()
        return rate

    def budget(self, rule: Rule, now: float) -> Budget:
        """The budget in the window of now; what runs goes over from the last one."""
        budget = self._budgets.get(rule.key)
        if budget is None:
            budget = self._budgets[rule.key] = Budget(*rule.span(now))
        elif budget.end is not None and now >= budget.end:
            budget.begin, budget.end = rule.span(now)
            budget.spent = 0
        return budget


_ANY = 1 << 200
"""More than any limit."""


def _patience(refusal: Refusal) -> float:
    return float("inf") if refusal.resets_in is None else refusal.resets_in


def _left(rule: Rule, used: int, resets_in: float | None) -> Left:
    return Left(rule, used, max(0, rule.limit - used), resets_in)
