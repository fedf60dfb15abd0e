"""Rules that hold for a request."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import (
    PICO,
    Asking,
    LimitRule,
    Rule,
    UsageLimitSettings,
    effective,
    needs_body,
    network_of,
)
from llmproxy.message import Project, Token
from llmproxy.record import Attribution
from llmproxy.usagelimits import UsageLimits

from ...tables import row

TEAM = Project("p1", "team")
CI = Token("t1", "00", "hint", "p1", None, name="ci")


def _asking(token: dict[str, Any] | None = None, project: dict[str, Any] | None = None, **said: Any) -> Asking:
    limited = evolve(CI, limits=UsageLimits(**(token or {})))
    return Asking(evolve(TEAM, limits=UsageLimits(**(project or {}))), limited, **{"api": "openai", **said})


def _found(settings: UsageLimitSettings, asking: Asking) -> set[tuple[str, str, int]]:
    return {(rule.kind, rule.scope, rule.limit) for rule in effective(settings, asking)}


class EffectiveTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """Who has no limit meets no rule."""
        self.assertEqual(effective(UsageLimitSettings(), _asking()), ())

    def test_defaults_are_of_tokens(self) -> None:
        """A default holds where the token says nothing; null is no limit; a project has limits of its own beside."""
        settings = UsageLimitSettings(UsageLimits(rpm_limit=600, max_parallel_requests=50))
        for token, project, expected in (
            ({}, {}, {("requests", "token:t1", 600), ("parallel", "token:t1", 50)}),
            ({"rpm_limit": 700}, {}, {("requests", "token:t1", 700), ("parallel", "token:t1", 50)}),
            ({"rpm_limit": None}, {}, {("parallel", "token:t1", 50)}),
            (
                {"rpm_limit": None, "max_parallel_requests": None},
                {"rpm_limit": 5},
                {("requests", "project:p1", 5)},
            ),
            ({"rpm_limit": 0, "max_parallel_requests": None}, {}, {("requests", "token:t1", 0)}),
        ):
            with row(token, project):
                self.assertEqual(_found(settings, _asking(token, project)), expected)

    def test_people(self) -> None:
        """What somebody may use who is signed in is one, however many devices there are; so is a rule per person."""
        settings = UsageLimitSettings(rules=(LimitRule(UsageLimits(rpm_limit=3), per="person"),))
        asking = _asking({"rpm_limit": 9, "max_budget": Decimal(1)})
        assert asking.token is not None
        theirs = evolve(asking, token=evolve(asking.token, person_id="o1", budget_reset_at=5.0))
        dollar = 10**12
        self.assertEqual(_found(settings, theirs), {("requests", "person:o1", 3), ("money", "person:o1", dollar)})
        self.assertEqual(_found(settings, asking), {("requests", "token:t1", 9), ("money", "token:t1", dollar)})
        [money] = [rule for rule in effective(settings, theirs) if rule.kind == "money"]
        self.assertEqual((money.since, money.source), (5.0, "max_budget of the person who is signed in"))

    def test_money(self) -> None:
        """A budget is whole steps of the ledger's; without a duration it is for ever."""
        said = {"max_budget": Decimal("0.05"), "soft_budget": Decimal("0.04"), "hard_budget": True}
        asking = _asking(said, {"max_budget": Decimal(50), "budget_duration": "1mo"})
        mine, ours = effective(UsageLimitSettings(), asking)
        self.assertEqual((mine.limit, mine.soft, mine.hard, mine.window), (PICO // 20, PICO // 25, True, "total"))
        self.assertEqual((ours.limit, ours.soft, ours.hard, ours.window), (50 * PICO, None, False, "1mo"))
        self.assertEqual(ours.source, "max_budget of the project 'team'")

    def test_soft_alone(self) -> None:
        """A soft budget alone refuses nothing."""
        (rule,) = effective(UsageLimitSettings(), _asking({"soft_budget": Decimal(3)}))
        self.assertEqual((rule.limit, rule.over_budget), (3 * PICO, "warn"))

    def test_rules(self) -> None:
        """Rules hold for what they select, and count what they say."""
        limits = UsageLimits(tpm_limit=9)
        for selection, said, scope in (
            ({"api": "openai", "model": "o3*"}, {"model": "o3-mini"}, "project:p1|api=openai|model=o3*"),
            ({"api": "openai", "model": "o3*"}, {"model": "gpt-5"}, None),
            ({"api": "openai", "model": "o3*"}, {}, None),
            ({"api": "azure"}, {}, None),
            ({"per": "token"}, {}, "token:t1"),
            ({"per": "all"}, {}, "all"),
            ({"per": "address"}, {"address": "2001:db8::1:2"}, "address:2001:db8::/64"),
            ({"project": "team"}, {}, "project:p1|project=team"),
            ({"project": "p1"}, {}, "project:p1|project=p1"),
            ({"project": "other"}, {}, None),
            ({"per": "user"}, {"attribution": Attribution(user="a b|c")}, "user:p1:a%20b%7Cc"),
            ({"per": "user"}, {}, None),
            ({"user": "eve"}, {"attribution": Attribution(user="eve")}, "project:p1|user=eve"),
            ({"per": "tag:customer"}, {"attribution": Attribution(tags={"customer": "x=y"})}, "tag:p1:customer=x%3Dy"),
            ({"per": "tag:customer"}, {"attribution": Attribution(tags={"job": "x"})}, None),
            ({"tags": {"job": "x"}}, {"attribution": Attribution(tags={"job": "x"})}, "project:p1|tag.job=x"),
            ({"tags": {"job": "x"}}, {"attribution": Attribution(tags={"job": "y"})}, None),
            ({"unauthenticated": True, "per": "address"}, {}, None),
        ):
            with row(selection, said):
                settings = UsageLimitSettings(rules=(LimitRule(limits, **selection),))
                expected = set() if scope is None else {("tokens", scope, 9)}
                self.assertEqual(_found(settings, _asking(**said)), expected)

    def test_unauthenticated(self) -> None:
        """Those without a token meet the rules for them, and no defaults."""
        rule = LimitRule(UsageLimits(rpm_limit=60), per="address", unauthenticated=True)
        settings = UsageLimitSettings(UsageLimits(rpm_limit=1), (rule, LimitRule(UsageLimits(rpm_limit=2), per="all")))
        asking = Asking(None, None, address="192.0.2.1")
        self.assertEqual(_found(settings, asking), {("requests", "address:192.0.2.1", 60)})

    def test_tightest_of_a_scope(self) -> None:
        """Of several in a scope the tightest holds, by kind and by window; its source is in the words."""
        some = LimitRule(UsageLimits(max_budget=Decimal(5), soft_budget=Decimal(1), budget_duration="1d"), per="token")
        more = LimitRule(UsageLimits(rpm_limit=9), per="token")
        settings = UsageLimitSettings(rules=(some, more))
        asking = _asking({"rpm_limit": 7, "max_budget": Decimal(2), "budget_duration": "1d", "hard_budget": True})
        requests, money = sorted(effective(settings, asking), key=lambda rule: rule.kind, reverse=True)
        self.assertEqual((requests.limit, requests.source), (7, "rpm_limit of the token 'ci'"))
        self.assertEqual((money.limit, money.soft, money.hard), (2 * PICO, PICO, True))
        other = effective(settings, _asking({"max_budget": Decimal(2), "budget_duration": "1mo"}))
        self.assertEqual(sum(rule.kind == "money" for rule in other), 2)

    def test_strictest_of_a_scope(self) -> None:
        """A budget that only warns, or that asks for another model, never stands for one that refuses."""
        for said, rule, limit, over, soft in (
            ({"soft_budget": Decimal(3)}, {"max_budget": Decimal(5)}, 5, "refuse", 3),
            ({"max_budget": Decimal(3), "over_budget": "warn"}, {"max_budget": Decimal(5)}, 5, "refuse", 3),
            ({"max_budget": Decimal(5)}, {"soft_budget": Decimal(3)}, 5, "refuse", 3),
            ({"max_budget": Decimal(3)}, {"max_budget": Decimal(5), "over_budget": "warn"}, 3, "refuse", None),
            ({"max_budget": Decimal(3), "over_budget": "downgrade"}, {"max_budget": Decimal(5)}, 3, "refuse", None),
            ({"soft_budget": Decimal(3)}, {"soft_budget": Decimal(2)}, 2, "warn", 2),
        ):
            with row(said, rule):
                settings = UsageLimitSettings(rules=(LimitRule(UsageLimits(**rule), per="token"),))  # type: ignore[arg-type]
                (found,) = effective(settings, _asking(said))  # type: ignore[arg-type]
                steps = None if soft is None else soft * PICO
                self.assertEqual((found.limit, found.over_budget, found.soft), (limit * PICO, over, steps))

    def test_words(self) -> None:
        """A refusal by a rule says for people which it is."""
        rule = LimitRule(UsageLimits(rpm_limit=1), api="openai", model="o3*", tags={"team": "a"})
        asking = _asking(model="o3", attribution=Attribution(tags={"team": "a"}))
        (found,) = effective(UsageLimitSettings(rules=(rule,)), asking)
        self.assertEqual(found.source, "rpm_limit of the rule per project (api openai, model o3*, tag team=a)")

    def test_store_failure(self) -> None:
        """A rule may say for itself what holds while the store is away."""
        settings = UsageLimitSettings(
            UsageLimits(rpm_limit=1), (LimitRule(UsageLimits(tpm_limit=1), on_store_failure="closed"),), "open"
        )
        self.assertEqual([rule.on_store_failure for rule in effective(settings, _asking())], ["open", "closed"])

    def test_needs_body(self) -> None:
        """Bodies are read where tokens, money, models or users count, and nowhere else."""
        for token, rule, needed in (
            ({"rpm_limit": 1}, None, False),
            ({"tpm_limit": 1}, None, True),
            ({"max_budget": Decimal(1)}, None, True),
            ({"soft_budget": Decimal(1)}, None, True),
            ({}, LimitRule(UsageLimits(rpm_limit=1), model="o3*"), True),
            ({}, LimitRule(UsageLimits(rpm_limit=1), model="o3*", api="azure"), False),
            ({}, LimitRule(UsageLimits(rpm_limit=1), per="user"), True),
            ({}, LimitRule(UsageLimits(rpm_limit=1)), False),
        ):
            with row(token, rule):
                settings = UsageLimitSettings(rules=() if rule is None else (rule,))
                self.assertIs(needs_body(settings, _asking(token)), needed)


class RuleTests(SynchronousTestCase):
    def test_set_back(self) -> None:
        """A budget that was set back is counted anew, and its window begins then."""
        before = Rule("money", "token:t1", 5, "", "1d")
        after = evolve(before, since=86_400.0 * 10 + 5)
        self.assertNotEqual(before.key, after.key)
        self.assertEqual(after.span(86_400.0 * 10 + 9), (86_400.0 * 10 + 5, 86_400.0 * 11))
        self.assertEqual(after.span(86_400.0 * 12), (86_400.0 * 12, 86_400.0 * 13))


class NetworkTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Who has a network of IPv6 has no address more than others."""
        for address, expected in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("unix", "unix"),
            ("", ""),
        ):
            with row(address):
                self.assertEqual(network_of(address), expected)
