"""The table of versions of managed settings, as queries see it; see L{llmproxy.store.schema}."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from .moment import Moment
from .tablemetadata import metadata

agent_settings = Table(
    "agent_settings",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("noted_at", Moment, nullable=False),
    Column("groups", Text, nullable=False),
    Column("version", String(64), nullable=False),
    Column("version_before", String(64), nullable=False),
    Column("content", Text, nullable=False),
)
"""What people of some groups were given from some moment on; nothing, where C{version} is empty."""
