"""Standings of leased budgets for those who only look: nothing is begun by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.limits.leasing import NANO, Standing

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.limits.leasing import Account
    from ..core.limits.values import Rule
    from ..interfaces import IBudgetLeases

SpentOf = Callable[["Sequence[Rule]"], "Deferred[list[int]]"]
"""What was spent of each of several budgets in its window, as a ledger says, asked for at once."""


async def standings(leases: IBudgetLeases, accounts: Sequence[Account], spent_of: SpentOf) -> list[Standing]:
    """What each stands at; of those that no request has met yet, what the ledger has of them."""
    found = list(await leases.standing([(each.rule.key, each.begin) for each in accounts]))
    missing = [at for at, standing in enumerate(found) if standing is None]
    if missing:
        spent = await spent_of([accounts[at].rule for at in missing])
        for at, amount in zip(missing, spent, strict=True):
            found[at] = Standing(-(-amount // NANO), 0)
    return [standing for standing in found if standing is not None]
