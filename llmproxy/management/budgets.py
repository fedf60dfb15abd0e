"""Budgets near their end: of the projects and tokens that have spent most of late, as only those can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from ..core.reports import UsageQuestion
from ..interfaces import IProjectNames
from ..message import Project, Token
from .limits import Left, left_of_each

if TYPE_CHECKING:
    from ..interfaces import IUsageReports
    from .state import State

LOOKED_BACK = 32 * 86_400.0
"""Seconds: the longest window that most budgets have is a month."""

LOOKED_AT = 50
"""Projects, and tokens, those that spent most."""


@frozen
class Budget:
    """
    @ivar limit: of money, as L{llmproxy.core.limits.values.Rule} counts it; C{left} likewise.
    @ivar resets_at: when it begins anew, seconds since the epoch; C{None} for never.
    """

    project_id: str
    token_id: str
    name: str
    limit: int
    left: int
    resets_at: float | None

    @property
    def share(self) -> float:
        """What of it is used."""
        return 1.0 - self.left / self.limit if self.limit else 1.0


class BudgetRules:
    """
    @param reports: where usage is kept; C{None} if it is not.
    """

    def __init__(self, state: State, reports: IUsageReports | None) -> None:
        self._state = state
        self._reports = reports

    async def near_their_end(self, top: int) -> list[Budget]:
        """The budgets of which most is used, at most C{top}; those that nobody can tell of now are left out."""
        if self._reports is None:
            return []
        projects = await self._projects(await self._ids(self._reports, "project"))
        tokens = await self._state.tokens.some(await self._ids(self._reports, "token"))
        owners: list[tuple[Project | None, Token | None]] = [
            *((project, None) for project in projects if project.limits.max_budget),
            *((None, token) for token in tokens if token.limits.max_budget),
        ]
        each_left = await left_of_each(self._state.limits, owners, self._state.seconds())
        found = [budget for owner, left in zip(owners, each_left, strict=True) for budget in _budgets(*owner, left)]
        return sorted(found, key=lambda budget: -budget.share)[:top]

    async def _ids(self, reports: IUsageReports, group: str) -> list[str]:
        since = self._state.seconds() - LOOKED_BACK
        report = await reports.grouped(UsageQuestion((group,), since=since, top=LOOKED_AT))
        return [key for row in report.rows if isinstance(key := row.keys[group], str)]

    async def _projects(self, ids: Sequence[str]) -> Sequence[Project]:
        store = self._state.projects
        if IProjectNames.providedBy(store):
            some: Sequence[Project] = await store.some(ids)
            return some
        return [project for each in ids if (project := await store.get(each)) is not None]


def _budgets(project: Project | None, token: Token | None, left: Sequence[Left]) -> list[Budget]:
    """Those of one of both."""
    owner = project or token
    if owner is None:
        return []
    return [
        Budget(
            project.id if project is not None else token.project_id if token is not None else "",
            token.id if token is not None else "",
            owner.name or "",
            each.rule.limit,
            each.amount,
            each.resets_at,
        )
        for each in left
        if each.rule.kind == "money" and each.rule.source.startswith("max_budget") and each.amount is not None
    ]
