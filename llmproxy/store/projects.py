"""Projects at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from ..interfaces import IProjectStore
from ..message import Project
from .schema import micros, projects, seconds

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from twisted.internet.defer import Deferred

    from .engine import Database


class DuplicateName(Exception):
    """Another project has this name."""


@implementer(IProjectStore)
class ProjectStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, project: Project) -> Deferred[None]:
        def insert(connection: Connection) -> None:
            from sqlalchemy.exc import IntegrityError

            try:
                connection.execute(projects.insert().values(self._row(project)))
            except IntegrityError:
                raise DuplicateName(project.name) from None

        return self._database.run(insert)

    def get(self, project_id: str) -> Deferred[Project | None]:
        return self._database.run(lambda connection: self._get(connection, project_id))

    def list(self) -> Deferred[list[Project]]:
        def read(connection: Connection) -> list[Project]:
            return [self._project(row) for row in connection.execute(projects.select().order_by(projects.c.name))]

        return self._database.run(read)

    def update(
        self,
        project_id: str,
        *,
        now: float,
        name: str | None = None,
        api_key: str | None = None,
        is_active: bool | None = None,
    ) -> Deferred[Project | None]:
        """Change what is given and only that; C{deactivated_at} follows C{is_active}."""

        def change(connection: Connection) -> Project | None:
            from sqlalchemy.exc import IntegrityError

            before = self._get(connection, project_id)
            if before is None:
                return None
            changed: dict[str, Any] = {"updated_at": micros(now)}
            if name is not None:
                changed["name"] = name
            if api_key is not None:
                changed["api_key"] = self._database.cipher.encrypt(api_key)
            if is_active is not None and is_active != before.is_active:
                changed |= {"is_active": is_active, "deactivated_at": None if is_active else micros(now)}
            try:
                connection.execute(projects.update().where(projects.c.id == project_id).values(changed))
            except IntegrityError:
                raise DuplicateName(name) from None
            return self._get(connection, project_id)

        return self._database.run(change)

    def _get(self, connection: Connection, project_id: str) -> Project | None:
        row = connection.execute(projects.select().where(projects.c.id == project_id)).one_or_none()
        return None if row is None else self._project(row)

    def _row(self, project: Project) -> dict[str, Any]:
        return {
            "id": project.id,
            "name": project.name,
            "api_key": self._database.cipher.encrypt(project.api_key),
            "is_active": project.is_active,
            "deactivated_at": micros(project.deactivated_at),
            "created_at": micros(project.created_at),
            "updated_at": micros(project.updated_at),
        }

    def _project(self, row: Any) -> Project:
        return Project(
            id=row.id,
            name=row.name,
            api_key=self._database.cipher.decrypt(row.api_key),
            is_active=bool(row.is_active),
            deactivated_at=seconds(row.deactivated_at),
            created_at=row.created_at / 1_000_000,
            updated_at=row.updated_at / 1_000_000,
        )
