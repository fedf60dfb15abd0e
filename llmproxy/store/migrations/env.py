"""Alembic's environment: the connection is handed over by L{llmproxy.store.engine}."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
