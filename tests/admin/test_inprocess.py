"""The API as pages of the same process ask it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.admin.backend import Api, ApiError, Browser
from llmproxy.admin.inprocess import InProcess

from ..web.manage.api import MANAGEMENT_TOKEN, ManageTestCase


class InProcessTests(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backend = InProcess(self.resource())

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine: Any) -> ApiError:  # type: ignore[override]
        error: Any = self.failureResultOf(Deferred.fromCoroutine(coroutine), ApiError).value
        return error  # type: ignore[no-any-return]

    def api(self, token: str = MANAGEMENT_TOKEN) -> Api:
        browser = Browser("203.0.113.7", "a browser", "http://proxy.example/admin/")
        signed_in = self.done(self.backend.sign_in(token, False, browser))
        return self.backend.api(signed_in.secret, browser)

    def test_as_over_http(self) -> None:
        """Answers are those of the API, with their version and the place of the next page."""
        api = self.api()
        for name in "abc":
            self.done(api.ask("POST", "/projects", body={"name": name, "api_keys": {}}))
        answer = self.done(api.ask("GET", "/projects", query={"limit": "2", "name": ""}))
        self.assertEqual(answer.value, self.ask("GET", "/projects?limit=2").json)
        rest = self.done(api.ask("GET", "/projects", query={"limit": "2", "cursor": answer.after}))
        self.assertEqual(([each["name"] for each in rest.value], rest.after), (["c"], ""))
        one = self.done(api.ask("GET", f"/projects/{rest.value[0]['id']}"))
        self.assertEqual(one.version, '"v1"')

    def test_refused(self) -> None:
        """Refusals are those of the API, with how long to wait."""
        api = self.api()
        self.assertEqual(self.refused(api.ask("GET", "/projects/x")).status, 404)
        self.assertEqual(self.refused(api.ask("POST", "/projects", body={})).status, 400)
        self.assertEqual(
            self.refused(self.backend.api("llmproxy_session_" + "A" * 43, Browser()).who()).code, "session_over"
        )
        for _ in range(10):
            self.refused(self.backend.sign_in("wrong", False, Browser("203.0.113.8")))
        error = self.refused(self.backend.sign_in(MANAGEMENT_TOKEN, False, Browser("203.0.113.8")))
        self.assertEqual((error.status, error.retry_after), (429, 6))

    def test_changed_meanwhile(self) -> None:
        """A change names the version that it was meant for."""
        api, project = self.api(), self.project()
        path = f"/projects/{project}"
        version = self.done(api.ask("GET", path)).version
        self.done(api.ask("PATCH", path, body={"name": "b"}, version=version))
        self.assertEqual(self.refused(api.ask("PATCH", path, body={"name": "c"}, version=version)).status, 412)

    def test_once(self) -> None:
        """A form that is sent twice is acted on once."""
        api = self.api()
        made = [
            self.done(api.ask("POST", "/projects", body={"name": "a", "api_keys": {}}, key="k")).value["id"]
            for _ in "ab"
        ]
        self.assertEqual(made[0], made[1])

    def test_who(self) -> None:
        """Who asks is looked up once for a page, with what they may do."""
        token = self.ask("POST", "/admins", {"name": "ada", "role": "auditor"}).json["token"]
        api = self.api(token)
        who = self.done(api.who())
        self.assertEqual((who.name, who.role), ("ada", "auditor"))
        self.assertEqual([who.may(each) for each in ("project.read", "project.write", "")], [True, False, True])
        before = self.database.statements
        self.done(api.ask("GET", "/self"))
        self.assertEqual(self.database.statements - before, 0)

    def test_noted(self) -> None:
        """The audit log has the call, the browser and where it came from."""
        self.done(self.api().ask("GET", "/projects"))
        action, _, _, details = self.notes.events[-1]
        self.assertEqual((action, details["client_ip"], details["origin"]), ("project.list", "203.0.113.7", "admin-ui"))
        self.assertEqual(details["endpoint"], "/manage/projects")
