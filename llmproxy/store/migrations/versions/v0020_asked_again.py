"""
Providers are asked again about people whose devices are let in; what somebody had signed in with before is over.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_SEALED = sa.Text().with_variant(mysql.TEXT(**_BYTES), "mysql", "mariadb")

_ADDED = (
    ("people", "signed_out_at", sa.BigInteger()),
    ("device_grants", "provider_token", _SEALED),
    ("devices", "provider_token", _SEALED),
    ("devices", "checked_at", sa.BigInteger()),
)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    for table, name, kind in _ADDED:
        if name not in {found["name"] for found in inspector.get_columns(table)}:
            op.add_column(table, sa.Column(name, kind))


def downgrade() -> None:
    for table, name, _ in _ADDED:
        drop_columns(table, name)
