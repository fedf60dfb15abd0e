"""
People who sign in by an identity provider, the tokens that are theirs, and sessions of the admin pages by a provider.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns, drop_indexes, drop_tables

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_LONG = sa.Text().with_variant(mysql.TEXT(**_BYTES), *_MYSQL)


def _text(length: int) -> Any:
    """A text that is compared by its bytes."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_BYTES), *_MYSQL)


_ADDED = (
    ("tokens", (("person_id", _text(64)), ("kind", _text(16)))),
    ("ended_tokens", (("person_id", _text(64)),)),
    ("sessions", (("provider_session", _text(64)), ("id_token", _LONG))),
)


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", _text(64), primary_key=True),
        sa.Column("subject_key", _text(64), nullable=False),
        sa.Column("provider", _text(64), nullable=False),
        sa.Column("issuer", _LONG, nullable=False),
        sa.Column("subject", _LONG, nullable=False),
        sa.Column("name", _text(255), nullable=False),
        sa.Column("email", _text(255), nullable=False),
        sa.Column("groups", _LONG, nullable=False),
        sa.Column("role", _text(16)),
        sa.Column("project_id", _text(64)),
        sa.Column("limits", _LONG),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("subject_key", name="uq_people_subject_key"),
        if_not_exists=True,
    )
    op.create_index("ix_people_last_seen_at", "people", ["last_seen_at", "id"], if_not_exists=True)
    inspector = sa.inspect(op.get_bind())
    for table, columns in _ADDED:
        known = {found["name"] for found in inspector.get_columns(table)}
        for name, kind in columns:
            if name not in known:
                op.add_column(table, sa.Column(name, kind))
    for table in ("tokens", "ended_tokens"):
        op.create_index(f"ix_{table}_person_id", table, ["person_id"], if_not_exists=True)


def downgrade() -> None:
    for table in ("tokens", "ended_tokens"):
        drop_indexes(table, f"ix_{table}_person_id")
    for table, columns in _ADDED:
        drop_columns(table, *(name for name, _ in columns))
    drop_tables("people")
