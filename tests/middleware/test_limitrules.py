"""Tests of L{llmproxy.middleware.limitrules}."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import LimitRule, UsageLimitSettings
from llmproxy.message import ApiRequest, Attribution, Principal
from llmproxy.middleware.limitrules import MOST_KINDS, MOST_MODELS, MOST_OF_KIND, LimitRules, Plan
from llmproxy.usagelimits import UsageLimits

from .fakes import PRINCIPAL, a_request, an_api

API = an_api()


def asked(principal: Principal = PRINCIPAL, client: str = "") -> ApiRequest:
    request = a_request(api=API, principal=principal)
    request.client = client
    return request


def plan(rules: LimitRules, request: ApiRequest, model: str = "m") -> Plan:
    return rules.plan(rules.of(request), request, model)


def limited(**limits: Any) -> Principal:
    return Principal(evolve(PRINCIPAL.token, limits=UsageLimits(**limits)), PRINCIPAL.project)


class LimitRulesTests(SynchronousTestCase):
    def test_always(self) -> None:
        """Defaults and rules hold for those of whom nothing is stated; rules for strangers do not."""
        strangers = LimitRule(UsageLimits(rpm_limit=1), "address", unauthenticated=True)
        rows = (
            (UsageLimitSettings(), False),
            (UsageLimitSettings(UsageLimits(rpm_limit=1)), True),
            (UsageLimitSettings(rules=(LimitRule(UsageLimits(rpm_limit=1)),)), True),
            (UsageLimitSettings(rules=(strangers,)), False),
        )
        for settings, expected in rows:
            self.assertEqual(LimitRules(settings).always, expected, settings)

    def test_remembered(self) -> None:
        """They are looked up once for each principal and model, and anew for one that was changed."""
        rules = LimitRules(UsageLimitSettings())
        principal = limited(rpm_limit=5)
        self.assertIs(plan(rules, asked(principal)), plan(rules, asked(principal)))
        self.assertEqual([each.limit for each in plan(rules, asked(limited(rpm_limit=6))).rules], [6])

    def test_bounded(self) -> None:
        """However many models a client names."""
        rules = LimitRules(UsageLimitSettings())
        principal = limited(rpm_limit=5)
        first = plan(rules, asked(principal), "0")
        for number in range(MOST_MODELS + 1):
            plan(rules, asked(principal), str(number))
        self.assertIsNot(plan(rules, asked(principal), "0"), first)
        self.assertLessEqual(len(rules.of(asked(principal))), MOST_MODELS)

    def test_bounded_kinds(self) -> None:
        """However many addresses it comes from, and models it names there."""
        rules = LimitRules(UsageLimitSettings(rules=(LimitRule(UsageLimits(rpm_limit=1), "address"),)))
        principal = limited(rpm_limit=5)
        first = rules.of(asked(principal, "192.0.2.0"))
        for number in range(MOST_KINDS + 1):
            request = asked(principal, f"192.0.2.{number}")
            for model in range(MOST_OF_KIND + 1):
                plan(rules, request, str(model))
            self.assertLessEqual(len(rules.of(request)), MOST_OF_KIND, number)
        self.assertIsNot(rules.of(asked(principal, "192.0.2.0")), first)

    def test_by_address(self) -> None:
        """What a rule counts by address is that of each request."""
        rules = LimitRules(UsageLimitSettings(rules=(LimitRule(UsageLimits(rpm_limit=1), "address"),)))
        scopes = [plan(rules, asked(client=each)).rules[0].scope for each in ("192.0.2.1", "192.0.2.2")]
        self.assertEqual(scopes, ["address:192.0.2.1", "address:192.0.2.2"])

    def test_by_what_is_said(self) -> None:
        """What a rule counts by users and tags is those of each request, and nothing else makes a difference."""
        limits = UsageLimits(rpm_limit=1)
        rules = LimitRules(
            UsageLimitSettings(
                rules=(
                    LimitRule(limits, "user"),
                    LimitRule(limits, "tag:team"),
                    LimitRule(limits, tags={"env": "test"}),
                )
            )
        )

        def scopes(**said: Any) -> list[str]:
            request = asked()
            request.record.attribution = Attribution(**said)
            return [rule.scope.partition("|")[0] for rule in plan(rules, request).rules]

        for _ in range(2):
            self.assertEqual(scopes(), [])
            self.assertEqual(scopes(user="ada"), ["user:p-1:ada"])
            self.assertEqual(scopes(user="bob"), ["user:p-1:bob"])
            self.assertEqual(scopes(tags={"team": "a"}), ["tag:p-1:team=a"])
            self.assertEqual(scopes(tags={"team": "b", "env": "prod"}), ["tag:p-1:team=b"])
            self.assertEqual(scopes(tags={"env": "test"}), ["project:p-1"])
        same = [asked(), asked(client="192.0.2.9")]
        same[1].record.attribution = Attribution(session="s", tags={"other": "x"})
        self.assertIs(plan(rules, same[0]), plan(rules, same[1]))

    def test_body(self) -> None:
        """A body is needed for tokens and money, and for nothing else that a token has."""
        rules = LimitRules(UsageLimitSettings())
        needs = [rules.of(asked(limited(**each))).needs_body for each in ({"rpm_limit": 1}, {"tpm_limit": 1})]
        self.assertEqual(needs, [False, True])


class PlanTests(SynchronousTestCase):
    LIMITS: dict[str, Any] = {"rpm_limit": 1, "tpm_limit": 9, "max_parallel_requests": 1, "max_budget": Decimal(1)}

    def plan(self, *names: str) -> Plan:
        rules = LimitRules(UsageLimitSettings())
        return plan(rules, asked(limited(**{name: self.LIMITS[name] for name in names})))

    def test_all(self) -> None:
        """Each part takes what is of its kind, and is settled by it."""
        every = self.plan(*self.LIMITS)
        self.assertEqual(
            [(each.rule.kind, each.amount) for each in every.parts(7, 8)],
            [("requests", 1), ("tokens", 7), ("parallel", 1), ("money", 8)],
        )
        self.assertEqual(every.used(5, None), [None, 5, None, None])
        self.assertEqual((every.fixed, every.uses, every.has_money, every.key), (None, True, True, ("openai", "m")))

    def test_fixed(self) -> None:
        """What is the same for each request is made once."""
        fixed = self.plan("rpm_limit", "max_parallel_requests")
        self.assertEqual(
            [(each.rule.kind, each.amount) for each in fixed.fixed or ()], [("requests", 1), ("parallel", 1)]
        )
        self.assertEqual((fixed.uses, fixed.used(1, 1)), (False, [None, None]))

    def test_again(self) -> None:
        """A further call to upstream is no further request of its client."""
        again = self.plan(*self.LIMITS).again(API)
        self.assertEqual([rule.kind for rule in again.rules], ["tokens", "parallel", "money"])
        self.assertEqual(self.plan("rpm_limit").again(API).rules, ())
