"""How many statements pages make, with each database server; with SQLite see tests/admin."""

from __future__ import annotations

from ..admin.everypage import EveryPageCase
from .databases import clean_database


class PostgreSQLTests(EveryPageCase):
    def database_url(self) -> str:
        return clean_database(self, "postgresql")

    async def test_every_page(self) -> None:
        """No page asks the database more than twenty times."""
        await self.look_at_all()


class MariaDBTests(EveryPageCase):
    def database_url(self) -> str:
        return clean_database(self, "mysql")

    async def test_every_page(self) -> None:
        """Likewise."""
        await self.look_at_all()
