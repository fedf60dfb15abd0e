"""C{/manage/projects}."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from ...errors import BadRequest, DuplicateName
from ...management.limits import changes_of
from ...management.projects import ProjectRules, ProjectUpdate
from ...message import Project
from ..operations import Call, NoQuery, Operation, Routes
from .etags import tag, wanted_versions
from .limits import said, view_of_left
from .paging import Paging, given, rows
from .requests import Name, NewKey, NewProject, ProjectChange
from .responses import ProjectView, Revocation, view_of_project


class ProjectFilter(Paging, forbid_unknown_fields=True):
    active: bool | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    sort: Annotated[Literal["name", "newest"], Meta(description="What comes first.")] = "name"


class ProjectDetail(NoQuery, forbid_unknown_fields=True):
    limits_left: Annotated[bool, Meta(description="Have it say what is left of its limits.")] = True


class Projects:
    """What can be done with them."""

    def __init__(self, rules: ProjectRules) -> None:
        self._rules = rules

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
                    query=ProjectDetail,
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
            "/projects/{project_id}/budget/reset": {
                b"POST": Operation(
                    self.reset_budget,
                    answer=ProjectView,
                    versioned=True,
                    conditional=True,
                    needs=write,
                    action="project.reset_budget",
                    summary="Count what a project spends anew from now on.",
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
        page = self._rules.state.projects.page
        order = {"newest": True} if query.sort == "newest" else {}
        projects = await rows(call, page, is_active=given(query.active), name=given(query.name), **order)
        call.details["project_count"] = len(projects)
        return [view_of_project(project, self._rules.served.default_api) for project in projects]

    async def create(self, call: Call) -> ProjectView:
        body: NewProject = call.body
        limits = said(body)
        project = await self._rules.create(body.name, body.api_key, given(body.api_keys), limits)
        call.details |= {"project_id": project.id, "project_name": project.name, "apis": sorted(project.api_keys)}
        if limits:
            call.details["limits"] = limits
        return await self._shown(call, project)

    async def show(self, call: Call) -> ProjectView:
        return await self._shown(call, await self._rules.get(_id(call)), call.query.limits_left)

    async def change(self, call: Call) -> ProjectView:
        body: ProjectChange = call.body
        _id(call)
        limits = changes_of(said(body), body.unset_limits)
        revoke = bool(body.revoke_tokens)
        update = ProjectUpdate(body.name, body.api_key, body.api_keys, body.is_active, revoke, limits)
        update.check()
        call.details["updated_fields"] = update.changed
        return await self._shown(call, await self._change(call, update))

    async def reset_budget(self, call: Call) -> ProjectView:
        return await self._shown(call, await self._rules.reset_budget(_id(call), wanted_versions(call)))

    async def rotate_key(self, call: Call) -> ProjectView:
        body: NewKey = call.body
        api = self._rules.served.default_api if body.api is UNSET else body.api
        return await self._shown(call, await self._change(call, ProjectUpdate(api_keys={api: body.api_key})))

    async def revoke_tokens(self, call: Call) -> Revocation:
        revoked, total = await self._rules.revoke_tokens(_id(call))
        counts = Revocation(revoked, total - revoked, total)
        call.details |= {
            "revoked_count": counts.revoked_count,
            "already_revoked_count": counts.already_revoked_count,
            "total_tokens": counts.total_tokens,
        }
        return counts

    async def _change(self, call: Call, update: ProjectUpdate) -> Project:
        known = await self._rules.get(_id(call))
        keys = self._rules.keys_of(update, known)
        if keys:
            call.details["apis"] = sorted(keys)
        project, counts = await self._rules.change(known.id, update, wanted_versions(call))
        if counts is not None:
            call.details |= {"tokens_revoked": counts[0], "total_tokens": counts[1]}
        return project

    async def _shown(self, call: Call, project: Project, limits_left: bool = True) -> ProjectView:
        tag(call, project.version)
        view = view_of_project(project, self._rules.served.default_api)
        if limits_left:
            view.limits_left = [view_of_left(left) for left in await self._rules.left(project)] or UNSET
        return view


def _id(call: Call) -> str:
    project_id = call.path["project_id"]
    if not project_id or "/" in project_id:
        raise BadRequest(message="invalid project id")
    call.details["project_id"] = project_id
    return project_id
