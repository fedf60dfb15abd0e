"""What pages can rely on, wherever the management API is."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.admin.backend import Api, ApiError, Backend, Browser
from llmproxy.web.streamed import Streamed

from ..web.manage.api import MANAGEMENT_TOKEN
from ..web.manage.usageapi import UsageManageTestCase


class BackendCases(UsageManageTestCase):
    """@ivar backend: what is tested."""

    backend: Backend

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def error_of(self, coroutine: Any) -> ApiError:
        error: ApiError = self.failureResultOf(Deferred.fromCoroutine(coroutine), ApiError).value  # type: ignore[assignment]
        return error

    def api(self, token: str = MANAGEMENT_TOKEN) -> Api:
        browser = Browser("203.0.113.7", "a browser", "http://proxy.example/admin/")
        signed_in = self.done(self.backend.sign_in(token, False, browser))
        return self.backend.api(signed_in.secret, browser)

    def test_answers(self) -> None:
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
        self.assertIsNone(self.done(api.ask("DELETE", "/admins/" + self.an_admin()[0])).value)

    def an_admin(self) -> tuple[str, str]:
        made = self.ask("POST", "/admins", {"name": "ada", "role": "auditor"}).json
        return made["id"], made["token"]

    def test_refusals(self) -> None:
        """Refusals are those of the API, with how long to wait."""
        api = self.api()
        for asking, status in (
            (api.ask("GET", "/projects/x"), 404),
            (api.ask("POST", "/projects", body={}), 400),
            (api.ask("GET", "/nothing"), 404),
        ):
            self.assertEqual(self.error_of(asking).status, status, status)
        over = self.backend.api("llmproxy_session_" + "A" * 43, Browser())
        self.assertEqual(self.error_of(over.who()).code, "session_over")
        for token in ("wrong", "wr\u00f6ng", "a b", "x\r\nX-Other: y", *("w" * at for at in range(1, 7))):
            self.assertEqual(
                self.error_of(self.backend.sign_in(token, False, Browser("203.0.113.8"))).status, 401, token
            )
        error = self.error_of(self.backend.sign_in(MANAGEMENT_TOKEN, False, Browser("203.0.113.8")))
        self.assertEqual((error.status, error.retry_after), (429, 6))

    def test_changed_meanwhile(self) -> None:
        """A change names the version that it was meant for."""
        api, project = self.api(), self.project()
        path = f"/projects/{project}"
        version = self.done(api.ask("GET", path)).version
        self.done(api.ask("PATCH", path, body={"name": "b"}, version=version))
        error = self.error_of(api.ask("PATCH", path, body={"name": "c"}, version=version))
        self.assertEqual(error.status, 412)

    def test_once(self) -> None:
        """A form that is sent twice is acted on once."""
        api = self.api()
        body = {"name": "a", "api_keys": {}}
        made = [self.done(api.ask("POST", "/projects", body=body, key="k")).value["id"] for _ in "ab"]
        self.assertEqual(made[0], made[1])

    def test_who(self) -> None:
        """Who asks, and what they may do, is known."""
        who = self.done(self.api(self.an_admin()[1]).who())
        self.assertEqual((who.name, who.role), ("ada", "auditor"))
        self.assertEqual([who.may(each) for each in ("project.read", "project.write", "")], [True, False, True])

    def test_streamed(self) -> None:
        """What is no JSON comes as it is made."""
        answer = self.done(self.api().ask("GET", "/usage/records", query={"format": "csv"}))
        self.assertIsInstance(answer.value, Streamed)
        self.assertEqual(answer.value.kind, b"text/csv")
        self.assertTrue(self.done(_all(answer.value)).startswith(b"id,"))


async def _all(streamed: Streamed) -> bytes:
    content = b""
    async for piece in streamed.pieces():
        content += piece
    return content
