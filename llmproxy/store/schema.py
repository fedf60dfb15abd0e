"""
The tables as queries see them. How they came to be is in L{llmproxy.store.migrations}.

Moments are integers, microseconds since the epoch: the one representation that SQLite, PostgreSQL
and MySQL keep exactly and that no session's time zone can shift. In values they are seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

HEAD = "0008"
"""
The revision that this program needs.

Known here too, so that a start with an up-to-date database does not import Alembic (about 0.2 s).
"""

OLDEST = "0008"
"""
The oldest program that may work on this schema, by the revision that it needs; it is written into the database.

A revision only adds: tables, indexes, columns that may be left out. What is removed is removed a release later, by a
revision that raises this number to that of the first program which does without.
"""


class Moment(TypeDecorator[float]):
    """Seconds since the epoch, stored as microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        return None if value is None else round(value * 1_000_000)

    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:
        return None if value is None else value / 1_000_000


metadata = MetaData()

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("what", String(16), nullable=False),
    Column("which", String(64), nullable=False),
    Column("made_at", Moment, nullable=False),
)
"""What L{llmproxy.store.changes} writes and reads."""

leases = Table(
    "leases",
    metadata,
    Column("holder", String(32), primary_key=True),
    Column("token_id", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
"""What each process has leased and not accounted for; see L{llmproxy.store.lostleases}."""

writings = Table(
    "writings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("happened", Boolean, nullable=False),
    Column("made_at", Moment, nullable=False),
)
"""What L{llmproxy.store.usage} notes of each of its transactions."""

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("api_key", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("deactivated_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("metadata", Text),
    Column("version", BigInteger, nullable=False),
    Column("api_key_for", String(64)),
)

project_keys = Table(
    "project_keys",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("api", String(64), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("api_key", Text, nullable=False),
)
"""What L{llmproxy.store.projectkeys} writes and reads."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("token_hash", String(64), nullable=False),
    Column("hint", String(64), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("name", String(255)),
    Column("metadata", Text),
    Column("expires_at", Moment),
    Column("is_active", Boolean, nullable=False),
    Column("deactivated_at", Moment),
    Column("request_count", BigInteger, nullable=False),
    Column("leased", BigInteger, nullable=False),
    Column("reserved_lost", BigInteger, nullable=False, server_default="0"),
    Column("max_requests", BigInteger),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment),
    Column("cache_hit_count", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("previous_hash", String(64)),
    Column("previous_until", Moment),
)

ended_tokens = Table(
    "ended_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255)),
    Column("project_id", String(64), nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("removed_at", Moment, nullable=False),
)
"""Names of tokens that are gone, see L{llmproxy.store.endedtokens}."""

admins = Table(
    "admins",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("taken_name", String(64)),
    Column("token_hash", String(64), nullable=False),
    Column("hint", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", String(64), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("status", Integer),
    Column("answer", Text),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("timestamp", Moment, nullable=False),
    Column("action", String(64), nullable=False),
    Column("actor", String(191), nullable=False),
    Column("project_id", String(64)),
    Column("request_id", String(191)),
    Column("correlation_id", String(191)),
    Column("client_ip", String(45)),
    Column("method", String(32)),
    Column("path", Text),
    Column("user_agent", Text),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text),
    Column("token_id", String(64)),
    Column("metadata", Text),
    Column("chain", String(64)),
    Column("seq", BigInteger),
    Column("prev", String(64)),
    Column("hash", String(64)),
)

audit_chains = Table(
    "audit_chains",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)
"""How far each chain of audit records has come, those of files too."""
