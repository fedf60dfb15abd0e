"""C{/manage/projects}."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from twisted.web.resource import IResource

from ...errors import BadRequest, MethodNotAllowed, NotFound, ProxyError
from ...message import Project
from ..jsonresource import Call, Operation
from .bodies import (
    NewProject,
    ProjectChange,
    ProjectView,
    Revocation,
    check_api_key,
    check_name,
    view_of_project,
)
from .parts import ManageResource, Missing, Parts


class Projects:
    """The collection."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def resource(self) -> IResource:
        operations = {
            b"GET": Operation(self.list, action="project.list"),
            b"POST": Operation(self.create, NewProject, status=201, action="project.create"),
        }
        return ManageResource(self._parts, operations, lambda name: OneProject(self._parts, name).resource())

    async def list(self, call: Call) -> list[ProjectView]:
        projects = await self._parts.projects.list()
        call.details["project_count"] = len(projects)
        return [view_of_project(project) for project in projects]

    async def create(self, call: Call) -> ProjectView:
        wanted: NewProject = call.body
        if not wanted.name or not wanted.api_key:
            raise BadRequest(message="name and api_key are required")
        check_name(wanted.name)
        check_api_key(wanted.api_key)
        now = self._parts.seconds()
        project = Project(str(uuid4()), wanted.name, wanted.api_key, created_at=now, updated_at=now)
        await self._parts.projects.create(project)
        call.details |= {"project_id": project.id, "project_name": project.name}
        return view_of_project(project)


class OneProject:
    """One of them; whether it exists is found out by each operation."""

    def __init__(self, parts: Parts, project_id: str) -> None:
        self._parts = parts
        self._id = project_id

    def resource(self) -> IResource:
        operations = {
            b"GET": Operation(self.show, action="project.read"),
            b"PATCH": Operation(self.change, ProjectChange, action="project.update"),
        }
        return _ProjectResource(self._parts, operations, self._below)

    def _below(self, name: str) -> IResource:
        if name != "tokens":
            return Missing(self._parts)
        revoke = {b"POST": Operation(self.revoke_tokens, action="token.revoke_batch")}
        return Missing(
            self._parts,
            lambda name: ManageResource(self._parts, revoke) if name == "revoke" else Missing(self._parts),
        )

    async def show(self, call: Call) -> ProjectView:
        return view_of_project(await self._existing(call))

    async def change(self, call: Call) -> ProjectView:
        wanted: ProjectChange = call.body
        self._check_id(call)
        if wanted.revoke_tokens and wanted.is_active is not False:
            raise BadRequest(message="revoke_tokens requires is_active=false")
        if wanted.name is not None:
            check_name(wanted.name)
        if wanted.api_key:
            check_api_key(wanted.api_key)
        call.details["updated_fields"] = _given(wanted)
        return view_of_project(await self._parts.alone(lambda: self._change(call, wanted)))

    async def revoke_tokens(self, call: Call) -> Revocation:
        await self._existing(call)
        revoked, total = await self._parts.alone(self._revoke_tokens)
        counts = Revocation(revoked, total - revoked, total)
        call.details |= {
            "revoked_count": counts.revoked_count,
            "already_revoked_count": counts.already_revoked_count,
            "total_tokens": counts.total_tokens,
        }
        return counts

    async def _change(self, call: Call, wanted: ProjectChange) -> Project:
        changed = await self._parts.projects.update(
            self._id, name=wanted.name, api_key=wanted.api_key or None, is_active=wanted.is_active
        )
        if changed is None:
            raise NotFound(message="project not found")
        self._parts.directory.project_changed(changed)
        if wanted.revoke_tokens:
            # Also if the project was inactive before: a call that is repeated finishes what was begun.
            revoked, total = await self._revoke_tokens()
            call.details |= {"tokens_revoked": revoked, "total_tokens": total}
        return changed

    async def _revoke_tokens(self) -> tuple[int, int]:
        counts = await self._parts.tokens.revoke_project(self._id)
        self._parts.directory.project_tokens_revoked(self._id)
        return counts

    async def _existing(self, call: Call) -> Project:
        self._check_id(call)
        project = await self._parts.projects.get(self._id)
        if project is None:
            raise NotFound(message="project not found")
        return project

    def _check_id(self, call: Call) -> None:
        if not self._id or "/" in self._id:
            raise BadRequest(message="invalid project id")
        call.details["project_id"] = self._id


class _ProjectResource(ManageResource):
    def refusal(self, method: bytes) -> ProxyError:
        error = super().refusal(method)
        if method == b"DELETE" and isinstance(error, MethodNotAllowed):
            error.description = "project deletion is not permitted"
        return error


def _given(wanted: ProjectChange) -> list[str]:
    values: dict[str, Any] = {"name": wanted.name, "api_key": wanted.api_key or None, "is_active": wanted.is_active}
    return [name for name, value in values.items() if value is not None]
