"""How many statements pages make: L{tests.admin.everypage} with SQLite; with servers see tests/integration."""

from __future__ import annotations

from .everypage import EveryPageCase


class StatementsTests(EveryPageCase):
    async def test_every_page(self) -> None:
        """No page asks the database more than twenty times."""
        await self.look_at_all()
