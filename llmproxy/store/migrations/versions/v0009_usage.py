"""
Records of usage, and their sums.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MYSQL = ("mysql", "mariadb")
_BYTES: dict[str, Any] = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
_LONG = sa.Text().with_variant(mysql.TEXT(**_BYTES), *_MYSQL)


def _text(length: int) -> Any:
    """A text that is compared by its bytes."""
    return sa.String(length).with_variant(mysql.VARCHAR(length, **_BYTES), *_MYSQL)


def upgrade() -> None:
    _records()
    _rollups()


def _records() -> None:
    op.create_table(
        "usage_records",
        sa.Column("id", _text(64), primary_key=True),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger, nullable=False),
        sa.Column("request_id", _text(191), nullable=False),
        sa.Column("project_id", _text(64), nullable=False),
        sa.Column("token_id", _text(64), nullable=False),
        sa.Column("api", _text(64), nullable=False),
        sa.Column("upstream", _text(255), nullable=False),
        sa.Column("endpoint", _text(255), nullable=False),
        sa.Column("method", _text(32), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("ending", _text(32), nullable=False),
        sa.Column("error_code", _text(64), nullable=False),
        sa.Column("cause", _text(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("cache", _text(64), nullable=False),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("bytes_in", sa.BigInteger, nullable=False),
        sa.Column("bytes_out", sa.BigInteger, nullable=False),
        sa.Column("duration", sa.BigInteger, nullable=False),
        sa.Column("first_byte", sa.BigInteger),
        sa.Column("first_token", sa.BigInteger),
        sa.Column("model", _text(255), nullable=False),
        sa.Column("grouped_model", _text(255)),
        sa.Column("served_model", _text(255), nullable=False),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("cached_input_tokens", sa.BigInteger),
        sa.Column("cache_write_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("reasoning_tokens", sa.BigInteger),
        sa.Column("audio_input_tokens", sa.BigInteger),
        sa.Column("audio_output_tokens", sa.BigInteger),
        sa.Column("images", sa.BigInteger),
        sa.Column("audio", sa.BigInteger),
        sa.Column("unknown", sa.Boolean, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("truncated", sa.Boolean, nullable=False),
        sa.Column("raw", _LONG),
        sa.Column("saved", _LONG),
        sa.Column("cost", sa.BigInteger),
        sa.Column("cost_rest", sa.BigInteger),
        sa.Column("cost_saved", sa.BigInteger),
        sa.Column("cost_saved_rest", sa.BigInteger),
        sa.Column("book", _text(64), nullable=False),
        sa.Column("provider", _text(64), nullable=False),
        sa.Column("user", _text(255), nullable=False),
        sa.Column("session", _text(255), nullable=False),
        sa.Column("program", _text(255), nullable=False),
        sa.Column("tags", _LONG),
        sa.Column("metadata", _LONG),
        sa.Column("upstream_request_id", _text(255), nullable=False),
        sa.Column("user_agent", _text(255), nullable=False),
        sa.Column("client", _text(64), nullable=False),
        if_not_exists=True,
    )
    for column in ("project_id", "token_id"):
        columns = [column, "ended_at", "id"]
        op.create_index(f"ix_usage_records_{column}", "usage_records", columns, if_not_exists=True)
    op.create_index("ix_usage_records_ended_at", "usage_records", ["ended_at", "id"], if_not_exists=True)


def _rollups() -> None:
    op.create_table(
        "usage_models",
        sa.Column("api", _text(64), primary_key=True),
        sa.Column("model", _text(255), primary_key=True),
        sa.Column("answered_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "usage_values",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", _text(16), primary_key=True),
        sa.Column("name", _text(128), primary_key=True),
        sa.Column("admitted", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "usage_series",
        # SQLite finds a row by its number alone where that is an INTEGER; those have 64 bits.
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("cube", sa.Integer, nullable=False),
        sa.Column("project_id", _text(64), nullable=False),
        sa.Column("token_id", _text(64), nullable=False),
        sa.Column("api", _text(64), nullable=False),
        sa.Column("endpoint", _text(255), nullable=False),
        sa.Column("model", _text(255), nullable=False),
        sa.Column("served_model", _text(255), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("kind", _text(16), nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("value", _text(255), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "usage_rollups",
        sa.Column("cube", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("audio_input_tokens", sa.BigInteger, nullable=False),
        sa.Column("audio_output_tokens", sa.BigInteger, nullable=False),
        sa.Column("images", sa.BigInteger, nullable=False),
        sa.Column("audio", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("cost_rest", sa.BigInteger, nullable=False),
        sa.Column("cache_hits", sa.BigInteger, nullable=False),
        sa.Column("cost_saved", sa.BigInteger, nullable=False),
        sa.Column("cost_saved_rest", sa.BigInteger, nullable=False),
        sa.Column("unknown", sa.BigInteger, nullable=False),
        sa.Column("estimated", sa.BigInteger, nullable=False),
        sa.Column("truncated", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    for column in ("project_id", "token_id"):
        op.create_index(f"ix_usage_series_{column}", "usage_series", [column], if_not_exists=True)
    if op.get_bind().dialect.name == "postgresql":
        # The rows of today are written again and again: they stay on their page.
        op.execute("ALTER TABLE usage_rollups SET (fillfactor = 80)")


def downgrade() -> None:
    drop_tables("usage_rollups", "usage_series", "usage_values", "usage_models", "usage_records")
