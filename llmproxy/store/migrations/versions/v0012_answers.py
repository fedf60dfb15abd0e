"""
Attempts of exchanges, answers that are fetched later: which of them were counted, and an index of series for reports.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns, drop_indexes, drop_tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_LONG = sa.Text().with_variant(mysql.TEXT(**_BYTES), *_MYSQL)


def _text(length: int) -> Any:
    """A text that is compared by its bytes."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_BYTES), *_MYSQL)


def upgrade() -> None:
    known = {found["name"] for found in sa.inspect(op.get_bind()).get_columns("usage_records")}
    for column in (sa.Column("tried", _LONG), sa.Column("answer_id", _text(255))):
        if column.name not in known:
            op.add_column("usage_records", column)
    op.create_table(
        "usage_answers",
        sa.Column("vendor", _text(64), primary_key=True),
        sa.Column("id", _text(255), primary_key=True),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("noted_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_usage_answers_noted_at", "usage_answers", ["noted_at"], if_not_exists=True)
    op.create_index("ix_usage_series_cube", "usage_series", ["cube"], if_not_exists=True)


def downgrade() -> None:
    drop_indexes("usage_series", "ix_usage_series_cube")
    drop_tables("usage_answers")
    drop_columns("usage_records", "answer_id", "tried")
