"""
Statements of a step back that can be repeated: MySQL commits each by itself, so that one which was interrupted is
finished by the next.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def drop_tables(*names: str) -> None:
    """Drop those that are there."""
    for name in names:
        if sa.inspect(op.get_bind()).has_table(name):
            op.drop_table(name)


def drop_columns(table: str, *names: str) -> None:
    there = {each["name"] for each in sa.inspect(op.get_bind()).get_columns(table)}
    for name in names:
        if name in there:
            op.drop_column(table, name)


def drop_indexes(table: str, *names: str) -> None:
    there = {each["name"] for each in sa.inspect(op.get_bind()).get_indexes(table)}
    for name in names:
        if name in there:
            op.drop_index(name, table)
