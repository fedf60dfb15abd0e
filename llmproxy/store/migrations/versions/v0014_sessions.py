"""
Sessions of the admin pages.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_tables

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_ID = sa.String(64).with_variant(mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)
_TEXT = sa.String(255).with_variant(mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("secret_hash", _ID, nullable=False),
        sa.Column("admin_id", _ID, nullable=False),
        sa.Column("binding", _ID, nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("client", _ID, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.UniqueConstraint("secret_hash", name="uq_sessions_secret_hash"),
        if_not_exists=True,
    )
    op.create_index("ix_sessions_admin_id", "sessions", ["admin_id"], if_not_exists=True)
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], if_not_exists=True)


def downgrade() -> None:
    drop_tables("sessions")
