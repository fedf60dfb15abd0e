"""Alembic's entry point: runs the migrations on the connection that L{llmproxy.store.migrate} hands over."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """The transaction is the caller's, who holds the lock."""
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


# Alembic executes this file under its bare name; imported as a module of the package it does nothing.
if __name__ == "env_py":
    run()
