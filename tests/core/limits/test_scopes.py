"""Tests of L{llmproxy.core.limits.scopes}."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.scopes import counts, question_of
from llmproxy.core.limits.values import Asking, LimitRule, Rule, UsageLimitSettings, effective
from llmproxy.core.reports import UsageQuestion
from llmproxy.message import Attribution, Project, Token
from llmproxy.usagelimits import UsageLimits
from tests.tables import row

ASKING = Asking(
    Project("p", "one"),
    Token("t", "00", "sk-…", "p", None, person_id="o"),
    "openai",
    "gpt-4o",
    "192.0.2.1",
    Attribution(user="ann b", tags={"team": "a=b|c"}),
)

ROWS: dict[str, tuple[dict[str, Any], dict[str, Any] | None, list[tuple[dict[str, Any], bool]]]] = {
    "token": ({"per": "token"}, {"tokens": ("t",)}, [({}, True)]),
    "project": ({"per": "project", "api": "openai"}, {"projects": ("p",), "apis": ("openai",)}, [({}, True)]),
    "all": ({"per": "all", "model": "gpt-4o"}, {"models": ("gpt-4o",)}, [({}, True)]),
    "pattern": (
        {"per": "token", "model": "gpt*"},
        {"tokens": ("t",), "group_by": ("model",)},
        [({"model": "gpt-5"}, True), ({"model": "o3"}, False), ({"model": None}, False)],
    ),
    "user": (
        {"per": "user"},
        {"projects": ("p",), "group_by": ("user",)},
        [({"user": "ann b"}, True), ({"user": "bob"}, False), ({"user": None}, False)],
    ),
    "tag": (
        {"per": "tag:team"},
        {"projects": ("p",), "group_by": ("tag:team",)},
        [({"tag:team": "a=b|c"}, True), ({"tag:team": "a"}, False)],
    ),
    "of a user": (
        {"per": "token", "user": "ann b"},
        {"tokens": ("t",), "group_by": ("user",)},
        [({"user": "ann b"}, True), ({"user": ""}, False)],
    ),
    "of a tag": (
        {"per": "all", "tags": {"team": "a=b|c"}},
        {"group_by": ("tag:team",)},
        [({"tag:team": "a=b|c"}, True), ({"tag:team": None}, False)],
    ),
    "of two": ({"per": "user", "tags": {"team": "a=b|c"}}, None, []),
    "person": ({"per": "person", "model": "gpt-4o"}, {"persons": ("o",), "models": ("gpt-4o",)}, [({}, True)]),
    "of a person's user": ({"per": "person", "user": "ann b"}, None, []),
    "address": ({"per": "address"}, None, []),
}


class ScopeTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What a rule counts together is asked for by what records have of it."""
        for name, (how, expected, keys) in ROWS.items():
            with row(name):
                settings = UsageLimitSettings(rules=(LimitRule(UsageLimits(max_budget=Decimal(1)), **how),))
                (rule,) = effective(settings, ASKING)
                found = None if expected is None else UsageQuestion(since=7.0, until=9.0, **expected)
                self.assertEqual(question_of(rule, 7.0, 9.0), found)
                self.assertEqual([counts(rule, each) for each, _ in keys], [fits for _, fits in keys])

    def test_unknown(self) -> None:
        """A scope of a kind that nobody knows is asked for nowhere."""
        self.assertIsNone(question_of(Rule("money", "planet:mars", 1, ""), None))
