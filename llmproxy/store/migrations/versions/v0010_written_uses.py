"""
Notes of how far the uses in the ledger of each process are written down.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from llmproxy.store.migrations.steps import drop_tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "written_uses",
        sa.Column("holder", sa.String(32), primary_key=True),
        sa.Column("token_id", sa.String(64), primary_key=True),
        sa.Column("upto", sa.BigInteger, nullable=False),
        sa.Column("noted_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_tables("written_uses")
