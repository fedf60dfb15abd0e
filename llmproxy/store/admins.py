"""Admins, those who may use the management API, in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import fields
from sqlalchemy import func, literal, null, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..errors import DuplicateAdmin
from ..interfaces import IAdminStore
from ..message import Admin
from .schema import Moment, admins
from .together import single

if TYPE_CHECKING:
    from .contracts import ITransactions

_COLUMNS = tuple(admins.c[each.name] for each in fields(Admin))


MAX_LISTED = 1000


@implementer(IAdminStore)
class AdminStore:
    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    def create(self, admin: Admin) -> Deferred[None]:
        return self._database.run(lambda connection: insert_admin(connection, admin)).addErrback(_duplicate)

    def by_hash(self, token_hash: str) -> Deferred[Admin | None]:
        return self._database.read(single(lambda connection: _one(connection, admins.c.token_hash == token_hash)))

    def get(self, admin_id: str) -> Deferred[Admin | None]:
        return self._database.read(lambda connection: _one(connection, admins.c.id == admin_id))

    def list(self) -> Deferred[list[Admin]]:
        return self._database.read(list_admins)

    def revoke(self, admin_id: str) -> Deferred[Admin | None]:
        return self._database.run(lambda connection: revoke_admin(connection, admin_id, self._seconds()))

    def used(self, admin_id: str) -> Deferred[None]:
        statement = admins.update().where(admins.c.id == admin_id).values(last_used_at=self._seconds())
        noting = self._database.run(single(lambda connection: connection.execute(statement)))
        return noting.addCallback(lambda _: None)


def insert_admin(connection: Connection, admin: Admin) -> None:
    """
    @raise IntegrityError: the name is taken.
    """
    row = {column.name: getattr(admin, column.name) for column in _COLUMNS}
    connection.execute(admins.insert().values({**row, "taken_name": admin.name}))


def list_admins(connection: Connection) -> list[Admin]:
    query = select(*_COLUMNS).order_by(admins.c.created_at.desc(), admins.c.id).limit(MAX_LISTED)
    return [Admin(*row) for row in connection.execute(query)]


def revoke_admin(connection: Connection, admin_id: str, now: float) -> Admin | None:
    which = admins.c.id == admin_id
    revoked_at = func.coalesce(admins.c.revoked_at, literal(now, Moment()))
    connection.execute(admins.update().where(which).values(revoked_at=revoked_at, taken_name=null()))
    return _one(connection, which)


def _one(connection: Connection, condition: Any) -> Admin | None:
    row = connection.execute(select(*_COLUMNS).where(condition)).first()
    return None if row is None else Admin(*row)


def _duplicate(reason: Any) -> Any:
    reason.trap(IntegrityError)
    raise DuplicateAdmin() from None
