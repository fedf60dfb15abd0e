"""
Programs that people let in by the device flow.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_tables

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}


def _text(length: int) -> Any:
    """A text that is compared by its bytes."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_BYTES), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "device_grants",
        sa.Column("id", _text(64), primary_key=True),
        sa.Column("user_code_hash", _text(64), nullable=False),
        sa.Column("program", _text(128), nullable=False),
        sa.Column("device", _text(128), nullable=False),
        sa.Column("address", _text(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("interval_ms", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger),
        sa.Column("state", _text(16), nullable=False),
        sa.Column("person_id", _text(64)),
        sa.UniqueConstraint("user_code_hash", name="uq_device_grants_user_code_hash"),
        if_not_exists=True,
    )
    op.create_index("ix_device_grants_expires_at", "device_grants", ["expires_at"], if_not_exists=True)
    op.create_table(
        "devices",
        sa.Column("id", _text(64), primary_key=True),
        sa.Column("person_id", _text(64), nullable=False),
        sa.Column("program", _text(128), nullable=False),
        sa.Column("device", _text(128), nullable=False),
        sa.Column("address", _text(64), nullable=False),
        sa.Column("selector_hash", _text(64), nullable=False),
        sa.Column("secret_hash", _text(64), nullable=False),
        sa.Column("token_id", _text(64), nullable=False),
        sa.Column("former_token_id", _text(64)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_because", _text(16), nullable=False),
        sa.UniqueConstraint("selector_hash", name="uq_devices_selector_hash"),
        if_not_exists=True,
    )
    op.create_index("ix_devices_person_id", "devices", ["person_id"], if_not_exists=True)
    op.create_index("ix_devices_expires_at", "devices", ["expires_at"], if_not_exists=True)


def downgrade() -> None:
    drop_tables("devices", "device_grants")
