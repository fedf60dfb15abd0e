"""Tests for L{llmproxy.web.agents.managedsettings}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from llmproxy.config.agents import AgentSettingsConfig, ClaudeConfig
from llmproxy.errors import Unavailable
from llmproxy.web.agents.access import Access, Caller
from llmproxy.web.agents.managedsettings import ManagedSettings

from .agentcase import BEARER, AgentTestCase, KnownCallers


class Stored:
    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.broken = False

    def current(self) -> Deferred[dict[str, str]]:
        return fail(Unavailable("the database is away")) if self.broken else succeed(self.found)


class ManagedSettingsTests(AgentTestCase):
    claude = ClaudeConfig(settings=(AgentSettingsConfig(("eng",), settings='{"model":"opus"}'),))

    def setUp(self) -> None:
        super().setUp()
        self.stored = Stored()
        self.callers = KnownCallers()
        proxy = self.memory.proxy
        access = Access(proxy.foundation.admission.authenticate, lambda: proxy.generations.table, self.callers)
        assert self.claude is not None
        settings = self.claude.settings
        self.resource.putChild(b"mine", ManagedSettings(access, lambda: settings, self.stored))

    def test_none(self) -> None:
        """404 is none: the client keeps what it has."""
        for path in ("/managed/settings", "/anthropic/managed/settings", "/mine"):
            self.assertEqual(self.ask("GET", path).status, 404, path)

    def test_of_a_group(self) -> None:
        """Of the configuration, unless somebody has set others; empty ones are an answer."""
        self.callers.caller = Caller("p", "", ("eng",))
        self.assertEqual(self.ask("GET", "/mine").body, b'{"model":"opus"}')
        self.stored.found = {"eng": "{}"}
        got = self.ask("GET", "/mine")
        self.assertEqual((got.status, got.body, got.length), (200, b"{}", 2))

    def test_conditional(self) -> None:
        """A client that polls gets nothing until something is another; what it has is nobody else's."""
        self.callers.caller = Caller("p", "", ("eng",))
        first = self.ask("GET", "/mine")
        headers = {**BEARER, "If-None-Match": first.field("etag")}
        self.assertEqual(self.ask("GET", "/mine", headers=headers).status, 304)
        self.assertEqual(first.field("cache-control"), "private, no-cache")
        self.stored.found = {"eng": '{"model":"haiku"}'}
        self.assertEqual(self.ask("GET", "/mine", headers=headers).status, 200)

    def test_database_away(self) -> None:
        """Nothing fails open: neither the file's nor no settings are given while it cannot be known."""
        self.stored.broken = True
        self.assertEqual(self.ask("GET", "/mine").status, 503)

    def test_stranger(self) -> None:
        self.assertEqual(self.ask("GET", "/managed/settings", headers={}).status, 401)
