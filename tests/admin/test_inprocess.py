"""The API as pages of the same process ask it."""

from __future__ import annotations

from llmproxy.admin.inprocess import InProcess

from .backendcases import BackendCases


class InProcessTests(BackendCases):
    def setUp(self) -> None:
        super().setUp()
        self.backend = InProcess(self.resource())

    def test_looked_up_once(self) -> None:
        """Who asks is looked up once for a page."""
        api = self.api()
        self.done(api.who())
        before = self.database.statements
        self.done(api.ask("GET", "/self"))
        self.assertEqual(self.database.statements - before, 0)

    def test_noted(self) -> None:
        """The audit log has the call, the browser and where it came from."""
        self.done(self.api().ask("GET", "/projects"))
        action, _, _, details = self.notes.events[-1]
        self.assertEqual((action, details["client_ip"], details["origin"]), ("project.list", "203.0.113.7", "admin-ui"))
        self.assertEqual(details["endpoint"], "/manage/projects")


del BackendCases
