"""
Versions of what management changes, the earlier secret of a token that was rotated, admins, idempotency keys.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns, drop_indexes, drop_tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_ID = sa.String(64).with_variant(mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), *_MYSQL)


def upgrade() -> None:
    for table in ("projects", "tokens"):
        _add(table, sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
    _add("tokens", sa.Column("previous_hash", _ID))
    _add("tokens", sa.Column("previous_until", sa.BigInteger))
    if op.get_bind().dialect.name == "mysql":
        # Whatever the database was created with, these keep what anybody writes.
        for table, column, kind in (
            ("tokens", "name", mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin")),
            ("tokens", "metadata", mysql.TEXT(charset="utf8mb4")),
            ("projects", "metadata", mysql.TEXT(charset="utf8mb4")),
        ):
            op.alter_column(table, column, type_=kind, existing_nullable=True)
    op.create_index("ix_tokens_previous_hash", "tokens", ["previous_hash"], if_not_exists=True)
    op.create_table(
        "admins",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _ID, nullable=False),
        # The name again while it is taken: NULL is unequal to NULL, so that those who were revoked do not keep it.
        sa.Column("taken_name", _ID),
        sa.Column("token_hash", _ID, nullable=False),
        sa.Column("hint", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
        sa.UniqueConstraint("taken_name", name="uq_admins_taken_name"),
        sa.UniqueConstraint("token_hash", name="uq_admins_token_hash"),
        sa.CheckConstraint("role IN ('owner', 'operator', 'auditor')", name="ck_admins_role"),
        if_not_exists=True,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("actor", _ID, primary_key=True),
        sa.Column("key_hash", _ID, primary_key=True),
        sa.Column("fingerprint", _ID, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", _LONG),
        if_not_exists=True,
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"], if_not_exists=True)


def _add(table: str, column: sa.Column[Any]) -> None:
    if column.name not in {found["name"] for found in sa.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)


def downgrade() -> None:
    drop_tables("idempotency_keys", "admins")
    drop_indexes("tokens", "ix_tokens_previous_hash")
    drop_columns("tokens", "previous_until", "previous_hash", "version")
    drop_columns("projects", "version")
