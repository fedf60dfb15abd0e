"""Tests of L{llmproxy.middleware.limitrules}."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import LimitRule, UsageLimitSettings
from llmproxy.message import ApiRequest, Principal
from llmproxy.middleware.limitrules import MOST_MODELS, LimitRules
from llmproxy.usagelimits import UsageLimits

from .fakes import PRINCIPAL, a_request, an_api

API = an_api()


def asked(principal: Principal = PRINCIPAL, client: str = "") -> ApiRequest:
    request = a_request(api=API, principal=principal)
    request.client = client
    return request


def limited(**limits: int) -> Principal:
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
        self.assertIs(rules.of(asked(principal), "m"), rules.of(asked(principal), "m"))
        self.assertEqual([each.limit for each in rules.of(asked(limited(rpm_limit=6)), "m")], [6])

    def test_bounded(self) -> None:
        """However many models a client names."""
        rules = LimitRules(UsageLimitSettings())
        principal = limited(rpm_limit=5)
        first = rules.of(asked(principal), "0")
        for number in range(MOST_MODELS + 1):
            rules.of(asked(principal), str(number))
        self.assertIsNot(rules.of(asked(principal), "0"), first)

    def test_by_address(self) -> None:
        """What a rule counts by address is that of each request."""
        rules = LimitRules(UsageLimitSettings(rules=(LimitRule(UsageLimits(rpm_limit=1), "address"),)))
        scopes = [rules.of(asked(client=each), "m")[0].scope for each in ("192.0.2.1", "192.0.2.2")]
        self.assertEqual(scopes, ["address:192.0.2.1", "address:192.0.2.2"])

    def test_body(self) -> None:
        """A body is needed for tokens and money, and for nothing else that a token has."""
        rules = LimitRules(UsageLimitSettings())
        needs = [rules.need_body(asked(limited(**each))) for each in ({"rpm_limit": 1}, {"tpm_limit": 1})]
        self.assertEqual(needs, [False, True])
