"""C{identity} in a file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import load_api_config
from llmproxy.config.identity import ClaimsConfig, IdentityConfig, MatchConfig
from llmproxy.errors import ConfigError
from llmproxy.usagelimits import UsageLimits

API = "default_api: a\napis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"

WHOLE = """
identity:
  public_url: https://llm.example.com
  providers:
    - name: corp
      label: Corporate account
      issuer: https://id.example.com/realms/corp
      client_id: llmproxy
      client_secret: ${OIDC_SECRET}
      scopes: [openid, groups]
      parameters: {access_type: offline, prompt: select_account consent}
      audiences: llmproxy-api
      clients: [cli]
      claims: {person: oid, groups: realm_access.roles}
      algorithms: [RS256, ES256]
      clock_skew: 2m
      check_every: 10m
      check_grace: off
      trust_email: yes
    - {name: dev, issuer: "http://127.0.0.1:9000", client_id: x}
  rules:
    - match: {provider: corp, groups: [eng-*, ops], email: "*@example.com", claims: {department: [research]}}
      project: engineering
      role: operator
      models: [gpt-*]
      limits: {max_budget: 20, budget_duration: 1d, apis: [a]}
      groups: staff
    - {match: {groups: contractors}, deny: true}
"""
ENV = {"OIDC_SECRET": "canary-of-the-client"}
ONE = "{name: a, issuer: 'https://i', client_id: c}"


class IdentitySchemaTests(SynchronousTestCase):
    def read(self, text: str) -> IdentityConfig | None:
        path = self.mktemp()
        Path(path).write_text(API + text)
        config = load_api_config(path, env=ENV)
        # In a program the same is right.
        config.validate()
        return config.identity

    def refused(self, text: str) -> str:
        return str(self.assertRaises(ConfigError, self.read, text))

    def test_as_people_write_it(self) -> None:
        """Everything that can be said; a value by itself need not be a list."""
        found = self.read(WHOLE)
        assert found is not None
        corp, dev = found.providers
        self.assertEqual((corp.issuer, corp.client_secret), ("https://id.example.com/realms/corp", ENV["OIDC_SECRET"]))
        self.assertEqual(
            (corp.scopes, corp.audiences, corp.clients), (("openid", "groups"), ("llmproxy-api",), ("cli",))
        )
        self.assertEqual(corp.parameters, {"access_type": "offline", "prompt": "select_account consent"})
        self.assertEqual(corp.claims, ClaimsConfig("oid", groups="realm_access.roles"))
        self.assertEqual((corp.algorithms, corp.clock_skew, corp.trust_email), (("RS256", "ES256"), 120.0, True))
        self.assertEqual((corp.check_every, corp.check_grace), (600.0, 0.0))
        self.assertEqual((dev.scopes, dev.audiences, dev.client_secret), (("openid", "profile", "email"), (), None))
        first, second = found.rules
        match = MatchConfig(("corp",), ("eng-*", "ops"), ("*@example.com",), {"department": ("research",)})
        self.assertEqual((first.match, first.project, first.role), (match, "engineering", "operator"))
        limits = UsageLimits(max_budget=Decimal(20), budget_duration="1d", apis=("a",))
        self.assertEqual((first.models, first.limits, first.groups), (("gpt-*",), limits, ("staff",)))
        self.assertEqual((second.match.groups, second.deny), (("contractors",), True))

    def test_off(self) -> None:
        """Nothing is said: nobody signs in."""
        for text in ("", "identity:"):
            self.assertIsNone(self.read(text), text)

    def test_wrong(self) -> None:
        """All that is wrong is said with its place, and no secret is shown."""
        rule = "rules: [{role: owner}]"
        for text, why in (
            ("identity: on", "expected a mapping"),
            ("identity: {}", "identity.providers: expected providers"),
            (f"identity: {{providers: [{ONE}]}}", "identity.rules: expected rules"),
            (f"identity: {{providers: [{{name: a}}], {rule}}}", "expected issuer"),
            (f"identity: {{providers: [{{issuer: 'https://i', client_id: c}}], {rule}}}", "expected name"),
            (f"identity: {{providers: [{{name: A/b, issuer: 'https://i', client_id: c}}], {rule}}}", "small letters"),
            (
                f"identity: {{providers: [{{name: a, issuer: 'http://i.org', client_id: c}}], {rule}}}",
                "expected https://",
            ),
            (f"identity: {{providers: [{{name: a, issuer: 'https://i?x=1', client_id: c}}], {rule}}}", "no query"),
            (f"identity: {{providers: [{{name: a, issuer: 'https://u:p@i', client_id: c}}], {rule}}}", "no user"),
            (
                f"identity: {{providers: [{ONE[:-1]}, client_secret: canary}}], {rule}}}",
                "expected ${VARIABLE} or file:",
            ),
            (f"identity: {{providers: [{ONE[:-1]}, algorithms: [HS256]}}], {rule}}}", "HS256 is never taken"),
            (f"identity: {{providers: [{ONE[:-1]}, algorithms: none}}], {rule}}}", "none is never taken"),
            (f"identity: {{providers: [{ONE[:-1]}, algorithms: [RS999]}}], {rule}}}", "expected one of RS256"),
            (f"identity: {{providers: [{ONE[:-1]}, algorithms: []}}], {rule}}}", "at least one value"),
            (f"identity: {{providers: [{ONE[:-1]}, clock_skew: 1h}}], {rule}}}", "up to 10m"),
            (f"identity: {{providers: [{ONE[:-1]}, check_every: often}}], {rule}}}", "often"),
            (f"identity: {{providers: [{ONE[:-1]}, scopes: [profile]}}], {rule}}}", "expected openid among them"),
            (f"identity: {{providers: [{ONE[:-1]}, parameters: {{state: x}}}}], {rule}}}", "the proxy's own"),
            (f"identity: {{providers: [{ONE[:-1]}, parameters: {{request_uri: x}}}}], {rule}}}", "the proxy's own"),
            (f"identity: {{providers: [{ONE[:-1]}, parameters: {{'a b': x}}}}], {rule}}}", "such as prompt"),
            (f"identity: {{providers: [{ONE[:-1]}, parameters: [prompt]}}], {rule}}}", "expected a mapping"),
            (f"identity: {{providers: [{ONE[:-1]}, ca_file: /not/there}}], {rule}}}", "there is none at"),
            (f"identity: {{providers: [{ONE[:-1]}, claims: {{perosn: a}}}}], {rule}}}", "did you mean 'person'"),
            (f"identity: {{providers: [{ONE}, {ONE}], {rule}}}", "another provider has the name 'a'"),
            (f"identity: {{providers: [{ONE}], rules: [{{}}]}}", "it gives nothing"),
            (
                f"identity: {{providers: [{ONE}], rules: [{{match: {{groups: []}}, role: owner}}]}}",
                "at least one value",
            ),
            (
                f"identity: {{providers: [{ONE}], rules: [{{match: {{provider: b}}, role: owner}}]}}",
                "unknown provider 'b'",
            ),
            (f"identity: {{providers: [{ONE}], rules: [{{role: king}}]}}", "expected one of owner"),
            (f"identity: {{providers: [{ONE}], rules: [{{role: owner, deny: true}}]}}", "nothing else that the rule"),
            (f"identity: {{providers: [{ONE}], rules: [{{limits: {{apis: [b]}}}}]}}", "unknown API 'b'"),
            (f"identity: {{providers: [{ONE}], rules: [{{limits: {{models: []}}}}]}}", "an empty list"),
            (
                f"identity: {{providers: [{ONE}], rules: [{{models: a, limits: {{models: [b]}}}}]}}",
                "they stand in limits",
            ),
            (f"identity: {{providers: [{ONE}], {rule}, public_url: 'http://llm.org'}}", "expected https://"),
        ):
            told = self.refused(text)
            self.assertIn(why, told, text)
            self.assertNotIn("canary", told, text)
