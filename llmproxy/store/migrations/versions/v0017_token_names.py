"""
An index that holds all that tokens are listed and searched by: a search for a name reads no token that has another.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

from alembic import op

from llmproxy.store.migrations.steps import drop_indexes

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["created_at", "id", "name", "is_active", "expires_at"]
    op.create_index("ix_tokens_name", "tokens", columns, if_not_exists=True)


def downgrade() -> None:
    drop_indexes("tokens", "ix_tokens_name")
