"""Tests for L{llmproxy.app.identity}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.testing import MemoryReactorClock

from llmproxy.apisettings import ConnectionSettings
from llmproxy.app.identity import Identity, sealing_secret
from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.settings import Settings
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.identity import GrantConfig, IdentityConfig, MatchConfig, ProviderConfig
from llmproxy.core.tokens import is_well_formed, may_be_token
from llmproxy.errors import ConfigError
from llmproxy.identityerrors import NotGranted, ProviderUnavailable

from ..identity.world import Idp, config_of, rsa, signed
from ..management.world import RulesTestCase


def identity(*rules: GrantConfig, providers: Any = None) -> IdentityConfig:
    return IdentityConfig(providers or (config_of(),), rules or (GrantConfig(project="p1"),))


class Lines:
    """A log."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def warn(self, text: str, **values: Any) -> None:
        self.said.append(text.format(**values))


class IdentityTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.idp = Idp()
        self.idp.clock = self.clock
        self.asked: list[ConnectionSettings] = []
        self.identity = Identity(
            self.clock, identity(), self.state, self.database, self.directory, b"s", self.make_agent
        )

    def make_agent(self, settings: ConnectionSettings) -> Any:
        self.asked.append(settings)
        return self.idp

    def jwt(self) -> bytes:
        return signed(rsa(), self.idp.claims()).encode()

    def test_callers(self) -> None:
        """The directory takes access tokens as it takes tokens."""
        found = self.successResultOf(self.directory.load(self.jwt()))
        self.assertEqual(found.project.id, "p1")
        self.assertIs(self.directory.warm(self.jwt()), found)

    def test_reload(self) -> None:
        """Other rules hold at once, for who is known too; a provider that is the same keeps its keys."""
        secret = self.jwt()
        self.successResultOf(self.directory.load(secret))
        provider = self.identity.provider("corp")
        self.identity.take(identity())
        self.assertIsNotNone(self.directory.warm(secret))
        self.identity.take(identity(GrantConfig(MatchConfig(groups=("others",)), project="p1")))
        self.assertIsNone(self.directory.warm(secret))
        self.failureResultOf(self.directory.load(secret), NotGranted)
        self.assertIs(self.identity.provider("corp"), provider)
        changed = evolve(config_of(), clock_skew=5.0)
        self.identity.take(identity(providers=(changed, ProviderConfig("b", "https://b", "us"))))
        self.assertIsNot(self.identity.provider("corp"), provider)
        self.assertEqual([each.config.name for each in self.identity.providers()], ["corp", "b"])
        self.identity.take(identity(providers=(ProviderConfig("b", "https://b", "us"),)))
        self.assertIsNone(self.identity.provider("corp"))

    def test_agents(self) -> None:
        """Connections are made when they are needed, one pool for each set of authorities, and closed at the end."""
        self.successResultOf(self.identity.close())
        self.assertEqual(self.asked, [])
        self.successResultOf(self.directory.load(self.jwt()))
        self.assertEqual([each.ca_file for each in self.asked], [None])
        self.successResultOf(self.identity.close())
        self.assertTrue(self.idp.closed)

    def test_complaints(self) -> None:
        """That a provider is away is said, with why, and not at every caller."""
        said: list[str] = []
        self.patch(self.identity.complaints, "_log", Lines(said))
        self.idp.away = True
        for _ in range(5):
            self.failureResultOf(self.directory.load(self.jwt()), ProviderUnavailable)
            self.clock.advance(6)
        self.assertEqual(len(said), 1)
        self.assertIn("corp: The identity provider cannot be reached: https://id.example.com/.well-known", said[0])

    def test_sealing_secret(self) -> None:
        """What processes have in common; two that have nothing open nothing of each other."""
        settings = Settings(APIConfig({}, ""), management_token="m" * 20)
        self.assertEqual(sealing_secret(settings, identity()), sealing_secret(settings, identity()))
        alone = Settings(APIConfig({}, ""))
        public = identity(providers=(config_of(client_secret=None),))
        self.assertNotEqual(sealing_secret(alone, public), sealing_secret(alone, public))
        self.assertNotEqual(sealing_secret(alone, identity()), sealing_secret(settings, identity()))


class FoundationTests(RulesTestCase):
    def proxy(self, config: IdentityConfig | None, **settings: Any) -> TransparentProxy:
        api = APIProviderConfig(base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"])
        values: dict[str, Any] = {"database_url": ":memory:", "management_token": "m" * 20, **settings}
        return TransparentProxy(MemoryReactorClock(), APIConfig({"x": api}, "x", identity=config), **values)

    def test_there(self) -> None:
        """Who is asked for an access token takes one; who is not has nothing of it."""
        with_it, without = self.proxy(identity()), self.proxy(None)
        self.assertIsNone(without.foundation.identity)
        forms = [each.foundation.admission.authenticate._is_well_formed for each in (with_it, without)]
        self.assertEqual(forms, [may_be_token, is_well_formed])
        self.assertIn("a-client-secret", with_it.settings.secrets())

    def test_swap(self) -> None:
        """What a reload brings is what the identity knows."""
        proxy = self.proxy(identity())
        changed = identity(GrantConfig(role="owner"))
        proxy.swap(evolve(proxy.settings.apis, identity=changed))
        found = proxy.foundation.identity
        assert found is not None
        self.assertEqual(found.config, changed)

    def test_no_database(self) -> None:
        from ..app.embedded import Projects, Validator

        with self.assertRaises(ConfigError) as caught:
            self.proxy(
                identity(),
                database_url="",
                management_token="",
                token_validator=Validator(),
                project_store=Projects(),
            )
        self.assertIn("DATABASE_URL", str(caught.exception))
