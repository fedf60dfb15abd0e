"""Tests for L{llmproxy.app.agentsettings}."""

from __future__ import annotations

from typing import Any

from attrs import define
from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.agentsettings import AGAIN, SettingsNotes
from llmproxy.config.agents import AgentSettingsConfig
from llmproxy.errors import Unavailable

from ..store.databases import clock_at, opened
from ..web.agents.oauthcase import Noted

SECRET = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


@define
class Stored:
    database: Any


@define
class Foundation:
    reactor: Clock
    stored: Any
    audit_log: Any


@define
class Proxy:
    foundation: Any


def entry(content: str, *groups: str) -> AgentSettingsConfig:
    return AgentSettingsConfig(groups or ("*",), settings=content)


class SettingsNotesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.audit = Noted()
        self.path = self.mktemp()

    def process(self) -> SettingsNotes:
        """One of several that use the same database."""
        self.database = opened(self, self.path)
        return SettingsNotes(Proxy(Foundation(self.clock, Stored(self.database), self.audit)))

    def serve(self, notes: SettingsNotes, *entries: AgentSettingsConfig) -> None:
        notes.serve(entries)
        self.assertEqual(notes.due, 0.0)
        self.successResultOf(notes.note())
        self.assertIsNone(notes.due)

    def said(self) -> list[tuple[str, bool, bool]]:
        """For whom, whether there were some before, whether there are some now."""
        found = [details for action, _, _, details in self.audit.records if action == "agents.settings_change"]
        self.audit.records.clear()
        return [(each["groups"], bool(each["version_before"]), bool(each["version_after"])) for each in found]

    def test_once(self) -> None:
        """A change is in the audit log once, however many processes on however many machines take it."""
        processes = [self.process() for _ in range(4)]
        for each in processes:
            self.serve(each, entry("{}"))
        self.assertEqual(self.said(), [("*", False, True)])
        for each in processes:
            self.serve(each, entry('{"a":1}'), entry("{}", "eng", "ops"))
        self.assertEqual(self.said(), [("*", True, True), ("eng, ops", False, True)])
        # A start with what is served already.
        self.serve(self.process(), entry('{"a":1}'), entry("{}", "eng", "ops"))
        self.assertEqual(self.said(), [])
        # A start with something else: nobody has reloaded anything.
        self.serve(self.process())
        self.assertEqual(self.said(), [("*", True, False), ("eng, ops", True, False)])

    def test_secrets(self) -> None:
        """What looks like a key is not kept a second time."""
        notes = self.process()
        self.serve(notes, entry('{"env":{"KEY":"' + SECRET + '"}}'))
        [found] = self.successResultOf(notes._store.versions(10))  # type: ignore[union-attr]
        self.assertNotIn(SECRET, repr(found))
        self.assertIn("KEY", found.content)

    def test_away(self) -> None:
        """A database that is away is told later; nothing fails, and nothing is said twice."""
        notes = self.process()
        run = self.database.run
        self.database.run = lambda call: fail(Unavailable("away"))  # type: ignore[method-assign]
        notes.serve([entry("{}")])
        self.successResultOf(notes.note())
        self.assertEqual(notes.due, self.clock.seconds() + AGAIN)
        self.assertEqual(self.said(), [])
        self.database.run = run  # type: ignore[method-assign]
        self.successResultOf(notes.note())
        self.assertEqual(self.said(), [("*", False, True)])

    def test_without_database(self) -> None:
        """A process knows of its own reloads."""
        notes = SettingsNotes(Proxy(Foundation(self.clock, None, self.audit)))
        notes.serve([entry("{}")])
        self.assertEqual(self.said(), [])
        notes.serve([entry("{}", "eng")])
        self.assertEqual(self.said(), [("*", True, False), ("eng", False, True)])
        self.assertIsNone(notes.due)
