"""
Limits that go on where they were: what was used of each before its counting began is asked for once, and requests that
meet it wait for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.limits.sliding import WINDOW
from ..core.limits.verdicts import Refusal
from ..interfaces import ILimitStore

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed, Left, Part, Reservation

TRIES_AGAIN = 5.0
"""Seconds after which it is asked for anew, where it could not be known."""

_MONEY, _ALL = ("money",), ("money", "requests", "tokens")
"""What is asked for: of rates, only in the first minute."""


class Counts(Protocol):
    """
    A store that answers at once, see L{ILimitStore}.

    @ivar failures: requests that were decided by what this process alone has seen.
    @ivar decides: what does not fit here is refused as C{on_store_failure} says, where others cannot be seen; else
        somebody else knows better.
    """

    failures: int
    decides: bool

    def reserve(
        self, parts: Sequence[Part], id: str = "", asked: Sequence[Part] | None = None
    ) -> Reservation | Refusal:
        """
        @param id: of the reservation, if it has one.
        @param asked: those that may refuse, if not all of them.
        """

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None: ...

    def give_back(self, held: Reservation) -> None: ...

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]: ...

    def has_begun(self, rule: Rule) -> bool:
        """Whether it is counted already."""

    def begin(self, rule: Rule, spent: int) -> None:
        """At least so much was spent in the present window."""

    def restore(self, rule: Rule, used: Past) -> None:
        """So much of a rate was used before, in the order of time; nothing where it is counted already."""


Past = Sequence[tuple[float, int]]
"""What was used of a rate, by the second in which it was."""

NewCounts = Callable[[Callable[[], float], Callable[["Crossed"], object]], Counts]
"""Makes one, given the time and what is called with shares of budgets that have been used."""


@implementer(ILimitStore)
class RestoredLimits:
    """
    @param seconds: since the epoch.
    @param spent: money that was spent in the present window of a rule; fails where that cannot be known now. Then
        C{on_store_failure} holds: with C{closed} requests are refused, else the budget begins with nothing spent, until
        it is known.
    @param used: what was used of a rate in the last minute, likewise; C{None} where nobody knows. It is asked for a
        minute only: from then on all of it was counted here.
    """

    _log = Logger()

    def __init__(
        self,
        counts: Counts,
        seconds: Callable[[], float],
        spent: Callable[[Rule], Deferred[int]],
        used: Callable[[Rule], Deferred[Past]] | None = None,
    ) -> None:
        self.counts = counts
        self._seconds = seconds
        self._spent = spent
        self._used = used
        self._rates_until = 0.0 if used is None else seconds() + WINDOW + 1
        self._asking: dict[str, list[Deferred[None]]] = {}
        self._failed: dict[str, float] = {}

    def reserve(self, parts: Sequence[Part]) -> Reservation | Refusal | Deferred[Reservation | Refusal]:
        if self._failed or (self._rates_until and self._are_new()):
            return self._reserve_first(parts)
        for rule, _ in parts:
            if rule.kind == "money" and not self.counts.has_begun(rule):
                return self._reserve_first(parts)
        return self.counts.reserve(parts)

    def are_known(self, rules: Sequence[Rule]) -> bool:
        """Whether what was used of them before is counted, so that nothing has to be asked for any more."""
        if self._failed:
            return False
        kinds = _ALL if self._rates_until and self._are_new() else _MONEY
        return all(rule.kind not in kinds or self.counts.has_begun(rule) for rule in rules)

    def _reserve_first(self, parts: Sequence[Part]) -> Reservation | Refusal | Deferred[Reservation | Refusal]:
        """While something may not be known."""
        kinds = _ALL if self._rates_until and self._are_new() else _MONEY
        rules = [part.rule for part in parts]
        if all(rule.kind not in kinds or self._is_known(rule) for rule in rules):
            return self._reserve(parts)
        return self._when_known(rules).addCallback(lambda _: self._reserve(parts))

    def _are_new(self) -> bool:
        """Whether something was used before this process began that still counts of rates."""
        if self._seconds() < self._rates_until:
            return True
        self._rates_until = 0.0
        self._failed = {key: at for key, at in self._failed.items() if key.startswith("money:")}
        return False

    def _reserve(self, parts: Sequence[Part]) -> Reservation | Refusal:
        if self._failed:
            for part in parts:
                if part.rule.on_store_failure == "closed" and part.rule.key in self._failed:
                    return Refusal(part.rule, 0, TRIES_AGAIN, unavailable=True)
        return self.counts.reserve(parts)

    def settle(self, held: Reservation, used: Sequence[int | None]) -> None:
        self.counts.settle(held, used)

    def give_back(self, held: Reservation) -> None:
        self.counts.give_back(held)

    def left(self, rules: Sequence[Rule]) -> Deferred[list[Left]]:
        return self._when_known(rules).addCallback(lambda _: self.counts.left(rules))

    def _is_known(self, rule: Rule) -> bool:
        failed = self._failed.get(rule.key) if self._failed else None
        if failed is not None:
            return self._seconds() - failed < TRIES_AGAIN
        return self.counts.has_begun(rule)

    def _when_known(self, rules: Sequence[Rule]) -> Deferred[Any]:
        kinds = _ALL if self._rates_until and self._are_new() else _MONEY
        unknown = [rule for rule in rules if rule.kind in kinds and not self._is_known(rule)]
        return DeferredList([self._ask(rule) for rule in unknown]) if unknown else succeed(None)

    def _ask(self, rule: Rule) -> Deferred[None]:
        """Once for all that wait for the same."""
        waiting: Deferred[None] = Deferred()
        others = self._asking.setdefault(rule.key, [])
        others.append(waiting)
        if len(others) == 1:
            if rule.kind == "money" or self._used is None:
                asking: Deferred[Any] = self._spent(rule)
            else:
                asking = self._used(rule)
            asking.addCallbacks(self._found, self._unknown, (rule,), {}, (rule,), {})
        return waiting

    def _found(self, found: Any, rule: Rule) -> None:
        self._failed.pop(rule.key, None)
        if rule.kind == "money":
            self.counts.begin(rule, found)
        else:
            self.counts.restore(rule, found)
        self._go_on(rule)

    def _unknown(self, reason: Failure, rule: Rule) -> None:
        if rule.key not in self._failed:
            holds = "requests are refused" if rule.on_store_failure == "closed" else "it begins with nothing used"
            words = "limits: what was used of {source} cannot be found out ({why}): {holds}, until it can"
            self._log.warn(words, source=rule.source, why=reason.getErrorMessage(), holds=holds)
        self._failed[rule.key] = self._seconds()
        self._go_on(rule)

    def _go_on(self, rule: Rule) -> None:
        for each in self._asking.pop(rule.key):
            each.callback(None)
