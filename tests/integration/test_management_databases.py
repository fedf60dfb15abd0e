"""The management API on PostgreSQL and MariaDB, driven with requests that are made from its document."""

from __future__ import annotations

from typing import Any

from llmproxy.store.database import Database

from ..web.manage import test_openapi
from .databases import clean_database, opened_at


class _Opens:
    kind: str
    clock: Any
    examples = 10

    def open(self) -> Database:
        return opened_at(self, clean_database(self, self.kind), clock=self.clock)


class PostgresqlDrivenTests(_Opens, test_openapi.DrivenTests):
    """PostgreSQL."""

    kind = "postgresql"


class MysqlDrivenTests(_Opens, test_openapi.DrivenTests):
    """MariaDB."""

    kind = "mysql"
