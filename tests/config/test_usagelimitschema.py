"""Limits of usage as a configuration has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import APIConfig
from llmproxy.config import APIProviderConfig, load_api_config
from llmproxy.config.usagelimits import LimitRuleConfig, UsageLimitsConfig
from llmproxy.core.limits.values import LimitRule, Overload, UsageLimitSettings
from llmproxy.errors import ConfigError
from llmproxy.usagelimits import UsageLimits

from ..tables import row

API = {"base_url": "http://127.0.0.1:9", "allowed_endpoints": ["/v1"], "allowed_methods": ["GET"]}


class ConfigCase(SynchronousTestCase):
    def read(self, usage: Any, **api: Any) -> UsageLimitsConfig:
        path = self.mktemp()
        with open(path, "w") as file:
            yaml.safe_dump({"apis": {"openai": {**API, **api}}, "default_api": "openai", "usage_limits": usage}, file)
        return load_api_config(path, env={}).usage_limits

    def problems(self, usage: Any, **api: Any) -> str:
        return str(self.assertRaises(ConfigError, self.read, usage, **api))


class ReadTests(ConfigCase):
    def test_issue(self) -> None:
        """What users will paste becomes what is looked up."""
        found = self.read(
            {
                "defaults": {"rpm_limit": 600, "max_parallel_requests": 50, "models": ["gpt-4o*"], "apis": ["openai"]},
                "rules": [
                    {"api": "openai", "model": "o3*", "per": "project", "tpm_limit": 200000},
                    {"per": "address", "unauthenticated": True, "rpm_limit": 60},
                    {
                        "per": "tag:customer",
                        "max_budget": "2.50",
                        "budget_duration": "1mo",
                        "on_store_failure": "closed",
                    },
                    {"project": "team", "max_budget": 500, "over_budget": "downgrade", "downgrade": {"a": "b"}},
                ],
                "on_store_failure": "open",
                "overload": {"exchanges": 5000, "queue": 200, "wait": "2s"},
                "time_zone": "Europe/Berlin",
                "rate_limit_fields": True,
                "budget_leases": False,
            }
        )
        self.assertIs(found.budget_leases, False)
        self.assertEqual(
            found.settings(),
            UsageLimitSettings(
                UsageLimits(rpm_limit=600, max_parallel_requests=50, models=("gpt-4o*",), apis=("openai",)),
                (
                    LimitRule(UsageLimits(tpm_limit=200000), "project", "openai", "o3*"),
                    LimitRule(UsageLimits(rpm_limit=60), "address", unauthenticated=True),
                    LimitRule(
                        UsageLimits(max_budget=Decimal("2.50"), budget_duration="1mo"),
                        "tag:customer",
                        on_store_failure="closed",
                    ),
                    LimitRule(
                        UsageLimits(max_budget=Decimal(500), over_budget="downgrade", downgrade=(("a", "b"),)),
                        project="team",
                    ),
                ),
                "open",
                Overload(5000, 200, 2.0),
                ZoneInfo("Europe/Berlin"),
                True,
            ),
        )

    def test_nothing(self) -> None:
        """Without the section, and with an empty one, nothing is limited."""
        for usage in (None, {}, {"defaults": None, "rules": []}, {"defaults": {"rpm_limit": None}}):
            with row(usage):
                self.assertEqual(self.read(usage).settings(), UsageLimitSettings())

    def test_wrong(self) -> None:
        """What is wrong is said with its place; what could not hold is refused."""
        for usage, place, word in (
            ({"default": {}}, "usage_limits.default", "defaults"),
            ({"defaults": {"rpm": 1}}, "usage_limits.defaults.rpm", "rpm_limit"),
            ({"defaults": {"rpm_limit": -1}}, "usage_limits.defaults.rpm_limit", "whole number"),
            ({"defaults": {"max_budget": "$5"}}, "usage_limits.defaults.max_budget", "USD"),
            ({"defaults": {"budget_duration": "1 month"}}, "usage_limits.defaults.budget_duration", "1mo"),
            ({"defaults": {"models": []}}, "usage_limits.defaults", "would allow nothing"),
            ({"defaults": {"apis": ["azure"]}}, "usage_limits.defaults", "unknown API 'azure'"),
            ({"defaults": {"endpoints": ["v1"]}}, "usage_limits.defaults.endpoints[0]", "path"),
            ({"defaults": {"source_addresses": ["10.0.0.1/8"]}}, "source_addresses[0]", "10.0.0.0/8"),
            ({"defaults": {"soft_budget": 2, "max_budget": 1}}, "usage_limits.defaults", "soft_budget"),
            ({"defaults": {"hard_budget": True}}, "usage_limits.defaults", "max_budget"),
            ({"rules": [{}]}, "usage_limits.rules[0]", "says no limit"),
            ({"rules": [{"budget_duration": "1d"}]}, "usage_limits.rules[0]", "says no limit"),
            ({"rules": [{"rpm_limit": 1, "per": "team"}]}, "usage_limits.rules[0].per", "tag:NAME"),
            ({"rules": [{"rpm_limit": 1, "per": "tag:"}]}, "usage_limits.rules[0].per", "tag:NAME"),
            ({"rules": [{"rpm_limit": 1, "api": "azure"}]}, "usage_limits.rules[0]", "unknown API 'azure'"),
            ({"rules": [{"rpm_limit": 1, "models": ["a"]}]}, "usage_limits.rules[0].models", "unknown key"),
            ({"rules": [{"rpm_limit": 1, "tags": {"A b": "x"}}]}, "usage_limits.rules[0].tags", "tag"),
            ({"rules": [{"rpm_limit": 1, "unauthenticated": True, "per": "project"}]}, "rules[0]", "per: address"),
            ({"rules": [{"tpm_limit": 1, "unauthenticated": True}]}, "rules[0]", "tpm_limit cannot hold"),
            ({"rules": [{"rpm_limit": 1, "unauthenticated": True, "model": "a"}]}, "rules[0]", "model cannot hold"),
            ({"rules": [{"max_budget": 1, "over_budget": "downgrade"}]}, "rules[0]", "downgrade names no model"),
            ({"on_store_failure": "maybe"}, "usage_limits.on_store_failure", "local"),
            ({"overload": {"queue": 5}}, "usage_limits.overload", "exchanges"),
            ({"overload": {"exchanges": 0}}, "usage_limits.overload.exchanges", "from 1"),
            ({"time_zone": "Mars/Base"}, "usage_limits.time_zone", "unknown time zone"),
        ):
            with row(usage):
                said = self.problems(usage)
                self.assertIn(place, said)
                self.assertIn(word, said)

    def test_attribution(self) -> None:
        """A rule for users or tags cannot hold where nobody looks at what requests say of themselves."""
        for rule in ({"per": "user"}, {"per": "tag:team"}, {"user": "x"}, {"tags": {"team": "x"}}):
            with row(rule):
                usage = {"rules": [{"rpm_limit": 1, **rule}]}
                self.assertIn("attribution is off", self.problems(usage, attribution=False))
                self.read(usage)


class ProgramTests(ConfigCase):
    def test_validated(self) -> None:
        """What a program says passes the readers of files, and is what it was."""
        api = APIProviderConfig(base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"])
        good = UsageLimitsConfig(
            UsageLimits(rpm_limit=5, tpm_limit=None, max_budget=Decimal("0.5"), models=("a",)),
            (LimitRuleConfig(max_budget=Decimal(1), over_budget="downgrade", downgrade=(("a", "b"),)),),
            overload=Overload(5),
        )
        APIConfig({"x": api}, "x", usage_limits=good).validate()
        for bad, word in (
            (UsageLimitsConfig(UsageLimits(rpm_limit="5")), "rpm_limit"),  # type: ignore[arg-type]
            (UsageLimitsConfig(UsageLimits(models=())), "would allow nothing"),
            (UsageLimitsConfig(time_zone="x"), "time zone"),
            (UsageLimitsConfig(rules=(LimitRuleConfig(),)), "says no limit"),
        ):
            with row(bad):
                config = APIConfig({"x": api}, "x", usage_limits=bad)
                self.assertIn(word, str(self.assertRaises(ConfigError, config.validate)))
