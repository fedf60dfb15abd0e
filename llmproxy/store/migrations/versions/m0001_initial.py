"""The first schema: projects, tokens, and the check of the encryption key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("api_key", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("deactivated_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("token", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.String(32), nullable=False),
        sa.Column("project_id", sa.String(36), sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("deactivated_at", sa.BigInteger),
        sa.Column("request_count", sa.BigInteger, nullable=False),
        sa.Column("leased", sa.Integer, nullable=False),
        sa.Column("max_requests", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("cache_hit_count", sa.BigInteger, nullable=False),
    )
    op.create_index("idx_tokens_project_id", "tokens", ["project_id"])
    op.create_index("idx_tokens_expires_at", "tokens", ["expires_at"])
    op.create_table(
        "key_checks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("key_checks", "tokens", "projects"):
        op.drop_table(table)
