"""Limits in the rows of tokens and projects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import null, select
from sqlalchemy.engine import Connection

from ..core.limits.written import Change, changed, read, text_of


def change_limits(connection: Connection, table: Any, row_id: str, change: Change | None) -> None:
    """
    Change single limits of a row. The transaction has written to the row before, so that nobody else changes the others
    meanwhile.
    """
    if change:
        which = table.c.id == row_id
        present = read(connection.scalar(select(table.c.limits).where(which)))
        text = text_of(changed(present, change))
        connection.execute(table.update().where(which).values(limits=null() if text is None else text))
