"""
The network that a device was refreshed from last, and the moment of an old refresh token from there.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}

_ADDED = (
    ("refreshed_from", sa.String(64).with_variant(mysql.VARCHAR(64, **_BYTES), "mysql", "mariadb")),
    ("stale_at", sa.BigInteger()),
)


def upgrade() -> None:
    known = {found["name"] for found in sa.inspect(op.get_bind()).get_columns("devices")}
    for name, kind in _ADDED:
        if name not in known:
            op.add_column("devices", sa.Column(name, kind))


def downgrade() -> None:
    for name, _ in _ADDED:
        drop_columns("devices", name)
