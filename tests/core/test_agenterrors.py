"""Tests for L{llmproxy.core.agenterrors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agenterrors import for_program
from llmproxy.errors import ProxyError
from llmproxy.limiterrors import BudgetExceeded, EndpointNotAllowed, ModelNotAllowed

CLAUDE = "claude-cli/2.1.197 (external, cli)"


class ForProgramTests(SynchronousTestCase):
    def test_statuses(self) -> None:
        """A model that is not allowed is a wrong request for Claude Code, and for nobody else."""
        refused = ModelNotAllowed("x is not among models", fields=((b"a", b"b"),))
        rows: tuple[tuple[ProxyError, str, str, int], ...] = (
            (refused, "anthropic", CLAUDE, 400),
            (refused, "anthropic", "anthropic/python 1", 403),
            (refused, "anthropic", "", 403),
            (refused, "openai", CLAUDE, 403),
            (EndpointNotAllowed("x"), "anthropic", CLAUDE, 403),
            (BudgetExceeded("x"), "anthropic", CLAUDE, 429),
        )
        for error, dialect, agent, status in rows:
            self.assertEqual(for_program(error, dialect, agent).status, status, (error, dialect, agent))
        found = for_program(refused, "anthropic", CLAUDE)
        self.assertEqual(
            (found.code, found.description, found.fields), (refused.code, refused.description, refused.fields)
        )
