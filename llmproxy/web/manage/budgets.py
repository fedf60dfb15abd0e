"""C{/manage/budgets}: those of which most is used."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ...management.budgets import Budget, BudgetRules
from ..operations import Call, NoQuery, Operation, Routes
from .limits import amount_text
from .responses import Moment, moment

Money = Annotated[str, Meta(description="USD.")]


class BudgetFilter(NoQuery, forbid_unknown_fields=True):
    top: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = 10


class BudgetView(Struct):
    """
    @ivar token_id: null for the budget of a project or a person.
    @ivar person_id: null for that of a project or a token of nobody in particular.
    @ivar used: of 1.
    @ivar resets_at: null for never.
    """

    project_id: str
    token_id: str | None
    name: str
    limit: Money
    left: Money
    used: float
    resets_at: Moment | None
    person_id: str | None = None


class BudgetRoutes:
    def __init__(self, rules: BudgetRules) -> None:
        self._rules = rules

    def routes(self) -> Routes:
        return {
            "/budgets": {
                b"GET": Operation(
                    self.list,
                    query=BudgetFilter,
                    answer=list[BudgetView],
                    needs="usage.read",
                    action="budget.list",
                    summary="List the budgets of which most is used, of projects, people and tokens that spent most.",
                ),
            },
        }

    async def list(self, call: Call) -> list[BudgetView]:
        query: BudgetFilter = call.query
        return [_view(budget) for budget in await self._rules.near_their_end(query.top)]


def _view(budget: Budget) -> BudgetView:
    return BudgetView(
        budget.project_id,
        budget.token_id or None,
        budget.name,
        amount_text(budget.limit),
        amount_text(budget.left),
        round(min(1.0, max(0.0, budget.share)), 4),
        None if budget.resets_at is None else moment(budget.resets_at),
        budget.person_id or None,
    )
