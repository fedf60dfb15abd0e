"""Interfaces of what counts limits of usage, in one process or in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from ..core.limits.leasing import Answer, Ask, Standing
from ..core.limits.values import Rule
from ..core.limits.verdicts import Left, Part, Refusal, Reservation


class ILimitStore(Interface):
    """Counts what is used of limits, where every process that shares them sees it."""

    def reserve(parts: Sequence[Part]) -> Reservation | Refusal | Deferred[Reservation | Refusal]:
        """
        Take all of C{parts}, or none and say which limit it does not fit in: at once where it is counted in memory. One
        of 0 always fits, whatever is left: it is settled by what it used, if it did.

        The Deferred never takes longer than 50 ms and does not fail: where others cannot be asked, C{on_store_failure}
        of each rule says what holds. Cancelling it is not needed: a client that has left gives its reservation back
        when it comes.
        """

    def settle(held: Reservation, used: Sequence[int | None]) -> None:
        """
        The request has ended; must not block, and does not raise.

        @param used: of each part, what it was in the end; C{None} where that is not known, so that it was as much as
            was reserved.
        """

    def give_back(held: Reservation) -> None:
        """Nothing was sent upstream: the request has used nothing; likewise."""

    def left(rules: Sequence[Rule]) -> Deferred[list[Left]]:
        """How much of each limit is used, for those who ask; fails with L{llmproxy.errors.Unavailable}."""


class IBudgetLeases(Interface):
    """
    Leases of budgets, where every machine sees them; see L{llmproxy.core.limits.leasing}. All of it fails with
    L{llmproxy.errors.Unavailable}; what was asked for may have been done then, or be done later.
    """

    def say(asks: Sequence[Ask]) -> Deferred[list[Answer | None]]:
        """
        Have it known what this process holds and has spent, and lease more; the same may be said again. C{None} for a
        budget that nobody has begun in its window.
        """

    def begin(ask: Ask, spent: int) -> Deferred[Answer | None]:
        """
        Begin one, if nobody has, with what was spent in its window before, in 10^-12 USD; then the same as L{say}.
        """

    def standing(wanted: Sequence[tuple[str, float]]) -> Deferred[list[Standing | None]]:
        """What there is to see of budgets, by their keys and where their windows begin."""

    def reclaim(holder: str, available: Mapping[int, int]) -> Deferred[int | None]:
        """
        A process has died.

        @param available: by the serial of each lease, what it had neither spent nor reserved, in 10^-12 USD.
        @return: what is free again of that; C{None} where nobody knows of the process: it used another database.
        """

    def forget() -> Deferred[Any]:
        """Remove what nobody needs any more."""
