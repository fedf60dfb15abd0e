"""
Limits of tokens and projects, and when their budgets were last set back.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# A hundred names of models are more than the 64 KiB that a TEXT of MySQL has; names may be of any script.
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    for table in ("projects", "tokens"):
        _add(table, sa.Column("limits", _LONG))
        _add(table, sa.Column("budget_reset_at", sa.BigInteger))


def _add(table: str, column: sa.Column[Any]) -> None:
    if column.name not in {found["name"] for found in sa.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)


def downgrade() -> None:
    for table in ("projects", "tokens"):
        drop_columns(table, "budget_reset_at", "limits")
