"""Rules of projects: create, change, their keys by API, and revoking all of their tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from attrs import field, frozen

from ..core.limits.written import changed
from ..errors import BadRequest, NotFound
from ..message import Project
from ..usagelimits import UNLIMITED
from .apikeys import Change, Keys, keys_of
from .checks import check_name
from .limits import Left, check_together, checked, left_of
from .versions import Versions, required_version

if TYPE_CHECKING:
    from .state import Served, State

Counts = tuple[int, int]
"""How many tokens were revoked, and how many there are."""


@frozen
class ProjectUpdate:
    """
    What is to be changed of a project; C{None} leaves it as it is.

    @ivar api_key: that for the default API; C{""} is none given.
    @ivar api_keys: those that take the place of those for an API; C{None} for none.
    @ivar limits: see L{llmproxy.management.limits.changes_of}.
    @ivar revoke_tokens: only where it is deactivated.
    """

    name: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_keys: Keys | None = field(default=None, repr=False)
    is_active: bool | None = None
    revoke_tokens: bool = False
    limits: Mapping[str, Any] = field(factory=dict)

    @property
    def changed(self) -> list[str]:
        """The names of what is given."""
        values = (
            ("name", self.name),
            ("api_key", self.api_key or None),
            ("api_keys", self.api_keys),
            ("is_active", self.is_active),
        )
        return [name for name, value in values if value is not None] + sorted(self.limits)

    def check(self) -> None:
        """
        @raise BadRequest: tokens are to be revoked of a project that stays active.
        @raise Unprocessable: the name cannot be shown.
        """
        if self.revoke_tokens and self.is_active is not False:
            raise BadRequest(message="revoke_tokens requires is_active=false")
        if self.name is not None:
            check_name(self.name)


class ProjectRules:
    """
    Each change is in the store, and known to the directory, when its Deferred fires. A call that is cancelled may have
    changed something or not.

    @param served: the APIs that projects can have keys for.
    """

    def __init__(self, state: State, served: Served) -> None:
        self.state = state
        self.served = served

    async def create(
        self, name: str, api_key: str = "", api_keys: Keys | None = None, limits: Mapping[str, Any] | None = None
    ) -> Project:
        """
        @param api_key: that for the default API; C{""} is none given.
        @param api_keys: those for others; empty for a project without keys.
        @param limits: see L{llmproxy.management.limits.checked}.
        @raise BadRequest: something is missing, or a key is what we show instead of one.
        @raise Unprocessable: the name cannot be shown, or there is no such API.
        @raise DuplicateName: there is one of this name.
        """
        if not name or (not api_key and api_keys is None):
            raise BadRequest("for a project without keys, give api_keys as {}", message="name and api_key are required")
        check_name(name)
        found = keys_of(api_key, api_keys or {}, self.served.default_api, self.served.apis)
        keys = {api: each for api, each in found.items() if each is not None}
        stated = changed(UNLIMITED, checked(limits or {}, self.served.listed))
        check_together(stated, defaults=False)
        now = self.state.seconds()
        project = Project(str(uuid4()), name, keys, created_at=now, updated_at=now, limits=stated)
        await self.state.projects.create(project)
        return project

    async def get(self, project_id: str) -> Project:
        """
        @raise NotFound: there is none.
        """
        project = await self.state.projects.get(project_id)
        if project is None:
            raise NotFound(message="project not found")
        return project

    def keys_of(self, update: ProjectUpdate, project: Project) -> Change:
        """
        The keys that an update gives or takes away, by API.

        @raise BadRequest: see L{llmproxy.management.apikeys.keys_of}.
        @raise Unprocessable: likewise.
        """
        default, known = self.served.default_api, self.served.apis
        return keys_of(update.api_key, update.api_keys or {}, default, known, project.api_keys)

    async def change(
        self, project_id: str, update: ProjectUpdate, versions: Versions = None
    ) -> tuple[Project, Counts | None]:
        """
        The project as it is then, and the counts of its tokens where they were to be revoked: that is done also if it
        was inactive before, so that a call that is repeated finishes what was begun.

        @raise NotFound: there is none.
        @raise PreconditionFailed: it has none of C{versions}.
        @raise DuplicateName: there is another of this name.
        @raise BadRequest: see L{ProjectUpdate.check} and L{keys_of}.
        @raise Unprocessable: likewise.
        """
        update.check()
        return await self.state.alone(lambda: self._change(project_id, update, versions))

    async def reset_budget(self, project_id: str, versions: Versions = None) -> Project:
        """
        Count what a project spends anew from now on.

        @raise NotFound: there is none.
        @raise PreconditionFailed: it has none of C{versions}.
        """
        return await self.state.alone(lambda: self._reset_budget(project_id, versions))

    async def left(self, project: Project) -> Sequence[Left]:
        """What is left of each limit of a project."""
        return await left_of(self.state.limits, project, None, self.state.seconds())

    async def revoke_tokens(self, project_id: str) -> Counts:
        """
        Revoke all tokens of a project, and end what they run. Idempotent.

        @raise NotFound: there is no such project.
        """
        await self.get(project_id)
        return await self.state.alone(lambda: self._revoke_tokens(project_id))

    async def _change(
        self, project_id: str, update: ProjectUpdate, versions: Versions
    ) -> tuple[Project, Counts | None]:
        project = await self.get(project_id)
        limits = checked(update.limits, self.served.listed)
        if limits:
            check_together(changed(project.limits, limits), defaults=False)
        updated = await self.state.projects.update(
            project_id,
            name=update.name,
            api_keys=self.keys_of(update, project),
            is_active=update.is_active,
            limits=limits,
            version=required_version(versions, project.version),
        )
        return self._publish(updated), await self._revoke_tokens(project_id) if update.revoke_tokens else None

    async def _reset_budget(self, project_id: str, versions: Versions) -> Project:
        project = await self.get(project_id)
        version = required_version(versions, project.version)
        now = self.state.seconds()
        return self._publish(await self.state.projects.update(project_id, budget_reset_at=now, version=version))

    def _publish(self, project: Project | None) -> Project:
        if project is None:
            raise NotFound(message="project not found")
        self.state.directory.project_changed(project)
        return project

    async def _revoke_tokens(self, project_id: str) -> Counts:
        counts = await self.state.tokens.revoke_project(project_id)
        self.state.directory.project_tokens_revoked(project_id)
        return counts
