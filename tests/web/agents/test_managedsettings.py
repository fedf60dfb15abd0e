"""Tests for L{llmproxy.web.agents.managedsettings}."""

from __future__ import annotations

import json

from llmproxy.config.agents import AgentSettingsConfig, ClaudeConfig
from llmproxy.core.agentversions import checksum_of, payload_of
from llmproxy.web.agents.access import Access, Caller
from llmproxy.web.agents.managedsettings import ManagedSettings

from .agentcase import BEARER, AgentTestCase, KnownCallers

OPUS = '{"model":"opus"}'


class ManagedSettingsTests(AgentTestCase):
    claude = ClaudeConfig(settings=(AgentSettingsConfig(("eng",), settings=OPUS),))

    def setUp(self) -> None:
        super().setUp()
        self.callers = KnownCallers()
        proxy = self.memory.proxy
        access = Access(proxy.foundation.admission.authenticate, lambda: proxy.generations.table, self.callers)
        assert self.claude is not None
        self.settings = [*self.claude.settings]
        self.resource.putChild(b"mine", ManagedSettings(access, lambda: self.settings))

    def test_none(self) -> None:
        """404 is none: the client keeps what it has."""
        for path in ("/managed/settings", "/anthropic/managed/settings", "/mine"):
            self.assertEqual(self.ask("GET", path).status, 404, path)

    def test_of_a_group(self) -> None:
        """Those of the first entry that fits, in the shape without which Claude Code does not start; empty ones too."""
        self.callers.caller = Caller("p", "", ("eng",))
        found, checksum = json.loads(self.ask("GET", "/mine").body), checksum_of(OPUS)
        self.assertEqual(found, {"uuid": checksum, "checksum": checksum, "settings": {"model": "opus"}})
        self.settings.insert(0, AgentSettingsConfig(("eng", "ops"), settings="{}"))
        got = self.ask("GET", "/mine")
        self.assertEqual((got.status, got.body), (200, payload_of("{}").encode()))
        self.assertEqual(got.length, len(got.body))

    def test_conditional(self) -> None:
        """A client that polls gets nothing until something is another; what it has is nobody else's."""
        self.callers.caller = Caller("p", "", ("eng",))
        first = self.ask("GET", "/mine")
        self.assertEqual(first.field("etag"), f'"{checksum_of(OPUS)}"')
        headers = {**BEARER, "If-None-Match": first.field("etag")}
        self.assertEqual(self.ask("GET", "/mine", headers=headers).status, 304)
        self.assertEqual(first.field("cache-control"), "private, no-cache")
        self.settings[:] = [AgentSettingsConfig(("eng",), settings='{"model":"haiku"}')]
        self.assertEqual(self.ask("GET", "/mine", headers=headers).status, 200)

    def test_stranger(self) -> None:
        self.assertEqual(self.ask("GET", "/managed/settings", headers={}).status, 401)
