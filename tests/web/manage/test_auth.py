"""Who may use the management API."""

from __future__ import annotations

from typing import Any

from llmproxy.web.manage.auth import ManagementAuth

from .api import MANAGEMENT_TOKEN, ManageTestCase

MISSING, WRONG = "missing or invalid Authorization header", "invalid management token"


class ManagementAuthTests(ManageTestCase):
    def test_refused(self) -> None:
        """Whoever does not know the token learns nothing but that: not even what there is."""
        for authorization, error in (
            ("", MISSING),
            ("Bearer", MISSING),
            ("Bearer ", MISSING),
            (f"Basic {MANAGEMENT_TOKEN}", MISSING),
            (MANAGEMENT_TOKEN, MISSING),
            ("Bearer wrong", WRONG),
            (f"Bearer {MANAGEMENT_TOKEN}x", WRONG),
            (f"Bearer {MANAGEMENT_TOKEN[:-1]}", WRONG),
            (f"Bearer llmproxy_admin_{'x' * 43}", WRONG),
        ):
            for method, path in (("GET", "/projects"), ("GET", "/nowhere"), ("PUT", "/tokens"), ("OPTIONS", "/tokens")):
                answer = self.ask(method, path, headers={"Authorization": authorization})
                self.refused(answer, 401, error)
                self.assertEqual(
                    answer.header("www-authenticate"), 'Bearer realm="llmproxy management"', (method, path)
                )
            self.clock.advance(60)

    def test_scheme(self) -> None:
        """The scheme may be written in any case (RFC 9110 section 11.1)."""
        for scheme in ("bearer", "BEARER", "Bearer "):
            answer = self.ask("GET", "/projects", headers={"Authorization": f"{scheme} {MANAGEMENT_TOKEN}"})
            self.assertEqual(answer.status, 200, scheme)

    def test_nothing_is_done(self) -> None:
        """A refused call changes nothing and is not read."""
        self.ask("POST", "/projects", {"name": "n", "api_key": "k"}, headers={"Authorization": "Bearer x"})
        self.assertEqual(self.ask("GET", "/projects").json, [])

    def test_empty(self) -> None:
        """There is no management without a token."""
        self.assertRaises(ValueError, ManagementAuth, self.clock.seconds, "", self.database.admins)

    def test_secret(self) -> None:
        """The token is not kept."""
        made = ManagementAuth(self.clock.seconds, MANAGEMENT_TOKEN, self.database.admins)
        self.assertNotIn(MANAGEMENT_TOKEN, repr(vars(made)))


class FailuresTests(ManageTestCase):
    def test_shut_out(self) -> None:
        """Whoever guesses is shut out for a while, also with a right guess, and told for how long."""
        for _ in range(10):
            self.assertEqual(self.ask("GET", "/tokens", headers={"Authorization": "Bearer guess"}).status, 401)
        answer = self.ask("GET", "/tokens")
        self.refused(answer, 429, "too many failed attempts")
        for word in ("127.0.0.1", "trusted_proxies", "unix:"):
            self.assertIn(word, answer.json["description"])
        self.assertEqual(answer.header("retry-after"), "6")
        self.clock.advance(6)
        self.assertEqual(self.ask("GET", "/tokens").status, 200)
        self.assertEqual(self.ask("GET", "/tokens", headers={"Authorization": "Bearer guess"}).status, 401)
        self.assertEqual(self.ask("GET", "/tokens").status, 429)

    def test_noted(self) -> None:
        """Each failure is noted, and that it shuts somebody out; what comes then does not fill the log."""
        for _ in range(30):
            self.ask("GET", "/tokens", headers={"Authorization": "Bearer guess"})
        self.assertEqual([event[:3] for event in self.notes.events], [("admin.access", "anonymous", "denied")] * 10)
        self.assertEqual(
            [event[3].get("shut_out", False) for event in self.notes.events],
            [False] * 9 + [True],
        )

    def test_success(self) -> None:
        """Calls that are in order cost nothing, however many."""
        for _ in range(50):
            self.assertEqual(self.ask("GET", "/self").status, 200)


class RoleTests(ManageTestCase):
    def as_admin(self, role: str, method: str, path: str, body: Any = None) -> int:
        token = self.admins[role]
        answer = self.ask(method, path, body, headers={"Authorization": f"Bearer {token}"})
        return answer.status

    def setUp(self) -> None:
        super().setUp()
        self.admins = {
            role: self.ask("POST", "/admins", {"name": role, "role": role}).json["token"]
            for role in ("owner", "operator", "auditor")
        }

    def test_table(self) -> None:
        """Each role may do what it is for; what it may not do is not done, whether it is there or not."""
        project = self.project()
        token, _ = self.token(project)
        everybody, keepers, lookers, owner = (
            {"owner", "operator", "auditor"},
            {"owner", "operator"},
            {"owner", "auditor"},
            {"owner"},
        )
        for method, path, body, allowed in (
            ("GET", "/self", None, everybody),
            ("GET", "/projects", None, everybody),
            ("GET", f"/tokens/{token}", None, everybody),
            ("OPTIONS", "/admins", None, everybody),
            ("PATCH", f"/projects/{project}", {}, keepers),
            ("PATCH", f"/tokens/{token}", {"max_requests": 1}, keepers),
            ("POST", f"/tokens/{token}/rotate", None, keepers),
            ("POST", f"/projects/{project}/rotate-key", {"api_key": "k"}, keepers),
            ("POST", f"/projects/{project}/tokens/revoke", None, keepers),
            ("GET", "/admins", None, lookers),
            ("POST", "/admins", {"name": "x", "role": "owner"}, owner),
            ("DELETE", "/admins/x", None, owner),
        ):
            for role in ("auditor", "operator", "owner"):
                status = self.as_admin(role, method, path, body)
                self.assertEqual(status != 403, role in allowed, (role, method, path, status))

    def test_told(self) -> None:
        """A refusal says what it takes, and is noted under the name of who asked."""
        token = self.admins["auditor"]
        answer = self.ask("POST", "/tokens", {}, headers={"Authorization": f"Bearer {token}"})
        self.refused(answer, 403, "not allowed")
        self.assertEqual(answer.json["description"], "it takes the role owner or operator, and auditor is auditor")
        self.assertEqual(self.notes.events[-1][:3], ("token.create", "auditor", "denied"))

    def test_self(self) -> None:
        """Whoever asks can learn who he is taken for."""
        self.assertEqual(self.ask("GET", "/self").json["name"], "management_api")
        said = self.ask("GET", "/self", headers={"Authorization": f"Bearer {self.admins['auditor']}"}).json
        self.assertEqual((said["name"], said["role"]), ("auditor", "auditor"))
        self.assertIn("audit.read", said["permissions"])
        self.assertNotIn("token.write", said["permissions"])
