"""
Keys of a project by API, and which API the one key belongs to that a project had.

The column C{api_key} stays: it holds the first key of the API that C{api_key_for} names, so that an earlier release
beside this one goes on working. C{NULL} is a key of which nobody has said yet whose it is, C{''} one that is for none.

Each statement can be repeated, as in revision 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from llmproxy.store.migrations.steps import drop_columns, drop_tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_EXACT = sa.String(64).with_variant(mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    if "api_key_for" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("projects")}:
        op.add_column("projects", sa.Column("api_key_for", _EXACT))
    op.create_table(
        "project_keys",
        sa.Column("project_id", _EXACT, primary_key=True),
        sa.Column("api", _EXACT, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("api_key", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_project_keys_project_id", ondelete="CASCADE"),
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_tables("project_keys")
    drop_columns("projects", "api_key_for")
