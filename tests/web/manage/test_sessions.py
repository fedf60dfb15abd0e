"""Sessions of the admin pages over the management API."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from llmproxy.core.failures import BURST
from llmproxy.core.sessions import IDLE, LONGEST

from .api import MANAGEMENT_TOKEN, Answer, ManageTestCase


class SessionsTests(ManageTestCase):
    def sign_in(self, token: str = MANAGEMENT_TOKEN, **body: Any) -> tuple[str, str]:
        """Its id and secret."""
        answer = self.ask("POST", "/sessions", body, headers={"Authorization": f"Bearer {token}", "User-Agent": "ff"})
        self.assertEqual(answer.status, 201, answer.json)
        return answer.json["id"], answer.json["secret"]

    def admin(self, role: str, name: str = "") -> tuple[str, str]:
        made = self.ask("POST", "/admins", {"name": name or role, "role": role}).json
        return made["id"], made["token"]

    def with_secret(self, method: str, path: str, secret: str, body: Any = None) -> Answer:
        return self.ask(method, path, body, headers={"Authorization": f"Bearer {secret}"})

    def is_over(self, secret: str) -> bool:
        answer = self.with_secret("GET", "/self", secret)
        if answer.status == 401:
            self.refused(answer, 401, "the session has ended")
        return answer.status == 401

    def test_signed_in(self) -> None:
        """A session may do what its admin may, and its secret is stored nowhere."""
        for role, token in (("owner", MANAGEMENT_TOKEN), ("auditor", self.admin("auditor")[1])):
            _, secret = self.sign_in(token)
            self.assertRegex(secret, r"\Allmproxy_session_[A-Za-z0-9_-]{43}\Z", role)
            self.assertEqual(self.with_secret("GET", "/self", secret).json["role"], role, role)
            rows = self.successResultOf(
                self.database.read(lambda c: [tuple(row) for row in c.execute(text("SELECT * FROM sessions"))])
            )
            self.assertNotIn(secret, repr(rows) + repr(self.notes.events), role)
        self.assertEqual(self.with_secret("GET", "/projects", secret).status, 200)
        refused = self.with_secret("POST", "/projects", secret, {"name": "x", "api_keys": {}})
        self.refused(refused, 403, "not allowed")

    def test_no_session_of_a_session(self) -> None:
        """A session cannot be prolonged by another one."""
        _, secret = self.sign_in()
        self.refused(self.with_secret("POST", "/sessions", secret, {}), 403, "not allowed")

    def test_over(self) -> None:
        """It ends when it is not used, and at last in any case; using it is noted at most once a minute."""
        _, secret = self.sign_in()
        for _ in range(int(LONGEST / IDLE) * 2 - 1):
            self.clock.advance(IDLE / 2)
            self.assertFalse(self.is_over(secret))
        self.clock.advance(IDLE / 2)
        self.assertTrue(self.is_over(secret))
        _, secret = self.sign_in()
        self.clock.advance(IDLE)
        self.assertTrue(self.is_over(secret))

    def test_ended(self) -> None:
        """One that is ended is so at the next request, wherever it was ended."""
        made, secret = self.sign_in()
        _, other = self.sign_in()
        self.assertEqual(self.with_secret("DELETE", f"/sessions/{made}", other).status, 204)
        self.assertEqual((self.is_over(secret), self.is_over(other)), (True, False))
        self.refused(self.ask("DELETE", f"/sessions/{made}"), 404, "session not found")
        self.assertEqual(self.ask("DELETE", "/sessions").json, {"ended_count": 1})
        self.assertTrue(self.is_over(other))

    def test_with_its_admin(self) -> None:
        """Who is revoked is signed out."""
        admin_id, token = self.admin("operator")
        _, secret = self.sign_in(token)
        self.ask("DELETE", f"/admins/{admin_id}")
        self.assertTrue(self.is_over(secret))

    def test_with_its_token(self) -> None:
        """With another management token its holder has to sign in again."""
        _, secret = self.sign_in()
        self.treq = self.client(self.resource(management_token="another-management-token"))
        self.assertTrue(self.is_over(secret))

    def test_own(self) -> None:
        """Each sees and ends their own; an auditor looks at all of them, an owner ends all."""
        _, operator = self.sign_in(self.admin("operator")[1], client="203.0.113.9", agent="a browser")
        _, auditor = self.sign_in(self.admin("auditor")[1], keep=True)
        root, owner = self.sign_in()
        for secret, names in (
            (operator, ["operator"]),
            (auditor, ["auditor", "management_api", "operator"]),
            (owner, ["auditor", "management_api", "operator"]),
        ):
            found = self.with_secret("GET", "/sessions", secret).json
            self.assertEqual(sorted(each["name"] for each in found), names, names)
            self.assertEqual(len([each for each in found if each["is_current"]]), 1, names)
        seen = self.with_secret("GET", "/sessions", operator).json[0]
        self.assertEqual((seen["client"], seen["agent"], seen["kept"]), ("203.0.113.9", "a browser", False))
        self.refused(self.with_secret("DELETE", f"/sessions/{root}", auditor), 403, "not allowed")
        self.refused(self.with_secret("GET", "/sessions?of=all", operator), 403, "not allowed")
        self.refused(self.with_secret("DELETE", "/sessions?of=all", operator), 403, "not allowed")
        self.assertEqual(self.with_secret("GET", "/sessions?of=self", owner).json[0]["id"], root)
        self.assertEqual(self.with_secret("DELETE", "/sessions?of=all", owner).json, {"ended_count": 3})
        self.assertEqual([self.is_over(each) for each in (operator, auditor, owner)], [True] * 3)

    def test_lock_out(self) -> None:
        """Old sessions lock nobody out, and who is signed in is not locked out by the guesses of others."""
        _, secret = self.sign_in()
        for _ in range(BURST + 1):
            self.assertTrue(self.is_over("llmproxy_session_" + "A" * 43))
        self.assertFalse(self.is_over(secret))
        for _ in range(BURST + 1):
            last = self.ask("POST", "/sessions", {}, headers={"Authorization": "Bearer wrong"})
        self.refused(last, 429, "too many failed attempts")
        self.assertFalse(self.is_over(secret))

    def test_audited(self) -> None:
        """Who signs in, and who ends what, is in the audit log."""
        made, secret = self.sign_in()
        self.with_secret("DELETE", f"/sessions/{made}", secret)
        found = [(action, actor, details["session_id"]) for action, actor, _, details in self.notes.events]
        self.assertEqual(found, [(each, "management_api", made) for each in ("session.create", "session.end")])
