"""The contracts of the stores, on each of the three databases."""

from __future__ import annotations

from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database
from llmproxy.store.locations import locate
from llmproxy.store.migrate import config, migrate, revision_of
from llmproxy.store.schema import HEAD

from ..contracts.admin_store import AdminStoreContract, IdempotencyStoreContract
from ..contracts.audit import AuditContract
from ..contracts.project_store import ProjectStoreContract
from ..contracts.token_store import TokenStoreContract
from ..contracts.usage import UsageContract
from .databases import clean_database, new_database, opened_at


class _Opens:
    """Says how to C{open} a database for a contract."""

    kind: str
    clock: Any = None

    def open(self) -> Database:
        return opened_at(self, clean_database(self, self.kind), clock=self.clock)


class _Postgresql(_Opens):
    kind = "postgresql"


class _Mysql(_Opens):
    kind = "mysql"


class InterruptedTests(SynchronousTestCase):
    def test_upgraded_again(self) -> None:
        """
        An upgrade of MySQL that was interrupted anywhere is finished by the next start: it commits each change of
        a table by itself, so every revision has to find some of its work done.
        """
        location = locate(new_database(self, "mysql"), 1)
        engine = location.engine()
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            migrate(connection)
        names = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]
        for name in names[1:]:
            with engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = :name"), {"name": name})
            with engine.begin() as connection:
                migrate(connection)
                self.assertEqual(revision_of(connection), HEAD)


class PostgresqlProjectStoreTests(_Postgresql, ProjectStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlProjectStoreTests(_Mysql, ProjectStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlTokenStoreTests(_Postgresql, TokenStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlTokenStoreTests(_Mysql, TokenStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlUsageTests(_Postgresql, UsageContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlUsageTests(_Mysql, UsageContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlAdminStoreTests(_Postgresql, AdminStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlAdminStoreTests(_Mysql, AdminStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlIdempotencyStoreTests(_Postgresql, IdempotencyStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlIdempotencyStoreTests(_Mysql, IdempotencyStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlAuditTests(_Postgresql, AuditContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlAuditTests(_Mysql, AuditContract, SynchronousTestCase):
    """MariaDB."""
