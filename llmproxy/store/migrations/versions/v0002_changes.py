"""
The feed of changes; indexes of lists that are read in pages; names compared by bytes.

MySQL commits each of these statements by itself: each can be repeated, so that an upgrade that was
interrupted half way is finished by the next one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_indexes, drop_tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EXACT = mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin")


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("which", sa.String(64), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_changes_made_at", "changes", ["made_at"], if_not_exists=True)
    op.create_index("ix_tokens_is_active_created_at", "tokens", ["is_active", "created_at", "id"], if_not_exists=True)
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    if op.get_bind().scalar(sa.select(counters.c.value).where(counters.c.name == "changes")) is None:
        op.execute(counters.insert().values(name="changes", value=0))
    _compare_exactly(op.get_bind().dialect.name)


def _compare_exactly(dialect: str) -> None:
    """SQLite compares bytes; PostgreSQL sorted names by the language of the server, MySQL took T1 for t1."""
    if dialect == "postgresql":
        op.execute('ALTER TABLE projects ALTER COLUMN name TYPE VARCHAR(255) COLLATE "C"')
    elif dialect == "mysql":
        keys = sa.inspect(op.get_bind()).get_foreign_keys("tokens")
        if any(key["name"] == "fk_tokens_project_id" for key in keys):
            op.drop_constraint("fk_tokens_project_id", "tokens", type_="foreignkey")
        for table, column in (("projects", "id"), ("tokens", "id"), ("tokens", "token_hash"), ("tokens", "project_id")):
            op.alter_column(table, column, type_=_EXACT, existing_nullable=False)
        op.create_foreign_key("fk_tokens_project_id", "tokens", "projects", ["project_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    drop_indexes("tokens", "ix_tokens_is_active_created_at")
    drop_tables("changes", "counters")
