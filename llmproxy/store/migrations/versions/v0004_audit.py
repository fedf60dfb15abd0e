"""
The place of an audit record in its chain, and how far each chain has come; texts compared by their bytes.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns, drop_indexes, drop_tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
_COLUMNS = (
    sa.Column("chain", _EXACT),
    sa.Column("seq", sa.BigInteger),
    sa.Column("prev", _EXACT),
    sa.Column("hash", _EXACT),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "mysql":
        op.execute("ALTER TABLE audit_events CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("audit_events")}
    for column in _COLUMNS:
        if column.name not in there:
            op.add_column("audit_events", column.copy())
    op.create_index("uq_audit_events_chain_seq", "audit_events", ["chain", "seq"], unique=True, if_not_exists=True)
    for name in ("actor", "project_id", "action"):
        columns = [name, "timestamp", "id"]
        op.create_index(f"ix_audit_events_{name}_timestamp", "audit_events", columns, if_not_exists=True)
    op.create_index("ix_audit_events_timestamp_id", "audit_events", ["timestamp", "id"], if_not_exists=True)
    op.create_index("ix_audit_events_correlation_id", "audit_events", ["correlation_id"], if_not_exists=True)
    op.create_index("ix_audit_events_token_id", "audit_events", ["token_id"], if_not_exists=True)
    for name in ("timestamp", "action", "project_id"):
        op.drop_index(f"ix_audit_events_{name}", "audit_events", if_exists=True)
    op.create_table(
        "audit_chains",
        sa.Column("id", _EXACT, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("head", _EXACT, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_tables("audit_chains")
    for name in ("timestamp", "action", "project_id"):
        op.create_index(f"ix_audit_events_{name}", "audit_events", [name], if_not_exists=True)
    drop_indexes("audit_events", "uq_audit_events_chain_seq", "ix_audit_events_token_id")
    for name in ("actor_timestamp", "project_id_timestamp", "action_timestamp", "timestamp_id", "correlation_id"):
        drop_indexes("audit_events", f"ix_audit_events_{name}")
    drop_columns("audit_events", *(column.name for column in _COLUMNS))
