"""The tables of the device flow, as queries see them; see L{llmproxy.store.schema}."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from .moment import Moment
from .tablemetadata import metadata

device_grants = Table(
    "device_grants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_code_hash", String(64), nullable=False),
    Column("program", String(128), nullable=False),
    Column("device", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("interval_ms", BigInteger, nullable=False),
    Column("asked_at", Moment),
    Column("state", String(16), nullable=False),
    Column("person_id", String(64)),
    Column("provider_token", Text),
)
"""Programs that wait until somebody lets them in."""

devices = Table(
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("person_id", String(64), nullable=False),
    Column("program", String(128), nullable=False),
    Column("device", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    Column("selector_hash", String(64), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("token_id", String(64), nullable=False),
    Column("former_token_id", String(64)),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("ended_because", String(16), nullable=False),
    Column("provider_token", Text),
    Column("checked_at", Moment),
    Column("refreshed_from", String(64)),
    Column("stale_at", Moment),
    Column("asking_until", Moment),
)
"""Programs that somebody has let in, each with the hash of its refresh token."""
