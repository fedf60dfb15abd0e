"""
Numbers of written counts, for processes that lost the connection at that moment.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from llmproxy.store.migrations.steps import drop_tables

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "writings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("happened", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_writings_made_at", "writings", ["made_at"], if_not_exists=True)


def downgrade() -> None:
    drop_tables("writings")
