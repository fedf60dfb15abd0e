"""The API as pages of the same process ask it."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from llmproxy.admin.backend import ApiError
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
        """The audit log has the call, the browser and where it came from, once the page has been made."""
        api = self.api()
        self.done(api.ask("GET", "/projects"))
        self.assertNotEqual(self.notes.events[-1][0], "project.list")
        api.done()
        api.done()
        self.assertEqual([event[0] for event in self.notes.events].count("project.list"), 1)
        action, _, _, details = self.notes.events[-1]
        self.assertEqual((action, details["client_ip"], details["origin"]), ("project.list", "203.0.113.7", "admin-ui"))
        self.assertEqual(details["endpoint"], "/manage/projects")

    def test_changes_noted(self) -> None:
        """A change is noted at once."""
        self.done(self.api().ask("POST", "/projects", body={"name": "one", "api_keys": {}}))
        self.assertEqual(self.notes.events[-1][0], "project.create")

    def test_together(self) -> None:
        """What calls of one page read is read in one transaction, and what they ask alike is asked once."""
        made = self.done(self.api().ask("POST", "/projects", body={"name": "one", "api_keys": {}})).value
        api, path = self.api(), f"/projects/{made['id']}"
        self.done(api.who())
        before = self.database.statements
        found = self.done(api.gather(api.ask("GET", path), api.ask("GET", path), api.ask("GET", "/tokens")))
        self.assertEqual([found[0].value["name"], found[1].value["name"], found[2].value], ["one", "one", []])
        self.assertLessEqual(self.database.statements - before, 3)

    def test_one_fails(self) -> None:
        """A call that is refused does not keep the others from their answers, and is the refusal of all."""
        api = self.api()
        found = []

        async def other() -> None:
            found.append((await api.ask("GET", "/projects")).value)

        asking = Deferred.fromCoroutine(api.gather(api.ask("GET", "/projects/nothing"), other()))
        self.assertEqual(self.failureResultOf(asking, ApiError).value.status, 404)
        self.assertEqual(found, [[]])


del BackendCases
