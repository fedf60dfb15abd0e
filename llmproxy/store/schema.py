"""
The tables as queries see them. How they came to be is in L{llmproxy.store.migrations}.

Moments are integers, microseconds since the epoch: the one representation that SQLite, PostgreSQL
and MySQL keep exactly and that no session's time zone can shift. In values they are seconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from .agentsettingstables import agent_settings as agent_settings
from .devicetables import device_grants as device_grants
from .devicetables import devices as devices
from .moment import Moment as Moment
from .peopletables import people as people
from .tablemetadata import metadata as metadata

HEAD = "0023"
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


def _whole(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


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

written_uses = Table(
    "written_uses",
    metadata,
    Column("holder", String(32), primary_key=True),
    Column("token_id", String(64), primary_key=True),
    Column("upto", BigInteger, nullable=False),
    Column("noted_at", Moment, nullable=False),
)
"""How far the uses in the ledger of each process are written down; see L{llmproxy.store.writtenuses}."""

budgets = Table(
    "budgets",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("begins_at", Moment, primary_key=True, autoincrement=False),
    Column("ends_at", Moment),
    Column("spent", BigInteger, nullable=False),
    Column("leased", BigInteger, nullable=False),
    Column("warned", BigInteger, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
"""What machines without Redis have used of each budget, in 10^-9 USD; see L{llmproxy.store.budgets}."""

budget_leases = Table(
    "budget_leases",
    metadata,
    Column("holder", String(32), primary_key=True),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("turn", BigInteger, nullable=False),
    Column("key", String(64), nullable=False),
    Column("begins_at", Moment, nullable=False),
    Column("ends_at", Moment),
    Column("size", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
"""What each process holds of those, and has spent of them; likewise."""

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
    Column("limits", Text),
    Column("budget_reset_at", Moment),
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
    Column("limits", Text),
    Column("budget_reset_at", Moment),
    Column("person_id", String(64)),
    Column("kind", String(16)),
)

ended_tokens = Table(
    "ended_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255)),
    Column("project_id", String(64), nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("removed_at", Moment, nullable=False),
    Column("person_id", String(64)),
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

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("admin_id", String(64), nullable=False),
    Column("binding", String(64), nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("client", String(64), nullable=False),
    Column("agent", String(255), nullable=False),
    Column("provider_session", String(64)),
    Column("id_token", Text),
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

usage_records = Table(
    "usage_records",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("settled_at", Moment, nullable=False),
    Column("request_id", String(191), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("token_id", String(64), nullable=False),
    Column("api", String(64), nullable=False),
    Column("upstream", String(255), nullable=False),
    Column("endpoint", String(255), nullable=False),
    Column("method", String(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("ending", String(32), nullable=False),
    Column("error_code", String(64), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("cache", String(64), nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("first_byte", BigInteger),
    Column("first_token", BigInteger),
    Column("model", String(255), nullable=False),
    Column("grouped_model", String(255)),
    Column("served_model", String(255), nullable=False),
    Column("input_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("audio_input_tokens", BigInteger),
    Column("audio_output_tokens", BigInteger),
    Column("images", BigInteger),
    Column("audio", BigInteger),
    Column("unknown", Boolean, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("raw", Text),
    Column("saved", Text),
    Column("cost", BigInteger),
    Column("cost_rest", BigInteger),
    Column("cost_saved", BigInteger),
    Column("cost_saved_rest", BigInteger),
    Column("book", String(64), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("user", String(255), nullable=False),
    Column("session", String(255), nullable=False),
    Column("program", String(255), nullable=False),
    Column("tags", Text),
    Column("metadata", Text),
    Column("upstream_request_id", String(255), nullable=False),
    Column("user_agent", String(255), nullable=False),
    Column("client", String(64), nullable=False),
    Column("tried", Text),
    Column("answer_id", String(255)),
    Column("person_id", String(64)),
)
"""
One row for each exchange of a caller who was known: an L{llmproxy.core.ledger.entry.Entry}, see
L{llmproxy.store.usagerecords}.

Durations and C{audio} (seconds that were heard) are whole microseconds. Money is two integers: whole millionths of a
USD, and what is beyond them in 10^-12 USD, so that sums are exact and nothing that can be paid overflows.
C{grouped_model} is the name that reports have the model under, where it is not C{model}.
"""

usage_models = Table(
    "usage_models",
    metadata,
    Column("api", String(64), primary_key=True),
    Column("model", String(255), primary_key=True),
    Column("answered_at", Moment, nullable=False),
)
"""Models that were answered once: those that reports call by their names."""

usage_answers = Table(
    "usage_answers",
    metadata,
    Column("vendor", String(64), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("counted", Boolean, nullable=False),
    Column("noted_at", Moment, nullable=False),
)
"""Answers that can be fetched later and again, and whether their usage was counted, see
L{llmproxy.store.usageanswers}."""

usage_values = Table(
    "usage_values",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("admitted", BigInteger, nullable=False),
)
"""How many values of a user, a session, a tag... a day has in the roll-ups, see L{llmproxy.store.usagevalues}."""

usage_series = Table(
    "usage_series",
    metadata,
    # SQLite finds a row by its number alone where that is an INTEGER; those have 64 bits.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("cube", Integer, nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("token_id", String(64), nullable=False),
    Column("api", String(64), nullable=False),
    Column("endpoint", String(255), nullable=False),
    Column("model", String(255), nullable=False),
    Column("served_model", String(255), nullable=False),
    Column("status", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("value", String(255), nullable=False),
)
"""What a roll-up is of, for each of the cubes of L{llmproxy.core.rollups}; what a cube does not tell apart is empty."""

usage_rollups = Table(
    "usage_rollups",
    metadata,
    Column("cube", Integer, primary_key=True, autoincrement=False),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    *_whole("requests", "errors", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"),
    *_whole("reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "images", "audio", "cost"),
    *_whole("cost_rest", "cache_hits", "cost_saved", "cost_saved_rest", "unknown", "estimated"),
    *_whole("truncated", "unpriced"),
    sqlite_with_rowid=False,
)
"""Sums of C{usage_records} by the time they ended: C{bucket} counts spans of the width of C{level} since the epoch."""
