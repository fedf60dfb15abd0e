"""
Records of usage say whose they are; budgets of people can be set back.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}


def _text(length: int) -> Any:
    """A text that is compared by its bytes."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_BYTES), *_MYSQL)


_ADDED = (
    ("usage_records", "person_id", _text(64)),
    ("people", "budget_reset_at", sa.BigInteger()),
)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    for table, name, kind in _ADDED:
        if name not in {found["name"] for found in inspector.get_columns(table)}:
            op.add_column(table, sa.Column(name, kind))


def downgrade() -> None:
    for table, name, _ in _ADDED:
        drop_columns(table, name)
