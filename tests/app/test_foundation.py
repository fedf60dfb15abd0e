"""What outlives a configuration."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.app.foundation import Foundation
from llmproxy.app.ownparts import OwnParts
from llmproxy.app.peers import Alone
from llmproxy.app.settings import Settings
from llmproxy.app.validated import ValidatingDirectory
from llmproxy.core.caching.settings import CacheOptions
from llmproxy.core.tokens import generate
from llmproxy.middleware.caching.state import HELD
from llmproxy.store.directory import Directory

from .embedded import Projects, Validator, a_config


class FoundationTests(SynchronousTestCase):
    def made(self, own: OwnParts | None = None, url: str = ":memory:", cache: bool = True) -> Foundation:
        config = a_config().alone()
        settings = Settings(config, database_url=url, cache=CacheOptions(enabled=cache, memory_bytes=1 << 30))
        return Foundation(MemoryReactorClock(), settings, own or OwnParts(), Alone(), config.routing_table())

    def test_tokens(self) -> None:
        """Those of the database have a form; of what an application takes for a token nothing is known."""
        authenticate = self.made().admission.authenticate
        self.assertIsInstance(authenticate._directory, Directory)
        self.assertTrue(authenticate._is_well_formed(generate(lambda size: bytes(size)).encode()))
        self.assertFalse(authenticate._is_well_formed(b"anything"))
        own = OwnParts(token_validator=Validator(), project_store=Projects())  # type: ignore[arg-type]
        authenticate = self.made(own, "").admission.authenticate
        self.assertIsInstance(authenticate._directory, ValidatingDirectory)
        self.assertTrue(authenticate._is_well_formed(b"anything"))
        self.assertFalse(authenticate._is_well_formed(b""))

    def test_validator_beside_a_database(self) -> None:
        """Projects are those of the database, which is there for management too."""
        foundation = self.made(OwnParts(token_validator=Validator()))
        assert foundation.stored is not None
        self.assertIsInstance(foundation.admission.authenticate._directory, ValidatingDirectory)

    def test_cache(self) -> None:
        """It is made once, when the first API is cached, and has room for the largest of all."""
        foundation = self.made()
        self.assertIsNone(foundation.cache_for([]))
        first = foundation.cache_for([CacheSettings()])
        assert first is not None
        self.assertEqual(first.budget.left, HELD)
        self.assertIs(foundation.cache_for([CacheSettings(max_object=200 << 20), CacheSettings()]), first)
        self.assertEqual(first.budget.left, 200 << 20)
        foundation.cache_for([CacheSettings()])
        self.assertEqual(first.budget.left, 200 << 20)
        self.assertIsNone(self.made(cache=False).cache_for([CacheSettings()]))
