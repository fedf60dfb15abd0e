"""
Until when the provider of a device's person is being asked.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from llmproxy.store.migrations.steps import drop_columns

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if "asking_until" not in {found["name"] for found in sa.inspect(op.get_bind()).get_columns("devices")}:
        op.add_column("devices", sa.Column("asking_until", sa.BigInteger()))


def downgrade() -> None:
    drop_columns("devices", "asking_until")
