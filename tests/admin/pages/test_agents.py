"""Coding agents in pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.config.agents import AgentsConfig
from llmproxy.web.manage.agents import AgentRoutes

from ...web.manage.test_agents import AGENTS, SECRET, VERSIONS
from ..browser import PagesTestCase


class AgentsTests(PagesTestCase):
    config: AgentsConfig | None = AGENTS

    def more_routes(self) -> list[Any]:
        return [AgentRoutes(lambda: (self.config, "openai"), lambda limit: succeed(VERSIONS[:limit])).routes()]

    def test_shown(self) -> None:
        """What each group gets, and everybody else; settings with their version, keys masked."""
        self.sign_in()
        shown = self.visit("/agents")
        self.assertEqual(shown.status, 200)
        for words in (
            "eng",
            "everybody else",
            "Opus",
            "gpt-5-codex",
            "/etc/claude.json",
            "goes to sinks",
            "Changes of settings",
            "eng, ops",
        ):
            self.assertIn(words, shown.text, words)
        self.assertNotIn(SECRET, shown.text)
        versions = [href for href, _ in shown.page.links if href.startswith("#version-")]
        self.assertEqual(len(versions), 2)
        ids = [found.get("id") for _, found in shown.page.tags]
        for each in versions:
            self.assertIn(each.removeprefix("#"), ids)

    def test_off(self) -> None:
        """Where nothing is configured it is said so."""
        self.config = None
        self.sign_in()
        self.assertIn("Nothing for coding agents", self.visit("/agents").text)

    def test_auditor(self) -> None:
        """Who may look at the configuration may look at this."""
        self.sign_in(self.admin("auditor"))
        self.assertEqual(self.visit("/agents").status, 200)
