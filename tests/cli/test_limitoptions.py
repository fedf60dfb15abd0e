"""Limits on the command line."""

from __future__ import annotations

from ..tables import row
from .api import CommandTestCase

OPTIONS = [
    *("--rpm-limit", "60", "--tpm-limit", "none", "--max-parallel-requests", "5"),
    *("--max-budget", "50", "--budget-duration", "1mo", "--soft-budget", "40.5", "--hard-budget", "true"),
    *("--over-budget", "downgrade", "--downgrade", "gpt-5=gpt-5-mini"),
    *("--model", "gpt-4o*", "--model", "gpt-5", "--endpoint", "/v1/chat/completions"),
    *("--source-address", "10.0.0.0/8"),
]
STATED = {
    "rpm_limit": 60,
    "tpm_limit": None,
    "max_parallel_requests": 5,
    "max_budget": "50",
    "budget_duration": "1mo",
    "soft_budget": "40.5",
    "hard_budget": True,
    "over_budget": "downgrade",
    "downgrade": {"gpt-5": "gpt-5-mini"},
    "models": ["gpt-4o*", "gpt-5"],
    "endpoints": ["/v1/chat/completions"],
    "source_addresses": ["10.0.0.0/8"],
}


class LimitOptionTests(CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.project_id = self.project()

    def test_token(self) -> None:
        """A token is made with limits, and they are changed, lifted and unsaid one by one."""
        made = self.said("token", "create", "--project", self.project_id, *OPTIONS)
        shown = self.said("token", "get", made["id"])
        self.assertEqual({name: shown.get(name, "unsaid") for name in STATED}, STATED)
        changed = self.said(
            "token", "update", made["id"], "--rpm-limit", "none", "--model", "default", "--tpm-limit", "9"
        )
        self.assertEqual((changed["rpm_limit"], changed["tpm_limit"], "models" in changed), (None, 9, False))
        self.assertEqual(changed["max_budget"], "50")
        lines = self.invoke("token", "get", made["id"]).stdout
        for expected in ("rpm_limit", "no limit", "gpt-5: gpt-5-mini", "10.0.0.0/8"):
            self.assertIn(expected, lines)

    def test_project(self) -> None:
        """Projects have the same options."""
        made = self.said("project", "create", "--name", "limited", "--no-api-key", *OPTIONS)
        self.assertEqual({name: made.get(name, "unsaid") for name in STATED}, STATED)
        changed = self.said("project", "update", "limited", "--source-address", "none", "--endpoint", "default")
        self.assertEqual((changed["source_addresses"], "endpoints" in changed), (None, False))

    def test_reset(self) -> None:
        """What was spent is set back by hand."""
        token, _ = self.token(self.project_id)
        self.assertIn("budget_reset_at", self.said("token", "reset-budget", token))
        self.assertIn("budget_reset_at", self.said("project", "reset-budget", self.project_id))
        self.assertIn("Budget set back", self.invoke("token", "get", token).stdout)

    def test_wrong(self) -> None:
        """What is no limit is an error of use, or refused by the server with the name of the field."""
        token, _ = self.token(self.project_id)
        for options, code in (
            (("--rpm-limit", "many"), 2),
            (("--rpm-limit", "-1"), 2),
            (("--hard-budget", "yes"), 2),
            (("--downgrade", "gpt-5"), 2),
            (("--model", "a", "--model", "none"), 2),
            (("--max-budget", "$5"), 1),
            (("--budget-duration", "month"), 1),
        ):
            with row(*options):
                self.assertEqual(self.invoke("token", "update", token, *options).exit_code, code)
