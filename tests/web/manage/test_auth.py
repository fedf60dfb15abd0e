"""Who may use the management API."""

from __future__ import annotations

from llmproxy.web.manage.auth import ManagementAuth

from .api import MANAGEMENT_TOKEN, ManageTestCase


class ManagementAuthTests(ManageTestCase):
    def test_refused(self) -> None:
        """Whoever does not know the token learns nothing but that: not even what there is."""
        missing, wrong = "missing or invalid Authorization header", "invalid management token"
        table = (
            ("", missing),
            ("Bearer", missing),
            ("Bearer ", missing),
            (f"Basic {MANAGEMENT_TOKEN}", missing),
            (MANAGEMENT_TOKEN, missing),
            ("Bearer wrong", wrong),
            (f"Bearer {MANAGEMENT_TOKEN}x", wrong),
            (f"Bearer {MANAGEMENT_TOKEN[:-1]}", wrong),
        )
        for authorization, error in table:
            for method, path in (("GET", "/projects"), ("GET", "/nowhere"), ("PUT", "/tokens"), ("GET", "")):
                answer = self.ask(method, path, headers={"Authorization": authorization})
                self.refused(answer, 401, error)
                self.assertEqual(answer.header("www-authenticate"), 'Bearer realm="llmproxy management"')

    def test_scheme(self) -> None:
        """The scheme may be written in any case (RFC 9110 section 11.1)."""
        for scheme in ("bearer", "BEARER", "Bearer "):
            answer = self.ask("GET", "/projects", headers={"Authorization": f"{scheme} {MANAGEMENT_TOKEN}"})
            self.assertEqual(answer.status, 200)

    def test_nothing_is_done(self) -> None:
        """A refused call changes nothing and is not read."""
        self.ask("POST", "/projects", {"name": "n", "api_key": "k"}, headers={"Authorization": "Bearer x"})
        self.assertEqual(self.ask("GET", "/projects").json, [])

    def test_empty(self) -> None:
        """There is no management without a token."""
        self.assertRaises(ValueError, ManagementAuth, "")

    def test_secret(self) -> None:
        """The token is not kept."""
        self.assertNotIn(MANAGEMENT_TOKEN, repr(vars(ManagementAuth(MANAGEMENT_TOKEN))))
