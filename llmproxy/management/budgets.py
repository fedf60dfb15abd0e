"""Budgets near their end: of the projects, people and tokens that spent most of late, as only those can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from ..core.reports import UsageQuestion
from ..interfaces import IProjectNames
from ..message import Project, Token
from .atonce import all_of
from .limits import Left, left_of_each
from .peoplebooks import token_like

if TYPE_CHECKING:
    from ..core.people.person import Person
    from ..interfaces import IUsageReports
    from ..interfaces.people import IPeopleStore
    from .state import State

DAY = 86_400.0
LOOKED_BACK = 32 * DAY
"""Seconds, and what is left of a day: the longest window that most budgets have is a month."""

LOOKED_AT = 50
"""Projects, people and tokens, those that spent most."""


@frozen
class Budget:
    """
    @ivar token_id: C{""} for the budget of a project or of a person; C{person_id} likewise.
    @ivar limit: of money, as L{llmproxy.core.limits.values.Rule} counts it; C{left} likewise.
    @ivar resets_at: when it begins anew, seconds since the epoch; C{None} for never.
    """

    project_id: str
    token_id: str
    name: str
    limit: int
    left: int
    resets_at: float | None
    person_id: str = ""

    @property
    def share(self) -> float:
        """What of it is used."""
        return 1.0 - self.left / self.limit if self.limit else 1.0


class BudgetRules:
    """
    @param reports: where usage is kept; C{None} if it is not.
    @param people: those who sign in; C{None} where nobody does.
    """

    def __init__(self, state: State, reports: IUsageReports | None, people: IPeopleStore | None = None) -> None:
        self._state = state
        self._reports = reports
        self._people = people

    async def near_their_end(self, top: int) -> list[Budget]:
        """The budgets of which most is used, at most C{top}; those that nobody can tell of now are left out."""
        if self._reports is None:
            return []
        # However many tokens somebody has had, their budget is one.
        projects, tokens, somebody = await all_of(
            [self._projects(self._reports), self._tokens(self._reports), self._somebody(self._reports)]
        )
        people = {person.id: person for person in somebody}
        owners: list[tuple[Project | None, Token | None]] = [
            *((project, None) for project in projects if project.limits.max_budget),
            *((None, token) for token in tokens if token.limits.max_budget and token.person_id is None),
            *((None, token_like(person)) for person in people.values() if person.limits.max_budget),
        ]
        each_left = await left_of_each(self._state.limits, owners, self._state.seconds(), ("money",))
        found = [
            budget for owner, left in zip(owners, each_left, strict=True) for budget in _budgets(*owner, left, people)
        ]
        return sorted(found, key=lambda budget: -budget.share)[:top]

    async def _ids(self, reports: IUsageReports, group: str) -> list[str]:
        # Whole days are read in few roll-ups.
        since = (self._state.seconds() - LOOKED_BACK) // DAY * DAY
        report = await reports.grouped(UsageQuestion((group,), since=since, top=LOOKED_AT, totals=False))
        return [key for row in report.rows if isinstance(key := row.keys[group], str) and key]

    async def _somebody(self, reports: IUsageReports) -> Sequence[Person]:
        if self._people is None:
            return []
        found = await self._people.some(await self._ids(reports, "person"))
        return [person for person in found if person.revoked_at is None]

    async def _tokens(self, reports: IUsageReports) -> Sequence[Token]:
        found: Sequence[Token] = await self._state.tokens.some(await self._ids(reports, "token"))
        return found

    async def _projects(self, reports: IUsageReports) -> Sequence[Project]:
        store, ids = self._state.projects, await self._ids(reports, "project")
        if IProjectNames.providedBy(store):
            some: Sequence[Project] = await store.some(ids)
            return some
        return [project for each in ids if (project := await store.get(each)) is not None]


def _budgets(
    project: Project | None, token: Token | None, left: Sequence[Left], people: Mapping[str, Person]
) -> list[Budget]:
    """Those of one of both."""
    owner = project or token
    if owner is None:
        return []
    person = people.get(token.person_id or "") if token is not None else None
    return [
        Budget(
            project.id if project is not None else token.project_id if token is not None else "",
            token.id if token is not None else "",
            (person.name or person.email or person.subject) if person is not None else owner.name or "",
            each.rule.limit,
            each.amount,
            each.resets_at,
            "" if person is None else person.id,
        )
        for each in left
        if each.rule.source.startswith("max_budget") and each.amount is not None
    ]
