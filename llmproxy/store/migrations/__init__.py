"""The history of the schema, for Alembic; see L{llmproxy.store.migrate}."""
