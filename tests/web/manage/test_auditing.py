"""What is noted of every call."""

from __future__ import annotations

from typing import Any

from .api import API_KEY, ManageTestCase


class NotingTests(ManageTestCase):
    def noted(self) -> dict[str, Any]:
        return self.notes.events[-1][3]

    def test_ids(self) -> None:
        """A call is found again by the ids that its caller gave it; one without gets one, and the answer has them."""
        answer = self.ask("GET", "/projects", headers={"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"})
        self.assertEqual((answer.header("x-request-id"), answer.header("x-correlation-id")), ("r-1", "c-1"))
        self.assertEqual((self.noted()["request_id"], self.noted()["correlation_id"]), ("r-1", "c-1"))
        first = self.ask("GET", "/projects").header("x-request-id")
        self.assertEqual(self.noted()["request_id"], first)
        self.assertNotEqual(self.ask("GET", "/projects").header("x-request-id"), first)

    def test_bad_ids(self) -> None:
        """An id that would spoil a log is not taken over."""
        for value in ("a b", "x" * 129, "\xe9"):
            answer = self.ask("GET", "/projects", headers={"X-Request-ID": value})
            self.assertNotEqual(answer.header("x-request-id"), value)

    def test_refused_too(self) -> None:
        """Who is not let in is noted with ids and address as well."""
        answer = self.ask("GET", "/projects", headers={"Authorization": "Bearer x", "X-Request-ID": "r-2"})
        self.assertEqual((answer.status, answer.header("x-request-id")), (401, "r-2"))
        self.assertEqual((self.noted()["request_id"], self.noted()["client_ip"]), ("r-2", "127.0.0.1"))

    def test_interface(self) -> None:
        """What an interface says of the browser behind it stands beside what is known, and only of those let in."""
        told = {
            "User-Agent": "admin/1",
            "X-Forwarded-User-Agent": "Firefox",
            "X-Forwarded-Referer": "https://admin/",
            "X-Admin-Origin": "1",
        }
        self.ask("GET", "/projects", headers=told)
        self.assertEqual(self.noted()["user_agent"], "admin/1")
        self.assertEqual(self.noted()["forwarded_user_agent"], "Firefox")
        self.assertEqual(self.noted()["forwarded_referer"], "https://admin/")
        self.assertEqual(self.noted()["origin"], "admin-ui")
        self.ask("GET", "/projects", headers=told | {"Authorization": "Bearer x"})
        self.assertFalse({"forwarded_user_agent", "forwarded_referer", "origin"} & set(self.noted()))

    def test_changed(self) -> None:
        """What was changed, to what; a key only as changed."""
        project = self.project()
        self.ask("PATCH", f"/projects/{project}", {"name": "new", "api_key": API_KEY})
        self.assertEqual(self.noted()["changed"], {"name": "new", "api_key": "[masked]"})
