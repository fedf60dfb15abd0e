"""Tests for L{llmproxy.app.devicesignin}."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from llmproxy.admin.personpages import SignInRefused
from llmproxy.app.devicesignin import PeopleBehind, ProviderSignIn
from llmproxy.app.identity import Identity
from llmproxy.app.proxy import TransparentProxy
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.agents import AgentsConfig, ClaudeConfig, SignInConfig
from llmproxy.core.tokens import DEVICE
from llmproxy.web.agents.access import NOBODY, Caller

from ..identity.world import Idp
from ..management.test_people import ANN
from ..management.world import RulesTestCase
from ..store.databases import token
from .test_identity import identity

API = 503
"""What the path of an API answers while the proxy has not started."""


class PartsTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.idp = Idp()
        self.idp.clock = self.clock
        self.identity = Identity(
            self.clock, identity(), self.state, self.database, self.directory, b"s", lambda settings: self.idp
        )
        self.signs_in = ProviderSignIn(self.identity)

    def test_people_behind(self) -> None:
        """Whose a token is is what is known of them now; one of nobody in particular asks nobody."""
        ann = self.done(self.identity.people.sign_in(ANN))
        issued, secret = self.done(self.identity.people.issue(ann, DEVICE, 3600))
        principal = self.principal(secret)
        behind = PeopleBehind(self.identity.people)
        expected = Caller(ann.id, "ann@x.org", ann.groups)
        self.assertEqual(self.successResultOf(behind.caller_of(principal)), expected)
        nobodys = evolve(principal, token=token("t9"))
        self.assertEqual(self.successResultOf(behind.caller_of(nobodys)), NOBODY)
        gone = evolve(principal, token=evolve(issued, person_id="gone"))
        self.assertEqual(self.successResultOf(behind.caller_of(gone)), NOBODY)

    def test_providers(self) -> None:
        """As the configuration calls them; where one leads is what it says itself."""
        self.assertEqual(self.signs_in.providers(), [("corp", "corp")])
        begun = self.done(self.signs_in.begin("corp", "https://p/device/callback/corp", "BCDF-GHJK"))
        self.assertTrue(begun.url.startswith("https://id.example.com/"), begun.url)
        self.assertNotIn("BCDF", begun.url + begun.cookie)

    def test_refused(self) -> None:
        """What fails for who tries is said in words for them."""
        for attempt in (
            self.signs_in.begin("other", "https://p/x", ""),
            self.signs_in.finish("corp", "https://p/x", {"code": "c", "state": "s"}, ""),
        ):
            self.failureResultOf(Deferred.fromCoroutine(attempt), SignInRefused)

    def test_purpose(self) -> None:
        """A sign-in at the admin pages is none here."""
        other = self.done(self.identity.signin.begin("corp", "https://p/x", "", "pages"))
        finishing = self.signs_in.finish("corp", "https://p/x", {"code": "c", "state": "s"}, other.cookie)
        self.failureResultOf(Deferred.fromCoroutine(finishing), SignInRefused)

    def test_sealed(self) -> None:
        """What a browser keeps is opened as what it was sealed as."""
        text = self.signs_in.seal("a", {"x": 1})
        self.assertEqual(self.signs_in.open("a", text), {"x": 1})
        self.assertIsNone(self.signs_in.open("b", text))


class PathsTests(RulesTestCase):
    def answered(self, agents: AgentsConfig, path: str, method: str = "GET") -> Any:
        """A proxy with people, in the memory of this process."""
        api = APIProviderConfig("https://a.example", allowed_endpoints=["/v1"], allowed_methods=["POST"])
        apis = {"anthropic": evolve(api, dialect="anthropic"), "openai": api}
        config = APIConfig(apis, "openai", agents=agents, identity=identity())
        proxy = TransparentProxy(MemoryReactorClock(), config, database_url=":memory:", management_token="m" * 20)
        client = StubTreq(proxy.resource())
        asking = client.request(method, f"http://proxy.example{path}", allow_redirects=False)
        client.flush()
        response = self.successResultOf(asking)
        return response.code, self.successResultOf(client.content(response))

    def test_paths(self) -> None:
        """At the root, below the base URL of Claude Code, and where people go."""
        agents = AgentsConfig(ClaudeConfig("anthropic"), sign_in=SignInConfig())
        for path, issuer in (
            ("/.well-known/oauth-authorization-server", ""),
            ("/anthropic/.well-known/oauth-authorization-server", "/anthropic"),
            ("/.well-known/oauth-authorization-server/anthropic", "/anthropic"),
        ):
            status, body = self.answered(agents, path)
            self.assertEqual((status, json.loads(body)["issuer"]), (200, f"http://proxy.example{issuer}"), path)
        for path, status in (("/device", 303), ("/device/", 200), ("/device/sign-in/corp", 400), ("/devices", API)):
            self.assertEqual(self.answered(agents, path)[0], status, path)
        self.assertEqual(self.answered(agents, "/oauth/token", "POST")[0], 400)
        status, body = self.answered(agents, "/anthropic/protocol")
        self.assertIs(json.loads(body)["sign_in"], True)

    def test_off(self) -> None:
        """Where nobody signs in there is nothing of it."""
        agents = AgentsConfig(ClaudeConfig("anthropic"))
        for path in ("/.well-known/oauth-authorization-server", "/device"):
            self.assertEqual(self.answered(agents, path)[0], API, path)
