"""The audit log in Chromium, and what leads there: tokens revoked one by one and all at once, projects deactivated."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from .browser import BrowserTestCase


class AuditTestCase(BrowserTestCase):
    """@ivar project: of this test alone; C{token} and C{secret} are of its first token."""

    def setUp(self) -> None:
        super().setUp()
        made = {"name": f"audit {self.id().rpartition('.')[2]}", "api_keys": {"openai": self.site.upstream_key}}
        found = [each for each in self.site.ask("GET", "/projects") if each["name"] == made["name"]]
        self.project = found[0]["id"] if found else self.site.ask("POST", "/projects", made)["id"]
        self.token, self.secret = self.issue("first")

    def issue(self, name: str) -> tuple[str, str]:
        wanted = {"project_id": self.project, "duration_minutes": 60, "name": name}
        token = self.site.ask("POST", "/tokens", wanted)
        return token["id"], token["token"]

    def status_of(self, secret: str) -> int:
        """What a program is answered that shows it."""
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        fields = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.site.address}/v1/chat/completions", body, fields)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    def listed(self, page: Any, query: str) -> list[str]:
        """The rows of a list, once the records of what was done are there: they are written a moment later."""
        for _ in range(100):
            self.go(page, f"/audit?{query}")
            if page.locator("tbody tr").count():
                break
            page.wait_for_timeout(100)
        rows: list[str] = page.locator("tbody tr").all_inner_texts()
        return rows


class AuditPagesTests(AuditTestCase):
    def test_list_and_detail(self) -> None:
        """A list with what was done, by whom, from where and with which outcome; each leads to all that is known."""
        self.site.ask("DELETE", f"/tokens/{self.token}")
        for script in (True, False):
            page = self.signed_in(script=script)
            [row] = self.listed(page, f"action=token.revoke&token_id={self.token}")
            heads = page.locator("thead th").all_inner_texts()
            self.assertEqual(heads, ["When", "Who", "What", "Outcome", "From", "Project"], script)
            for words in ("token.revoke", "success", "127.0.0.1", self.project[:8]):
                self.assertIn(words, row, script)
            self.assertEqual(page.locator("tbody .badge").first.get_attribute("class"), "badge good", script)
            page.click("tbody a >> nth=0")
            self.assertIn("token.revoke", page.inner_text("h1"), script)
            shown = page.inner_text("main")
            for words in (self.project, self.token, "127.0.0.1", "DELETE", f"/manage/tokens/{self.token}"):
                self.assertIn(words, shown, (script, words))
            page.click(".crumbs a")
            self.assertTrue(page.url.endswith("/admin/audit"), page.url)

    def test_searched_and_cleared(self) -> None:
        """What is searched for stays in the address and in the field, until it is cleared; nothing found says so."""
        self.site.ask("DELETE", f"/tokens/{self.token}")
        for script in (True, False):
            page = self.signed_in(script=script)
            self.listed(page, f"token_id={self.token}&action=token.revoke")
            self.go(page, "/audit")
            self.assertFalse(page.is_visible("text=Clear"), script)
            page.fill("#search", "TOKEN.revoke")
            page.click("main button >> text=Search")
            page.wait_for_url(lambda url: "search=TOKEN.revoke" in url)
            self.assertEqual(page.input_value("#search"), "TOKEN.revoke", script)
            page.wait_for_function("document.querySelectorAll('tbody tr').length > 0")
            # Who looked for it before is found as well: that is a record, too, with what was looked for in its address.
            self.assertIn("token.revoke", page.inner_text("tbody"), script)
            self.go(page, "/audit?search=nothing-is-like-that")
            self.assertIn("Nothing was noted", page.inner_text("main"), script)
            page.click("main >> text=Clear")
            self.assertEqual((page.url.partition("/admin")[2], page.input_value("#search")), ("/audit", ""), script)

    def test_pages(self) -> None:
        """A search of several pages is one on each of them; the second leads back to the first."""
        for _ in range(60):
            self.site.ask("GET", f"/projects/{self.project}")
        page = self.signed_in(script=False)
        query = f"action=project.read&project_id={self.project}"
        for _ in range(100):
            if len(self.listed(page, query)) >= 50:
                break
            page.wait_for_timeout(100)
        first = page.locator("tbody a[href*='/audit/']").evaluate_all("found => found.map(each => each.href)")
        page.click("text=Next")
        self.assertIn("action=project.read", page.url)
        second = page.locator("tbody a[href*='/audit/']").evaluate_all("found => found.map(each => each.href)")
        self.assertTrue(second and not set(first) & set(second), (first, second))
        page.click("text=First")
        self.assertEqual(page.input_value("#action"), "project.read")


class WorkflowTests(AuditTestCase):
    def test_deactivated(self) -> None:
        """A project that is deactivated refuses its programs at once, its page says so, and the log says who did it."""
        page = self.signed_in(script=False)
        self.assertEqual(self.status_of(self.secret), 200)
        self.go(page, f"/projects/{self.project}")
        page.click("main a.danger >> text=Deactivate")
        page.click("main button.danger")
        self.assertIn("This project is inactive", page.inner_text("main"))
        self.assertEqual(self.status_of(self.secret), 403)
        self.assertEqual(self.site.ask("GET", f"/tokens/{self.token}")["is_active"], True)
        [row] = self.listed(page, f"action=project.update&project_id={self.project}")
        page.click("tbody a >> nth=0")
        self.assertIn("admin-ui", page.inner_text("main"), row)
        self.site.ask("PATCH", f"/projects/{self.project}", {"is_active": True})

    def test_all_at_once(self) -> None:
        """
        All tokens of a project: who is asked says no first, then yes, by a button that names how many; each is refused
        from then on, and the record names the project.
        """
        secrets = [self.secret, self.issue("second")[1], self.issue("third")[1]]
        page = self.signed_in(script=False)
        self.go(page, f"/projects/{self.project}")
        page.click("text=Revoke all")
        page.click("main >> text=Cancel")
        self.assertEqual([self.status_of(each) for each in secrets], [200, 200, 200])
        page.click("text=Revoke all")
        self.assertIn("Revoke 3 tokens", page.inner_text("main .danger"))
        page.click("main .danger")
        self.assertIn(self.project, page.url)
        self.assertEqual({self.status_of(each) for each in secrets} - {401, 403}, set())
        self.go(page, f"/tokens?project={self.project}&state=active")
        self.assertEqual(page.locator("tbody tr").count(), 0)
        [_] = self.listed(page, f"action=token.revoke_batch&project_id={self.project}")
        page.click("tbody a >> nth=0")
        self.assertIn(self.project, page.inner_text("main"))

    def test_no_secret(self) -> None:
        """No list and no page of a token has more of its secret than the hint; its state is a word, not a colour."""
        page = self.signed_in()
        for path in ("/tokens", f"/tokens/{self.token}", f"/tokens/{self.token}/edit", f"/projects/{self.project}"):
            self.go(page, path)
            self.assertNotIn(self.secret, page.content(), path)
            self.assertNotIn(self.secret[8:-4], page.content(), path)
        self.go(page, f"/tokens?project={self.project}")
        self.assertIn("Active", page.inner_text("tbody .badge"))
        self.site.ask("DELETE", f"/tokens/{self.token}")
        page.reload()
        self.assertIn("Revoked", page.inner_text("tbody .badge"))

    def test_trail(self) -> None:
        """Whatever was done has its record: created, changed, revoked."""
        other, _ = self.issue("trail")
        self.site.ask("PATCH", f"/tokens/{other}", {"name": "renamed"})
        self.site.ask("DELETE", f"/tokens/{other}")
        page = self.signed_in()
        for _ in range(100):
            rows = self.listed(page, f"token_id={other}")
            if len(rows) >= 3:
                break
            page.wait_for_timeout(100)
        said = " ".join(rows)
        for action in ("token.create", "token.update", "token.revoke"):
            self.assertIn(action, said)
