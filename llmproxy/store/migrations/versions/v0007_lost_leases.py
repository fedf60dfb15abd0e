"""
Holders of leases, and which leases are lost.

C{tokens.leased} stays what it is, the lost ones included: an earlier release beside this one keeps to the quota. Its
own leases are not known here.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from llmproxy.store.migrations.steps import drop_columns, drop_tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if "reserved_lost" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("tokens")}:
        op.add_column("tokens", sa.Column("reserved_lost", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "leases",
        sa.Column("holder", sa.String(32), primary_key=True),
        sa.Column("token_id", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_leases_seen_at", "leases", ["seen_at"], if_not_exists=True)


def downgrade() -> None:
    drop_tables("leases")
    drop_columns("tokens", "reserved_lost")
