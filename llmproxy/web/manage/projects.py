"""C{/manage/projects}."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import uuid4

from msgspec import UNSET, UnsetType

from ...errors import BadRequest, DuplicateName, NotFound
from ...management.apikeys import Change, keys_of
from ...management.checks import check_name
from ...management.versions import required_version
from ...message import Project
from ..operations import Call, Operation, Routes
from .context import Parts
from .etags import tag, wanted_versions
from .paging import Paging, given, rows
from .requests import Name, NewKey, NewProject, ProjectChange
from .responses import ProjectView, Revocation, view_of_project


class ProjectFilter(Paging, forbid_unknown_fields=True):
    active: bool | UnsetType = UNSET
    name: Name | UnsetType = UNSET


class Projects:
    """What can be done with them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> Routes:
        read, write = "project.read", "project.write"
        return {
            "/projects": {
                b"GET": Operation(
                    self.list,
                    query=ProjectFilter,
                    answer=list[ProjectView],
                    paged=True,
                    needs=read,
                    action="project.list",
                    summary="List projects by name.",
                ),
                b"POST": Operation(
                    self.create,
                    NewProject,
                    201,
                    answer=ProjectView,
                    versioned=True,
                    needs=write,
                    action="project.create",
                    summary="Create a project.",
                    errors=(DuplicateName,),
                ),
            },
            "/projects/{project_id}": {
                b"GET": Operation(
                    self.show,
                    answer=ProjectView,
                    versioned=True,
                    needs=read,
                    action="project.read",
                    summary="Show a project.",
                ),
                b"PATCH": Operation(
                    self.change,
                    ProjectChange,
                    answer=ProjectView,
                    versioned=True,
                    conditional=True,
                    needs=write,
                    action="project.update",
                    summary="Change what is given of a project.",
                    errors=(DuplicateName,),
                ),
            },
            "/projects/{project_id}/rotate-key": {
                b"POST": Operation(
                    self.rotate_key,
                    NewKey,
                    answer=ProjectView,
                    versioned=True,
                    conditional=True,
                    needs=write,
                    action="project.rotate_key",
                    summary="Have the project ask an API with another key, from the next request on.",
                ),
            },
            "/projects/{project_id}/tokens/revoke": {
                b"POST": Operation(
                    self.revoke_tokens,
                    answer=Revocation,
                    needs="token.write",
                    action="token.revoke_batch",
                    summary="Revoke all tokens of a project.",
                ),
            },
        }

    async def list(self, call: Call) -> list[ProjectView]:
        query: ProjectFilter = call.query
        projects = await rows(
            call, self._parts.state.projects.page, is_active=given(query.active), name=given(query.name)
        )
        call.details["project_count"] = len(projects)
        return [view_of_project(project, self._parts.served.default_api) for project in projects]

    async def create(self, call: Call) -> ProjectView:
        wanted: NewProject = call.body
        if not wanted.name or (not wanted.api_key and wanted.api_keys is UNSET):
            raise BadRequest("for a project without keys, give api_keys as {}", message="name and api_key are required")
        check_name(wanted.name)
        given = {} if wanted.api_keys is UNSET else wanted.api_keys
        keys = {api: each for api, each in self._keys_of(wanted.api_key, given).items() if each is not None}
        now = self._parts.state.seconds()
        project = Project(str(uuid4()), wanted.name, keys, created_at=now, updated_at=now)
        await self._parts.state.projects.create(project)
        call.details |= {"project_id": project.id, "project_name": project.name, "apis": sorted(keys)}
        return self._shown(call, project)

    async def show(self, call: Call) -> ProjectView:
        return self._shown(call, await self._existing(call))

    async def change(self, call: Call) -> ProjectView:
        wanted: ProjectChange = call.body
        _id(call)
        if wanted.revoke_tokens and wanted.is_active is not False:
            raise BadRequest(message="revoke_tokens requires is_active=false")
        if wanted.name is not None:
            check_name(wanted.name)
        call.details["updated_fields"] = _given(wanted)
        return self._shown(call, await self._parts.state.alone(lambda: self._change(call, wanted)))

    async def rotate_key(self, call: Call) -> ProjectView:
        new: NewKey = call.body
        api = self._parts.served.default_api if new.api is UNSET else new.api
        wanted = ProjectChange(api_keys={api: new.api_key})
        return self._shown(call, await self._parts.state.alone(lambda: self._change(call, wanted)))

    async def revoke_tokens(self, call: Call) -> Revocation:
        project = await self._existing(call)
        revoked, total = await self._parts.state.alone(lambda: self._revoke_tokens(project.id))
        counts = Revocation(revoked, total - revoked, total)
        call.details |= {
            "revoked_count": counts.revoked_count,
            "already_revoked_count": counts.already_revoked_count,
            "total_tokens": counts.total_tokens,
        }
        return counts

    async def _change(self, call: Call, wanted: ProjectChange) -> Project:
        project = await self._existing(call)
        keys = self._keys_of(wanted.api_key, wanted.api_keys or {}, project.api_keys)
        if keys:
            call.details["apis"] = sorted(keys)
        changed = await self._parts.state.projects.update(
            project.id,
            name=wanted.name,
            api_keys=keys,
            is_active=wanted.is_active,
            version=required_version(wanted_versions(call), project.version),
        )
        if changed is None:
            raise NotFound(message="project not found")
        self._parts.state.directory.project_changed(changed)
        if wanted.revoke_tokens:
            # Also if the project was inactive before: a call that is repeated finishes what was begun.
            revoked, total = await self._revoke_tokens(project.id)
            call.details |= {"tokens_revoked": revoked, "total_tokens": total}
        return changed

    async def _revoke_tokens(self, project_id: str) -> tuple[int, int]:
        counts = await self._parts.state.tokens.revoke_project(project_id)
        self._parts.state.directory.project_tokens_revoked(project_id)
        return counts

    def _keys_of(self, api_key: str | None, api_keys: Mapping[str, Any], held: Collection[str] = ()) -> Change:
        return keys_of(api_key, api_keys, self._parts.served.default_api, self._parts.served.apis, held)

    def _shown(self, call: Call, project: Project) -> ProjectView:
        tag(call, project.version)
        return view_of_project(project, self._parts.served.default_api)

    async def _existing(self, call: Call) -> Project:
        project_id = _id(call)
        project = await self._parts.state.projects.get(project_id)
        if project is None:
            raise NotFound(message="project not found")
        return project


def _id(call: Call) -> str:
    project_id = call.path["project_id"]
    if not project_id or "/" in project_id:
        raise BadRequest(message="invalid project id")
    call.details["project_id"] = project_id
    return project_id


def _given(wanted: ProjectChange) -> list[str]:
    values: dict[str, Any] = {
        "name": wanted.name,
        "api_key": wanted.api_key or None,
        "api_keys": wanted.api_keys,
        "is_active": wanted.is_active,
    }
    return [name for name, value in values.items() if value is not None]
