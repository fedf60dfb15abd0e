"""Budgets that machines without Redis share: whether they do, and what does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..core.ledger.settings import ledger_directory

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.limits.values import Rule
    from ..core.limits.verdicts import Crossed
    from ..limits.leased import LeasedBudgets
    from ..limits.standings import SpentOf
    from .settings import Settings
    from .stored import Stored

NewBudgets = Callable[[Callable[["Rule"], "Deferred[int]"], Callable[["Crossed"], object]], "LeasedBudgets"]
"""Makes what leases, given what was spent of a budget before, and what is called with shares that were passed."""


def are_leased(settings: Settings) -> bool:
    """Whether processes that share a database hold budgets together."""
    # Nobody else can open a database in memory, for which there is no directory either.
    directory = (
        ledger_directory(settings.apis.ledger.directory, settings.database_url) if settings.database_url else None
    )
    return settings.redis is None and settings.apis.usage_limits.budget_leases and directory is not None


def budgets_of(reactor: Any, settings: Settings, stored: Stored | None, spent_of: SpentOf) -> NewBudgets | None:
    """
    C{None} where each machine, or Redis, counts budgets.

    @param spent_of: what a ledger has of several budgets.
    """
    if stored is None or not are_leased(settings):
        return None
    return partial(_made, reactor, settings, stored, spent_of)


def _made(
    reactor: Any,
    settings: Settings,
    stored: Stored,
    spent_of: SpentOf,
    spent: Callable[[Rule], Deferred[int]],
    crossed: Callable[[Crossed], object],
) -> LeasedBudgets:
    from ..limits.leased import LeasedBudgets
    from ..store.budgets import BudgetLeases

    database = stored.database
    # Beside the files of the ledger, which are a process's too.
    directory = ledger_directory(settings.apis.ledger.directory, settings.database_url)
    holder = database.usage.holder
    leases = BudgetLeases(reactor, database, holder)
    return LeasedBudgets(reactor, leases, holder, spent, spent_of, crossed, directory)
