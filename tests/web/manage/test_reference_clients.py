"""
The calls that the reference's command line, admin pages and browser tests make, as they make them.

Of each call the path, the fields and the body are the client's, and of each answer what it reads is checked (the
reference's C{cmd/proxy}, C{internal/admin} and C{e2e}, chapters 1, 8.1, 8.2 and 8.3 of what is known of it).
"""

from __future__ import annotations

from typing import Any

from .api import API_KEY, Answer, ManageTestCase
from .cacheapi import CacheManageTestCase
from .test_audit import AuditApiTestCase

BROWSER = {
    "X-Admin-Origin": "1",
    "X-Forwarded-User-Agent": "Mozilla/5.0",
    "X-Forwarded-Referer": "http://admin.example/projects",
    "X-Forwarded-For": "192.0.2.9",
    "Content-Type": "application/json",
}
"""What the admin pages send along, with a content type also where there is no content."""


class CommandLineTests(ManageTestCase):
    def call(self, method: str, path: str, body: Any = None) -> Answer:
        return self.ask(method, path, body, headers={"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"})

    def test_projects(self) -> None:
        """C{manage project create, list, get, update, delete}: a table of five columns, and no deletion."""
        made = self.call("POST", "/projects", {"name": "P", "api_key": API_KEY})
        self.assertEqual(made.status, 201)
        for shown in (
            made.json,
            self.call("GET", "/projects").json[0],
            self.call("GET", f"/projects/{made.json['id']}").json,
            self.call("PATCH", f"/projects/{made.json['id']}", {"name": "P", "api_key": ""}).json,
        ):
            self.assertEqual(
                (shown["id"], shown["name"], shown["api_key"]), (made.json["id"], "P", "sk-upstr...cdef"), shown
            )
            for moment in ("created_at", "updated_at"):
                self.assertRegex(shown[moment], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")
        refused = self.call("DELETE", f"/projects/{made.json['id']}")
        self.assertEqual((refused.status, refused.json["error"]), (405, "method not allowed"))

    def test_token(self) -> None:
        """C{manage token generate}: it prints the secret and when it expires."""
        made = self.call("POST", "/tokens", {"project_id": self.project(), "duration_minutes": 1440})
        self.assertIn(made.status, (200, 201))
        self.assertRegex(made.json["token"], r"\Ask-[A-Za-z0-9_-]{22}\Z")
        self.assertEqual(made.json["expires_at"], "2023-11-15T22:13:20.250000Z")


class AdminPagesTests(ManageTestCase):
    def call(self, method: str, path: str, body: Any = None) -> Answer:
        return self.ask(method, path, body, headers=BROWSER)

    def setUp(self) -> None:
        super().setUp()
        self.made_id = self.call("POST", "/projects", {"name": "P", "api_key": API_KEY}).json["id"]

    def test_login(self) -> None:
        """A token is good if projects can be listed with it."""
        self.assertEqual(self.call("GET", "/projects").status, 200)
        self.assertEqual(self.ask("GET", "/projects", headers={"Authorization": "Bearer wrong"}).status, 401)

    def test_lists(self) -> None:
        """Pages show all that they get, which is an array, of what they expect."""
        self.call("POST", "/tokens", {"project_id": self.made_id, "duration_minutes": 15, "max_requests": 0})
        for path in ("/tokens", f"/tokens?projectId={self.made_id}"):
            [token] = self.call("GET", path).json
            self.assertLessEqual(
                {
                    "id",
                    "token",
                    "project_id",
                    "expires_at",
                    "is_active",
                    "request_count",
                    "max_requests",
                    "created_at",
                    "last_used_at",
                    "cache_hit_count",
                },
                set(token),
                path,
            )
            self.assertIsNone(token["max_requests"], path)

    def test_edit_project(self) -> None:
        """The form sends all that it has: an empty key keeps the one that is there."""
        path = f"/projects/{self.made_id}"
        for active in (False, True):
            answer = self.call("PATCH", path, {"name": "Q", "api_key": "", "is_active": active})
            self.assertEqual((answer.json["name"], answer.json["is_active"]), ("Q", active), active)
        self.assertEqual(answer.json["api_key"], "sk-upstr...cdef")

    def test_tokens(self) -> None:
        """A token is made, edited, revoked from its page, and brought back."""
        made = self.call("POST", "/tokens", {"project_id": self.made_id, "duration_minutes": 15, "max_requests": 5})
        path = f"/tokens/{made.json['id']}"
        self.assertEqual(self.call("PATCH", path, {"is_active": True, "max_requests": 7}).json["max_requests"], 7)
        self.assertEqual(self.call("DELETE", path).status, 204)
        self.assertFalse(self.call("GET", path).json["is_active"])
        self.assertTrue(self.call("PATCH", path, {"is_active": True}).json["is_active"])

    def test_revoke_all(self) -> None:
        """All tokens of a project are revoked by a POST without a body."""
        self.call("POST", "/tokens", {"project_id": self.made_id, "duration_minutes": 15})
        answer = self.call("POST", f"/projects/{self.made_id}/tokens/revoke")
        self.assertEqual(
            (answer.status, answer.json), (200, {"revoked_count": 1, "already_revoked_count": 0, "total_tokens": 1})
        )


class CachePurgeTests(CacheManageTestCase):
    def test_purge(self) -> None:
        """C{manage cache purge}: an address, which was there or not, or a prefix, and how much was there."""
        self.controls.fill()
        address = {"method": "GET", "url": "/v1/models?x=1"}
        for expected in (True, False):
            answer = self.ask("POST", "/cache/purge", address)
            self.assertEqual((answer.status, answer.json), (200, {"deleted": expected}), expected)
        answer = self.ask("POST", "/cache/purge", {"method": "GET", "url": "/v1/chat", "prefix": "/v1/chat"})
        self.assertEqual((answer.status, answer.json), (200, {"deleted": 2}))


class AuditPagesTests(AuditApiTestCase):
    def test_pages(self) -> None:
        """The audit pages ask by number, with every filter they have, also the empty ones, and show what they get."""
        self.write(25)
        filters = "action=&actor=&client_ip=&correlation_id=&method=&outcome=&path=&project_id=&request_id="
        answer = self.ask("GET", f"/audit?{filters}&search=&page=2&page_size=20", headers=BROWSER)
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            answer.json["pagination"],
            {"page": 2, "page_size": 20, "total_count": 26, "total_pages": 2, "has_next": False, "has_prev": True},
        )
        event = answer.json["events"][0]
        self.assertLessEqual({"id", "timestamp", "action", "actor", "outcome"}, set(event))
        self.assertEqual(self.ask("GET", f"/audit/{event['id']}", headers=BROWSER).json["id"], event["id"])

    def test_forwarded(self) -> None:
        """What the admin pages say of the browser behind them is noted (appendix A34)."""
        self.ask("GET", "/projects", headers=BROWSER)
        noted = self.notes.events[-1][3]
        self.assertEqual(
            (noted["forwarded_user_agent"], noted["forwarded_referer"], noted["origin"]),
            ("Mozilla/5.0", "http://admin.example/projects", "admin-ui"),
        )
