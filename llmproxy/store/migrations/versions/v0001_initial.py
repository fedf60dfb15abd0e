"""Projects, tokens, audit events, settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAME = sa.String(255).with_variant(mysql.VARCHAR(255, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "settings",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("api_key", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("deactivated_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("metadata", sa.Text),
        sa.UniqueConstraint("name", name="uq_projects_name"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255)),
        sa.Column("metadata", sa.Text),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("deactivated_at", sa.BigInteger),
        sa.Column("request_count", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("leased", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("max_requests", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("cache_hit_count", sa.BigInteger, nullable=False, server_default="0"),
        sa.UniqueConstraint("token_hash", name="uq_tokens_token_hash"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_tokens_project_id", ondelete="CASCADE"),
        sa.CheckConstraint("max_requests IS NULL OR max_requests > 0", name="ck_tokens_max_requests"),
    )
    op.create_index("ix_tokens_project_id_created_at", "tokens", ["project_id", "created_at", "id"])
    op.create_index("ix_tokens_created_at", "tokens", ["created_at", "id"])
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"])
    _create_audit_events()


def _create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(191), nullable=False),
        sa.Column("project_id", sa.String(64)),
        sa.Column("request_id", sa.String(191)),
        sa.Column("correlation_id", sa.String(191)),
        sa.Column("client_ip", sa.String(45)),
        sa.Column("method", sa.String(32)),
        sa.Column("path", sa.Text),
        sa.Column("user_agent", sa.Text),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("token_id", sa.String(64)),
        sa.Column("metadata", sa.Text),
        sa.CheckConstraint("outcome IN ('success', 'failure', 'denied', 'error')", name="ck_audit_events_outcome"),
    )
    for column in ("timestamp", "action", "project_id", "request_id", "outcome"):
        op.create_index(f"ix_audit_events_{column}", "audit_events", [column])
    op.create_index("ix_audit_events_client_ip_action", "audit_events", ["client_ip", "action"])


def downgrade() -> None:
    for table in ("audit_events", "tokens", "projects", "settings"):
        op.drop_table(table)
