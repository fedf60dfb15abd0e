"""
A new SQLite database in one go: what all revisions together make of an empty one.

Alembic takes 0.2 s of a start and 12 MiB for as long as the process lives; most databases of SQLite are new once and
then need no migration for long. The statements in L{migrations.snapshot<llmproxy.store.migrations.snapshot>} are
written by C{python -m tests.store.snapshot}, from what the revisions made. If they are of an earlier revision than the
last, the revisions that follow do the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

SQL = """\
SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite|_%' ESCAPE '|'
ORDER BY type = 'index', name
"""


def is_empty(connection: Connection) -> bool:
    """Whether it is SQLite's, and nobody has made anything in it."""
    if connection.dialect.name != "sqlite":
        return False
    return connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0


def make(connection: Connection) -> str:
    """Make all tables, in the transaction of C{connection}; the revision that they are of."""
    from .migrations.snapshot import REVISION, STATEMENTS

    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
    return REVISION


def statements(connection: Connection) -> list[str]:
    """What would make this database again: its tables, its indexes, and the rows that a new one has."""
    found = [str(row.sql) for row in connection.exec_driver_sql(SQL)]
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    for name in [str(row.name) for row in names]:
        for row in connection.exec_driver_sql(f"SELECT * FROM {name}"):  # noqa: S608
            found.append(f"INSERT INTO {name} VALUES ({', '.join(map(_literal, row))})")  # noqa: S608
    return found


def _literal(value: object) -> str:
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(int(value))
    return "'" + str(value).replace("'", "''") + "'"
