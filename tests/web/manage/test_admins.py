"""Admins over the management API."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import text

from .api import ManageTestCase


class AdminsTests(ManageTestCase):
    def create(self, name: str = "ops", role: str = "operator", **more: object) -> tuple[str, str]:
        """His id and token."""
        answer = self.ask("POST", "/admins", {"name": name, "role": role, **more})
        self.assertEqual(answer.status, 201)
        return answer.json["id"], answer.json["token"]

    def known(self, token: str) -> int:
        return self.ask("GET", "/self", headers={"Authorization": f"Bearer {token}"}).status

    def test_create(self) -> None:
        """A token is shown once, is known by its beginning, and is stored nowhere."""
        made, token = self.create()
        self.assertRegex(token, r"\Allmproxy_admin_[A-Za-z0-9_-]{43}\Z")
        rows = self.successResultOf(
            self.database.read(lambda c: [tuple(row) for row in c.execute(text("SELECT * FROM admins"))])
        )
        self.assertIn(sha256(token.encode()).hexdigest(), rows[0])
        self.assertNotIn(token, repr(rows) + repr(self.notes.events))
        self.assertEqual(
            self.ask("GET", f"/admins/{made}").json,
            {
                "id": made,
                "name": "ops",
                "role": "operator",
                "token": token[:19] + "*" * 8,
                "created_at": "2023-11-14T22:13:20.250000Z",
                "expires_at": None,
                "revoked_at": None,
                "last_used_at": None,
            },
        )
        self.assertEqual(self.known(token), 200)

    def test_refused(self) -> None:
        """Names are short, of letters that nobody mistakes, and taken once; a role is one that there is."""
        self.create()
        for body in (
            {"role": "owner"},
            {"name": "x"},
            {"name": "", "role": "owner"},
            {"name": "a b", "role": "owner"},
            {"name": "x" * 65, "role": "owner"},
            {"name": "x\n", "role": "owner"},
            {"name": "x", "role": "root"},
            {"name": "x", "role": "owner", "duration_minutes": 0},
        ):
            self.refused(self.ask("POST", "/admins", body), 400, "invalid request body")
        for name in ("ops", "management_api", "Anonymous"):
            answer = self.ask("POST", "/admins", {"name": name, "role": "owner"})
            self.refused(answer, 409, "an admin with this name exists already")
        self.assertEqual([each["name"] for each in self.ask("GET", "/admins").json], ["ops"])

    def test_revoke(self) -> None:
        """Who is revoked is refused from the answer on, says the list, and leaves his name to the next."""
        made, token = self.create()
        for _ in range(2):
            self.assertEqual(self.ask("DELETE", f"/admins/{made}").status, 204)
            self.assertEqual(self.known(token), 401)
        self.assertEqual(self.ask("GET", f"/admins/{made}").json["revoked_at"], "2023-11-14T22:13:20.250000Z")
        self.clock.advance(1)
        other, _ = self.create()
        self.assertEqual([each["id"] for each in self.ask("GET", "/admins").json], [other, made])
        for method in ("GET", "DELETE"):
            for path in ("x", ""):
                self.refused(self.ask(method, f"/admins/{path}"), 404, "admin not found")
            self.refused(self.ask(method, "/admins/%00"), 404, "not found")

    def test_expires(self) -> None:
        """One who was given a time is refused when it is over."""
        made, token = self.create(duration_minutes=1)
        self.assertEqual(self.ask("GET", f"/admins/{made}").json["expires_at"], "2023-11-14T22:14:20.250000Z")
        self.assertEqual(self.known(token), 200)
        self.clock.advance(60)
        answer = self.ask("GET", "/self", headers={"Authorization": f"Bearer {token}"})
        self.refused(answer, 401, "management token has expired")

    def test_last_used(self) -> None:
        """When somebody was there last is known to the minute, without writing at each call."""
        made, token = self.create()
        statements = []
        for _ in range(2):
            before = self.database.statements
            self.known(token)
            statements.append(self.database.statements - before)
        self.assertLess(statements[1], statements[0])
        self.clock.advance(60)
        self.known(token)
        self.assertEqual(self.ask("GET", f"/admins/{made}").json["last_used_at"], "2023-11-14T22:14:20.250000Z")

    def test_actor(self) -> None:
        """What an admin does is noted under his name."""
        _, token = self.create("alice", "owner")
        self.ask("GET", "/projects", headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(self.notes.events[-1][:3], ("project.list", "alice", "success"))
