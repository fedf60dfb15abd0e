"""Tests for L{llmproxy.management.limits}; what the API makes of it is in tests/web/manage/test_limits.py."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import Rule, UsageLimitSettings
from llmproxy.errors import BadRequest, Unavailable, Unprocessable
from llmproxy.management.limits import (
    Left,
    NothingLimited,
    changes_of,
    check_together,
    check_with_defaults,
    checked,
    left_of,
)
from llmproxy.message import Project, Token
from llmproxy.usagelimits import UNSET, UsageLimits

from ..tables import row


class CheckedTests(SynchronousTestCase):
    def test_values(self) -> None:
        """What JSON says becomes what limits are; no limit and nothing said stay."""
        for name, said, expected in (
            ("max_budget", "0.50", Decimal("0.50")),
            ("rpm_limit", 5, 5),
            ("models", ["a"], ("a",)),
            ("source_addresses", ["2001:DB8::1"], ("2001:db8::1",)),
            ("downgrade", {"a": "b"}, (("a", "b"),)),
            ("apis", ["openai"], ("openai",)),
            ("endpoints", None, None),
            ("tpm_limit", UNSET, UNSET),
        ):
            with row(name, said):
                self.assertEqual(checked({name: said}, ("openai",)), {name: expected})

    def test_unknown_api(self) -> None:
        """A name that no API has allows nothing: it is refused where APIs are known."""
        error = self.assertRaises(Unprocessable, checked, {"apis": ["opnai"]}, ("openai",))
        self.assertIn("openai", error.description)
        self.assertEqual(checked({"apis": ["opnai"]}, None), {"apis": ("opnai",)})

    def test_together(self) -> None:
        """What holds of a budget needs one; a default may give it to a token."""
        limits = UsageLimits(hard_budget=True)
        check_together(limits, defaults=True)
        self.assertRaises(Unprocessable, check_together, limits, defaults=False)

    def test_with_defaults(self) -> None:
        """Where the configuration is known, its defaults are what a token's limits need, or contradict."""
        for limits, knows, wrong in (
            (UsageLimits(hard_budget=True), NothingLimited(), False),
            (UsageLimits(hard_budget=True), _Away(), False),
            (UsageLimits(hard_budget=True), _Serving(), True),
            (UsageLimits(over_budget="warn"), _Serving(), True),
            (UsageLimits(soft_budget=Decimal(2)), _Away(), True),
            (UsageLimits(soft_budget=Decimal(2)), _Serving(), False),
            (UsageLimits(hard_budget=True, max_budget=Decimal(2)), _Serving(), False),
        ):
            with row(self, (limits, knows)):
                if wrong:
                    self.assertRaises(Unprocessable, check_with_defaults, limits, knows)
                else:
                    check_with_defaults(limits, knows)

    def test_changes(self) -> None:
        """A field is changed or says nothing any more, not both."""
        self.assertEqual(changes_of({"rpm_limit": 1}, ["tpm_limit"]), {"rpm_limit": 1, "tpm_limit": UNSET})
        self.assertRaises(BadRequest, changes_of, {"rpm_limit": None}, ["rpm_limit"])


class _Away:
    settings = UsageLimitSettings(UsageLimits(rpm_limit=5, max_budget=Decimal(1), budget_duration="1d"))

    def left(self, rules: Sequence[Rule]) -> Deferred[Sequence[Left]]:
        return fail(Unavailable("limits"))


class _Serving(_Away):
    settings = UsageLimitSettings()


class LeftTests(SynchronousTestCase):
    def test_away(self) -> None:
        """While the store of limits cannot be asked it is still said which limits hold, and when budgets begin anew."""
        token = Token("t", "00", "sk-…", "p", None)
        finding = Deferred.fromCoroutine(left_of(_Away(), Project("p", "team"), token, 86_400.0 * 5 + 7))
        requests, money = self.successResultOf(finding)
        self.assertEqual((requests.rule.kind, requests.amount, requests.resets_at), ("requests", None, None))
        self.assertEqual((money.rule.kind, money.amount, money.resets_at), ("money", None, 86_400.0 * 6))


class NothingLimitedTests(SynchronousTestCase):
    def test_left(self) -> None:
        """A process that serves nobody does not know what is left."""
        rule = Rule("requests", "token:t", 5, "")
        self.assertEqual(self.successResultOf(NothingLimited().left([rule])), [Left(rule, None, None)])
