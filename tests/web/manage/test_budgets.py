"""C{/manage/budgets}."""

from __future__ import annotations

from typing import Any

from llmproxy.management.budgets import Budget
from llmproxy.web.manage.budgets import BudgetRoutes

from .api import ManageTestCase

PICO = 10**12


class Rules:
    async def near_their_end(self, top: int) -> list[Budget]:
        self.top = top
        return [
            Budget("p1", "", "team a", 10 * PICO, -PICO // 2, 1_700_000_000.0),
            Budget("p1", "t1", "ci", 2 * PICO, PICO, None),
            Budget("p1", "", "Ann", 2 * PICO, PICO, None, "o1"),
        ][:top]


class BudgetsTests(ManageTestCase):
    def resource(self, *arguments: Any, **more: Any) -> Any:
        self.rules = Rules()
        return super().resource(*arguments, more=[BudgetRoutes(self.rules).routes()], **more)  # type: ignore[arg-type]

    def test_shown(self) -> None:
        """Money is exact, and a budget that was passed is used up."""
        first, second, third = self.ask("GET", "/budgets").json
        self.assertEqual((first["limit"], first["left"], first["used"]), ("10", "-0.5", 1.0))
        self.assertEqual((first["token_id"], first["resets_at"]), (None, "2023-11-14T22:13:20Z"))
        self.assertEqual((second["token_id"], second["used"], second["resets_at"]), ("t1", 0.5, None))
        self.assertEqual((third["token_id"], third["person_id"], third["name"]), (None, "o1", "Ann"))

    def test_top(self) -> None:
        """As many as are asked for, within bounds."""
        self.assertEqual(len(self.ask("GET", "/budgets?top=1").json), 1)
        for top in ("0", "101", "x"):
            self.refused(self.ask("GET", f"/budgets?top={top}"), 400, "invalid query")
