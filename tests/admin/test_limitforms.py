"""Limits as people type them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.limitforms import FIELDS, NAMES, changed, stated, texts
from llmproxy.admin.visit import Form
from llmproxy.usagelimits import FIELDS as ALL


def form(**values: str) -> Form:
    return Form({name: [value] for name, value in values.items()})


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("rpm_limit", "60", 60),
    ("max_budget", "0.25", "0.25"),
    ("budget_duration", "1mo", "1mo"),
    ("hard_budget", "true", True),
    ("over_budget", "warn", "warn"),
    ("models", "gpt-4o*\nclaude-3", ["gpt-4o*", "claude-3"]),
    ("downgrade", "gpt-5 = gpt-5-mini", {"gpt-5": "gpt-5-mini"}),
    ("tpm_limit", "none", None),
    ("apis", "none", None),
)


class LimitFormTests(SynchronousTestCase):
    def test_all(self) -> None:
        """A form has every limit that there is."""
        self.assertEqual(sorted(NAMES), sorted(ALL))

    def test_both_ways(self) -> None:
        """What is typed is what the API gets, and what it shows is what stands in the form."""
        for name, text, value in ROWS:
            self.assertEqual(stated(form(**{name: text})), {name: value}, name)
            self.assertEqual(texts({name: value})[name], text, name)

    def test_typed(self) -> None:
        """What is between groups of digits and around lines means nothing; what is no number the API refuses."""
        for name, text, value in (
            ("rpm_limit", " 1 000 ", 1000),
            ("rpm_limit", "1,000", 1000),
            ("rpm_limit", "1.000.000", 1_000_000),
            ("rpm_limit", "12'345", 12345),
            ("tpm_limit", "1\u202f000\u202f000", 1_000_000),
            ("rpm_limit", "1,00", "1,00"),
            ("rpm_limit", "1,000.5", "1,000.5"),
            ("rpm_limit", "1.000,000", "1.000,000"),
            ("rpm_limit", "0.5", "0.5"),
            ("rpm_limit", "0.500", "0.500"),
            ("rpm_limit", "000,500", "000,500"),
            ("max_budget", "1\u00a0000", "1000"),
            ("max_budget", "$ 5", "5"),
            ("max_budget", "12.50 usd", "12.50"),
            ("max_budget", "1 000", "1000"),
            ("max_budget", "1,50", "1,50"),
            ("max_budget", "$", "$"),
            ("rpm_limit", "-1", "-1"),
            ("rpm_limit", "many", "many"),
            ("rpm_limit", "None", None),
            ("models", "  a \n\n b\r\n", ["a", "b"]),
        ):
            self.assertEqual(stated(form(**{name: text})), {name: value}, text)

    def test_not_said(self) -> None:
        """An empty field says nothing, in a change nothing any more; one that the form lacks is left alone."""
        self.assertEqual(stated(form(rpm_limit="", models=" ")), {})
        self.assertEqual(changed(form(rpm_limit="", tpm_limit="5")), {"tpm_limit": 5, "unset_limits": ["rpm_limit"]})
        self.assertEqual(set(texts({}).values()), {""})
        self.assertEqual(len({each.label for each in FIELDS}), len(FIELDS))
