"""The table of people, as queries see it; see L{llmproxy.store.schema}."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from .moment import Moment
from .tablemetadata import metadata

people = Table(
    "people",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("subject_key", String(64), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", String(255), nullable=False),
    Column("email", String(255), nullable=False),
    Column("groups", Text, nullable=False),
    Column("role", String(16)),
    Column("project_id", String(64)),
    Column("limits", Text),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("version", BigInteger, nullable=False),
    Column("budget_reset_at", Moment),
    Column("signed_out_at", Moment),
)
"""What L{llmproxy.store.people} writes and reads."""
