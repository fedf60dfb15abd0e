"""
Versions of the managed settings of coding agents.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_tables

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_ID = sa.String(64).with_variant(mysql.VARCHAR(64, **_BYTES), *_MYSQL)
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(**_BYTES), *_MYSQL)


def upgrade() -> None:
    op.create_table(
        "agent_settings",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("noted_at", sa.BigInteger, nullable=False),
        sa.Column("groups", _LONG, nullable=False),
        sa.Column("version", _ID, nullable=False),
        sa.Column("version_before", _ID, nullable=False),
        sa.Column("content", _LONG, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_agent_settings_noted_at", "agent_settings", ["noted_at"], if_not_exists=True)


def downgrade() -> None:
    drop_tables("agent_settings")
