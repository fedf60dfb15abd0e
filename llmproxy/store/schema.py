"""The tables; times are microseconds since the epoch, the one representation that three databases agree on."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

projects = Table(
    "projects",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("api_key", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("deactivated_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("token", String(64), nullable=False, unique=True),
    Column("hint", String(32), nullable=False),
    Column("project_id", String(36), ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", BigInteger),
    Column("is_active", Boolean, nullable=False),
    Column("deactivated_at", BigInteger),
    Column("request_count", BigInteger, nullable=False),
    Column("leased", Integer, nullable=False),
    Column("max_requests", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("cache_hit_count", BigInteger, nullable=False),
    Index("idx_tokens_project_id", "project_id"),
    Index("idx_tokens_expires_at", "expires_at"),
)

key_checks = Table(
    "key_checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""One row, encrypted: it tells at the start whether the encryption key is the one of this database."""

HEAD = "0001"
"""The migration that the tables above are the result of."""


def micros(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000)


def seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1_000_000
