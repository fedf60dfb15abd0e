"""
Names of tokens that were removed some time after they had ended, and which releases may work on this schema.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_tables

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)
_NAME = sa.String(255).with_variant(mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)


def upgrade() -> None:
    op.create_table(
        "ended_tokens",
        sa.Column("id", _EXACT, primary_key=True),
        sa.Column("name", _NAME),
        sa.Column("project_id", _EXACT, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("removed_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_ended_tokens_project_id", "ended_tokens", ["project_id", "id"], if_not_exists=True)


def downgrade() -> None:
    drop_tables("ended_tokens")
