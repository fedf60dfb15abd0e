"""Tests for L{llmproxy.store.agentsettingstables}."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentversions import SettingsVersion
from llmproxy.store.agentsettingstables import agent_settings


class AgentSettingsTableTests(SynchronousTestCase):
    def test_columns(self) -> None:
        """A version is a row."""
        names = {column.name for column in agent_settings.columns}
        self.assertEqual(names, {each.name for each in fields(SettingsVersion)})
