"""Tests for L{llmproxy.config.identity}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.identity import ClaimsConfig, GrantConfig, IdentityConfig, MatchConfig, ProviderConfig
from llmproxy.core.people.claims import ClaimNames
from llmproxy.core.people.grants import GrantRule, Match
from llmproxy.usagelimits import UsageLimits

ISSUER = "https://id.example.com"


class IdentityConfigTests(SynchronousTestCase):
    def test_secret(self) -> None:
        """The secret of a client is shown nowhere."""
        self.assertNotIn("canary", repr(IdentityConfig((ProviderConfig("a", ISSUER, "c", "canary-secret"),))))

    def test_conflicts(self) -> None:
        """What does not go together is named by its key."""
        one, other = ProviderConfig("a", ISSUER, "c"), ProviderConfig("b", ISSUER + "/b", "c")
        rule = GrantConfig(project="p")
        for config, keys in (
            (IdentityConfig(), ["providers"]),
            (IdentityConfig((one,)), ["rules"]),
            (IdentityConfig((one, other), (rule,)), []),
            (IdentityConfig((one, ProviderConfig("a", ISSUER + "/x")), (rule,)), ["providers[1].name"]),
            (IdentityConfig((one, ProviderConfig("c", ISSUER)), (rule,)), ["providers[1].issuer"]),
            (
                IdentityConfig((one,), (rule, GrantConfig(MatchConfig(provider=("x",)), "p"))),
                ["rules[1].match.provider"],
            ),
        ):
            self.assertEqual([key for key, _ in config.conflicts()], keys, config)

    def test_compiled(self) -> None:
        """A rule, ready to be asked; models are a limit like the others."""
        match = MatchConfig(("a",), ("g",), ("*@x",), {"c": ("v",)})
        config = GrantConfig(match, "p", "owner", ("m",), UsageLimits(rpm_limit=1), ("s",))
        rule = GrantRule(
            Match(("a",), ("g",), ("*@x",), {"c": ("v",)}),
            "p",
            "owner",
            UsageLimits(rpm_limit=1, models=("m",)),
            ("s",),
        )
        self.assertEqual(IdentityConfig(rules=(config,)).grant_rules(), (rule,))
        self.assertEqual(ClaimsConfig("oid").names(), ClaimNames("oid"))

    def test_words(self) -> None:
        """Who is let in, and to what, in lines."""
        rules = (
            GrantConfig(MatchConfig(groups=("eng-*", "ops"), email=("*@x",)), "engineering", models=("gpt-*",)),
            GrantConfig(role="auditor", groups=("all",)),
            GrantConfig(MatchConfig(claims={"dep": ("x",)}), deny=True),
        )
        providers = (
            ProviderConfig("corp", "https://id", "us", audiences=("llm",)),
            ProviderConfig("b", "https://b", "us"),
        )
        self.assertEqual(
            list(IdentityConfig(providers, rules).words()),
            [
                "identity: corp (https://id), access tokens for llm are taken",
                "identity: b (https://b), no access tokens",
                "  rule 1: groups eng-* or ops and email *@x: project engineering, models gpt-*",
                "  rule 2: everybody: role auditor, groups all",
                "  rule 3: dep x: refused",
            ],
        )
