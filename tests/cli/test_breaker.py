"""C{llmproxy breaker}."""

from __future__ import annotations

from ..web.manage.test_breaker import CLOSED, OPEN, BreakerManageTestCase
from .api import CommandTestCase


class BreakerTests(BreakerManageTestCase, CommandTestCase):
    def test_all_well(self) -> None:
        """A sentence says so."""
        self.assertEqual(self.invoke("breaker", "list").stdout, "All circuits are closed.\n")

    def test_list(self) -> None:
        """A line a circuit: what is not asked, why, and for how long."""
        self.metrics.circuits = lambda: [CLOSED, OPEN]
        lines = self.invoke("breaker", "list").stdout.splitlines()
        (opened,) = [line for line in lines if "p-2" in line]
        for word in ("openai", "open", "5", "12s", "refused"):
            self.assertIn(word, opened)

    def test_json(self) -> None:
        """Scripts get the server's answer."""
        self.metrics.circuits = lambda: [OPEN]
        self.assertEqual(self.said("breaker", "list")[0]["project_id"], "p-2")
