"""The identity of a database: an id of its own, made when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from .schema import settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .contracts import ITransactions

_NAME = "database_id"


async def identity_of(database: ITransactions) -> str:
    """The same for all who use it, wherever it is and by whatever address."""
    found: str | None = await database.read(_known)
    if found is None:
        try:
            await database.run(_name)
        except IntegrityError:
            # Another process was first.
            pass
        found = await database.read(_known)
        assert found is not None, "it was written just now"
    return found


def _known(connection: Connection) -> str | None:
    value: str | None = connection.scalar(select(settings.c.value).where(settings.c.name == _NAME))
    return value


def _name(connection: Connection) -> None:
    connection.execute(settings.insert().values(name=_NAME, value=uuid4().hex))
