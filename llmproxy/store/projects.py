"""Projects in the database."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, literal, not_, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.limits.written import Change, read, text_of
from ..errors import DuplicateName, PreconditionFailed
from ..interfaces import IProjectNames, IProjectStore
from ..message import Page, Project
from .limitfields import change_limits
from .paging import behind, check_limit, paged, position, read_position
from .schema import Moment, projects
from .search import contains_plain
from .together import once, single

if TYPE_CHECKING:
    from .contracts import INotedTransactions
    from .projectkeys import Change as KeyChange
    from .projectkeys import ProjectKeys

__all__ = ["DuplicateName", "ProjectStore"]


_AT_ONCE = 1000
"""Ids in one statement: SQLite takes 32,766 parameters, older ones 999 and a few."""


@implementer(IProjectStore, IProjectNames)
class ProjectStore:
    """
    A row and its keys are read in one transaction; of two who change them at once one waits for the other's row.
    """

    def __init__(self, clock: Any, database: INotedTransactions, keys: ProjectKeys) -> None:
        self._seconds = clock.seconds
        self._database = database
        self._keys = keys

    def create(self, project: Project) -> Deferred[None]:
        row = {
            "id": project.id,
            "name": project.name,
            **self._keys.columns(project.id, project.api_keys),
            "is_active": project.is_active,
            "deactivated_at": project.deactivated_at,
            "created_at": project.created_at,
            "updated_at": project.updated_at,
            "version": project.version,
            "limits": text_of(project.limits),
            "budget_reset_at": project.budget_reset_at,
        }

        def create(connection: Connection) -> None:
            connection.execute(projects.insert().values(row))
            self._keys.insert(connection, project.id, project.api_keys)

        return self._database.run(create).addErrback(_duplicate)

    def get(self, project_id: str) -> Deferred[Project | None]:
        def get(connection: Connection) -> Project | None:
            return once(connection, ("project", project_id), lambda: self._read(connection, project_id))

        return self._database.read(single(get))

    def list(self) -> Deferred[list[Project]]:
        query = select(projects).order_by(projects.c.name)
        return self._database.read(lambda connection: self._projects(connection, query))

    def page(
        self,
        limit: int,
        after: str | None = None,
        *,
        is_active: bool | None = None,
        name: str | None = None,
        newest: bool = False,
    ) -> Deferred[Page[Project]]:
        check_limit(limit)
        last = None if after is None else read_position(after, *((int, str) if newest else (str,)))
        order = (projects.c.created_at.desc(), projects.c.id.desc()) if newest else (projects.c.name,)
        query = select(projects).order_by(*order).limit(limit + 1)
        if is_active is not None:
            query = query.where(projects.c.is_active if is_active else not_(projects.c.is_active))
        if name is not None:
            query = query.where(contains_plain(projects.c.name, name))

        def page(connection: Connection) -> Page[Project]:
            found = query
            if last is not None and newest:
                found = query.where(behind(connection, projects.c.created_at, projects.c.id, *last))
            elif last is not None:
                found = query.where(projects.c.name > last[0])
            return paged(self._projects(connection, found), limit, _newest_position if newest else _position)

        return self._database.read(page)

    def names(self, ids: Sequence[str]) -> Deferred[dict[str, str]]:
        def names(connection: Connection) -> dict[str, str]:
            known: dict[str, str] = once(connection, "project names", dict)
            missing = [each for each in ids if each not in known]
            for at in range(0, len(missing), _AT_ONCE):
                query = select(projects.c.id, projects.c.name).where(projects.c.id.in_(missing[at : at + _AT_ONCE]))
                known |= {row.id: row.name for row in connection.execute(query)}
            return {each: known[each] for each in ids if each in known}

        return self._database.read(single(names) if len(ids) <= _AT_ONCE else names)

    def some(self, ids: Sequence[str]) -> Deferred[builtins.list[Project]]:
        query = select(projects).where(projects.c.id.in_(ids[:_AT_ONCE]))

        def some(connection: Connection) -> builtins.list[Project]:
            found = [_project(row, {}) for row in connection.execute(query)]
            names: dict[str, str] = once(connection, "project names", dict)
            names.update({each.id: each.name for each in found})
            return found

        return self._database.read(single(some))

    def keyed(self, ids: Sequence[str]) -> Deferred[dict[str, Project]]:
        """Those of some projects that there are, with their keys, by their ids."""
        query = select(projects).where(projects.c.id.in_(ids))
        return self._database.read(lambda connection: {each.id: each for each in self._projects(connection, query)})

    def update(
        self,
        project_id: str,
        *,
        name: str | None = None,
        api_keys: KeyChange | None = None,
        is_active: bool | None = None,
        limits: Change | None = None,
        budget_reset_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Project | None]:
        now = self._seconds()
        changes: dict[str, Any] = {"updated_at": now, "version": projects.c.version + 1}
        if name is not None:
            changes["name"] = name
        if is_active is not None:
            changes |= activity(projects, is_active, now)
        if budget_reset_at is not None:
            changes["budget_reset_at"] = budget_reset_at

        def change(connection: Connection) -> Project | None:
            if apply(connection, projects, project_id, version, changes):
                self._keys.change(connection, project_id, api_keys or {})
                change_limits(connection, projects, project_id, limits)
                self._database.note(connection, "project", project_id)
            return self._get(connection, project_id)

        return self._database.run(change).addErrback(_duplicate)

    def _get(self, connection: Connection, project_id: str) -> Project | None:
        return next(iter(self._projects(connection, select(projects).where(projects.c.id == project_id))), None)

    def _read(self, connection: Connection, project_id: str) -> Project | None:
        found = self._keys.read_one(connection, project_id)
        return None if found is None else _project(*found)

    def _projects(self, connection: Connection, query: Select[Any]) -> builtins.list[Project]:
        rows = connection.execute(query).all()
        keys = self._keys.read(connection, rows)
        return [_project(row, keys[row.id]) for row in rows]


def _position(project: Project) -> str:
    return position(project.name)


def _newest_position(project: Project) -> str:
    return position(round(project.created_at * 1_000_000), project.id)


def _project(row: Any, keys: Mapping[str, tuple[str, ...]]) -> Project:
    return Project(
        row.id,
        row.name,
        keys,
        row.is_active,
        row.deactivated_at,
        row.created_at,
        row.updated_at,
        row.version,
        read(row.limits),
        row.budget_reset_at,
    )


def activity(table: Any, is_active: bool, now: float) -> dict[str, Any]:
    """
    What changes with C{is_active}: the moment of the first deactivation is kept until activated again.

    It does not read C{is_active}: MySQL would see the new value, the others the old one.
    """
    moment = None if is_active else func.coalesce(table.c.deactivated_at, literal(now, Moment()))
    return {"is_active": is_active, "deactivated_at": moment}


def apply(connection: Connection, table: Any, row_id: str, version: int | None, changes: dict[str, Any]) -> bool:
    """
    Change one row, if it is there; whether it is.

    @param version: the one that it must have; C{None} for any.
    @raise PreconditionFailed: it has another.
    """
    which = table.c.id == row_id
    wanted = which if version is None else and_(which, table.c.version == version)
    # In this order, as MySQL evaluates an assignment with the values that those before it have made.
    changed = connection.execute(table.update().where(wanted).ordered_values(*changes.items()))
    if version is not None and not changed.rowcount and connection.scalar(select(table.c.id).where(which)) is not None:
        raise PreconditionFailed("it has been changed since")
    return bool(changed.rowcount)


def _duplicate(reason: Any) -> Any:
    reason.trap(IntegrityError)
    raise DuplicateName() from None
