"""Projects in pages."""

from __future__ import annotations

from typing import Any

from ...usagereports import an_entry
from ..browser import PagesTestCase, Shown


class ProjectsTests(PagesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()

    def create(self, **fields: Any) -> Shown:
        return self.send(self.visit("/projects/new"), **fields)

    def one(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in self.ask("GET", "/projects").json if each["name"] == name)
        return found

    def test_created(self) -> None:
        """A project is created with keys and limits, and shown; its keys are masked."""
        shown = self.create(**{"name": "team a", "key.openai": "sk-abcdefghijklmnopqrstuvwxyz", "rpm_limit": "60"})
        self.assertIn("The project team a has been created.", shown.text)
        self.assertNotIn(b"defghijklmnop", shown.body)
        project = self.one("team a")
        self.assertEqual((project["rpm_limit"], list(project["api_keys"])), (60, ["openai"]))
        self.assertIn("Requests a minute", shown.text)

    def test_refused(self) -> None:
        """What is wrong stands beside its field; what was typed is still there, but for keys."""
        self.create(name="taken")
        for fields, words in (
            ({"name": ""}, "A project needs a name."),
            ({"name": "taken"}, "exists already"),
            ({"name": "x", "rpm_limit": "many"}, "Expected"),
            ({"name": "x", "max_budget": "10", "soft_budget": "20"}, "never warn"),
        ):
            shown = self.create(**{**fields, "key.openai": "sk-secret-that-was-typed-0123456789", "models": "gpt-4o"})
            self.assertIn(shown.status, (400, 409, 422), fields)
            self.assertIn(words, shown.text, fields)
            self.assertIn(b"gpt-4o", shown.body, fields)
            self.assertNotIn(b"sk-secret", shown.body, fields)
            self.assertIn('aria-invalid="true"', shown.body.decode(), fields)
        self.assertEqual([each["name"] for each in self.ask("GET", "/projects").json], ["taken"])

    def test_without_token(self) -> None:
        """Use of nobody's token, and of no model, is shown as such."""
        self.create(name="a")
        project = self.one("a")["id"]
        nothing = {"token_id": None, "model": "", "project_id": project}
        self.reports.entries.append(an_entry(1, self.clock.seconds() - 5, **nothing))
        shown = self.visit(f"/projects/{project}")
        self.assertEqual((shown.status, shown.text.count("unknown")), (200, 2))

    def test_sent_twice(self) -> None:
        """A form that is sent twice, or again with the back button, makes one project."""
        page = self.visit("/projects/new")
        for _ in "ab":
            self.send(page, name="once")
        self.assertEqual(len(self.ask("GET", "/projects").json), 1)

    def test_edited(self) -> None:
        """What is changed is changed, and the rest stays: an empty key keeps the one that is there."""
        self.create(**{"name": "a", "key.openai": "sk-abcdefghijklmnopqrstuvwxyz", "rpm_limit": "60", "tpm_limit": "5"})
        path = f"/projects/{self.one('a')['id']}/edit"
        shown = self.visit(path)
        self.assertEqual(shown.page.form("")["fields"]["rpm_limit"], "60")
        self.send(
            shown, **{"name": "b", "rpm_limit": "", "tpm_limit": "none", "key.anthropic": "sk-ant-0123456789abcdefgh"}
        )
        project = self.one("b")
        self.assertEqual(sorted(project["api_keys"]), ["anthropic", "openai"])
        self.assertNotIn("rpm_limit", project)
        self.assertIsNone(project["tpm_limit"])
        self.send(self.visit(path), remove_key="openai")
        self.assertEqual(list(self.one("b")["api_keys"]), ["anthropic"])

    def test_changed_meanwhile(self) -> None:
        """What somebody else has changed since is not overwritten unseen: it stands beside what was typed."""
        self.create(name="a", rpm_limit="60", tpm_limit="5")
        project = self.one("a")["id"]
        page = self.visit(f"/projects/{project}/edit")
        self.ask("PATCH", f"/projects/{project}", {"name": "theirs", "rpm_limit": 70})
        shown = self.send(page, name="mine")
        self.assertEqual(shown.status, 412)
        self.assertIn("Somebody else has changed this", shown.text)
        for words, number in (("It is theirs now.", 1), ("It is 70 now.", 1), ("It is 5 now.", 0)):
            self.assertEqual(shown.text.count(words), number, words)
        self.assertEqual(self.send(shown, name="mine").status, 200)
        self.one("mine")

    def test_deactivated(self) -> None:
        """It is said what deactivation does, with the number of tokens, and it can be undone."""
        project = self.project("a")
        for _ in "ab":
            self.token(project)
        page = self.visit(f"/projects/{project}/deactivate")
        self.assertIn("tokens that are not revoked", page.text)
        shown = self.send(page, revoke_tokens="1")
        self.assertIn("This project is inactive", shown.text)
        self.assertEqual([each["is_active"] for each in self.ask("GET", "/tokens").json], [False, False])
        shown = self.send(shown, f"/projects/{project}/activate")
        self.assertIn("The project is active again.", shown.text)
        self.assertTrue(self.one("a")["is_active"])

    def test_revoked(self) -> None:
        """All tokens are revoked after a question that names their number."""
        project = self.project("a")
        page = self.visit(f"/projects/{project}/revoke-tokens")
        self.assertIn("no token that is not revoked", page.text)
        for _ in "abc":
            self.token(project)
        page = self.visit(f"/projects/{project}/revoke-tokens")
        self.assertIn("Revoke 3 tokens", page.text)
        self.assertIn("3 tokens have been revoked.", self.send(page).text)
        self.assertEqual(len(self.ask("GET", "/tokens?active=false").json), 3)

    def test_not_there(self) -> None:
        """An address of nothing says so."""
        for path in ("/projects/x", "/projects/x/edit", "/projects/a%2Fb", "/projects/x/revoke-tokens"):
            self.assertIn(self.visit(path).status, (400, 404), path)
