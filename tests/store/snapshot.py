"""
Writes L{llmproxy.store.migrations.snapshot} from what the revisions make of an empty database.

C{python -m tests.store.snapshot}, after each new revision.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection

from llmproxy.store import migrations
from llmproxy.store.migrate import upgrade
from llmproxy.store.newdatabase import statements
from llmproxy.store.schema import HEAD

FILE = Path(str(migrations.__file__)).with_name("snapshot.py")

HEADING = '''\
# ruff: noqa: E501
"""The schema that L{llmproxy.store.newdatabase} makes; written by C{python -m tests.store.snapshot}."""

REVISION = "%s"

STATEMENTS = (
'''


def made_by_revisions(to: str = HEAD) -> list[str]:
    """What Alembic makes of an empty database."""
    with create_engine("sqlite://").begin() as connection:
        return _upgraded(connection, to)


def _upgraded(connection: Connection, to: str) -> list[str]:
    upgrade(connection, None, to)
    return statements(connection)


def main() -> None:
    lines = [f'    """{statement}""",\n' for statement in made_by_revisions()]
    FILE.write_text(HEADING % HEAD + "".join(lines).replace("\t", "    ").replace(" \n", "\n") + ")\n")


if __name__ == "__main__":
    main()
