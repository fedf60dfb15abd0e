"""Tokens and projects in memory, for proxies without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ..core.limits.written import Change
from ..core.limits.written import changed as with_change
from ..errors import DuplicateName, TokenNotFound, TokenUsedUp
from ..interfaces import IProjectStore, ITokenValidator
from ..message import Page, Project


@implementer(ITokenValidator)
class MemoryTokens:
    """
    @ivar projects: the id of a project by the secret of a token; what is taken out is revoked.
    @ivar limits: how many uses a secret has; one that is not there has any number.
    @ivar uses: how many were spent, by secret.
    """

    def __init__(self, projects: Mapping[str, str] | None = None, limits: Mapping[str, int] | None = None) -> None:
        self.projects = dict(projects or {})
        self.limits = dict(limits or {})
        self.uses: Counter[str] = Counter()

    def validate_token(self, secret: str) -> Deferred[str]:
        """See L{ITokenValidator.validate_token}."""
        project = self.projects.get(secret)
        return fail(TokenNotFound()) if project is None else succeed(project)

    def validate_token_with_tracking(self, secret: str) -> Deferred[str]:
        """See L{ITokenValidator.validate_token_with_tracking}."""
        limit = self.limits.get(secret)
        if secret in self.projects and limit is not None and self.uses[secret] >= limit:
            return fail(TokenUsedUp())
        self.uses[secret] += secret in self.projects
        return self.validate_token(secret)


@implementer(IProjectStore)
class MemoryProjects:
    """Projects as they are given; see L{IProjectStore}."""

    def __init__(self, projects: Iterable[Project] = ()) -> None:
        self._projects = {project.id: project for project in projects}

    def create(self, project: Project) -> Deferred[None]:
        """See L{IProjectStore.create}."""
        if project.id in self._projects or self._is_taken(project.name, project.id):
            return fail(DuplicateName())
        self._projects[project.id] = project
        return succeed(None)

    def get(self, project_id: str) -> Deferred[Project | None]:
        """See L{IProjectStore.get}."""
        return succeed(self._projects.get(project_id))

    def page(
        self,
        limit: int,
        after: str | None = None,
        *,
        is_active: bool | None = None,
        name: str | None = None,
        newest: bool = False,
    ) -> Deferred[Page[Project]]:
        """See L{IProjectStore.page}."""
        if limit < 1:
            raise ValueError(f"a page of {limit} projects")
        found = [each for each in _sorted(self._projects.values()) if _is_wanted(each, is_active, name)]
        if newest:
            found.sort(key=lambda project: (project.created_at, project.id), reverse=True)
        start = 0 if after is None else _after(after)
        more = str(start + limit) if len(found) > start + limit else None
        return succeed(Page(found[start : start + limit], more))

    def update(
        self,
        project_id: str,
        *,
        name: str | None = None,
        api_keys: Mapping[str, Sequence[str] | None] | None = None,
        is_active: bool | None = None,
        limits: Change | None = None,
        budget_reset_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Project | None]:
        """See L{IProjectStore.update}."""
        project = self._projects.get(project_id)
        if project is None or version not in (None, project.version):
            return succeed(None)
        if name is not None and self._is_taken(name, project_id):
            return fail(DuplicateName())
        keys = {**project.api_keys, **{api: tuple(each or ()) for api, each in (api_keys or {}).items()}}
        changed = evolve(
            project,
            name=project.name if name is None else name,
            api_keys={api: each for api, each in keys.items() if each},
            is_active=project.is_active if is_active is None else is_active,
            limits=with_change(project.limits, limits or {}),
            budget_reset_at=project.budget_reset_at if budget_reset_at is None else budget_reset_at,
            version=project.version + 1,
        )
        self._projects[project_id] = changed
        return succeed(changed)

    def _is_taken(self, name: str, project_id: str) -> bool:
        return any(each.name == name and each.id != project_id for each in self._projects.values())

    def list(self) -> Deferred[list[Project]]:
        """See L{IProjectStore.list}."""
        return succeed(_sorted(self._projects.values()))


def _sorted(projects: Iterable[Project]) -> list[Project]:
    return sorted(projects, key=lambda project: project.name.encode())


def _is_wanted(project: Project, is_active: bool | None, name: str | None) -> bool:
    return is_active in (None, project.is_active) and (name or "").lower() in project.name.lower()


def _after(after: str) -> int:
    if not after.isdecimal():
        raise ValueError("not what a page gave out")
    return int(after)
