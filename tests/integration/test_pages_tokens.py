"""Tokens in Chromium, with and without JavaScript: what the reference's tests do, and what may go wrong."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from .browser import BrowserTestCase


class TokenPagesTests(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        name = f"tokens {self.id().rpartition('.')[2]}"
        found = [each for each in self.site.ask("GET", "/projects") if each["name"] == name]
        made = {"name": name, "api_keys": {"openai": self.site.upstream_key}}
        self.project = found[0]["id"] if found else self.site.ask("POST", "/projects", made)["id"]

    def create(self, page: Any, **fields: str) -> str:
        """Fill in the form of a new token; its secret."""
        self.go(page, f"/tokens/new?project={self.project}")
        for name, value in fields.items():
            page.fill(f"#{name}", value)
        page.click("main .primary")
        secret: str = page.inner_text("#secret")
        return secret

    def status_of(self, secret: str) -> int:
        """What a program is answered that shows it."""
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "Hi"}]}).encode()
        fields = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.site.address}/v1/chat/completions", body, fields)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    def tokens(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.site.ask("GET", f"/tokens?projectId={self.project}")
        return found

    def test_whole_life(self) -> None:
        """A token is made, found, edited, rotated, revoked after a question that can be declined, and activated."""
        for script in (True, False):
            page = self.signed_in(script=script)
            before = len(self.tokens())
            secret = self.create(page, name=f"life {script}", max_requests="500", rpm_limit="60")
            self.assertEqual(self.status_of(secret), 200, script)
            page.click("text=Show the token")
            self.assertNotIn(secret, page.content(), script)
            page.click("text=Edit")
            page.fill("#max_requests", "700")
            page.select_option("#duration", "1440")
            page.click("main .primary")
            self.assertIn("of 700", page.inner_text("main"), script)
            page.click(".actions >> text=Rotate")
            page.select_option("#overlap_seconds", "0")
            page.click("main .primary")
            rotated = page.inner_text("#secret")
            self.assertEqual((self.status_of(secret), self.status_of(rotated)), (401, 200), script)
            page.click("text=Show the token")
            page.click(".actions >> text=Revoke")
            page.click("text=Cancel")
            self.assertEqual(self.status_of(rotated), 200, script)
            page.click(".actions >> text=Revoke")
            page.click("main .danger")
            self.assertIn("Revoked", page.inner_text("h1"), script)
            self.assertIn(self.status_of(rotated), (401, 403), script)
            page.click("text=Activate")
            self.assertIn("of 700", page.inner_text("main"), script)
            self.assertEqual(len(self.tokens()), before + 1, script)

    def test_shown_once(self) -> None:
        """Loading the answer anew, and going back, makes no other token and loses none."""
        page = self.signed_in()
        before = len(self.tokens())
        secret = self.create(page, name="once")
        page.reload()
        self.assertEqual(page.inner_text("#secret"), secret)
        page.go_back()
        self.assertEqual(len(self.tokens()), before + 1)

    def test_copied(self) -> None:
        """One click copies the secret, and says so; the button is not there where it cannot work."""
        page = self.signed_in(permissions=["clipboard-read", "clipboard-write"])
        secret = self.create(page)
        page.click(".secret .copy")
        page.wait_for_selector("text=Copied")
        self.assertEqual(page.evaluate("navigator.clipboard.readText()"), secret)
        plain = self.signed_in(script=False)
        self.create(plain)
        self.assertFalse(plain.is_visible(".secret .copy"))

    def test_clicked_twice(self) -> None:
        """Two clicks in a hurry make one token."""
        page = self.signed_in()
        before = len(self.tokens())
        self.go(page, f"/tokens/new?project={self.project}")
        page.dblclick("main .primary")
        page.wait_for_selector("#secret")
        self.assertEqual(len(self.tokens()), before + 1)

    def test_found(self) -> None:
        """A secret that was found leads to its token, and stands in no address."""
        page = self.signed_in(script=False)
        secret = self.create(page, name="lost and found")
        self.go(page, "/tokens")
        page.click("summary >> text=Find a token")
        page.fill("#secret", secret)
        page.click("details button >> text=Find")
        self.assertIn("lost and found", page.inner_text("h1"))
        self.assertNotIn(secret, page.url)

    def test_revoked_meanwhile(self) -> None:
        """What somebody else has revoked meanwhile is not made good again by a form that was open."""
        page = self.signed_in()
        self.create(page, name="meanwhile")
        token = self.tokens()[0]["id"]
        self.go(page, f"/tokens/{token}/edit")
        self.site.ask("DELETE", f"/tokens/{token}")
        page.fill("#name", "mine")
        page.click("main .primary")
        self.assertIn("Somebody else has changed this", page.inner_text("[role=alert]"))
        self.assertEqual([self.tokens()[0][name] for name in ("name", "is_active")], ["meanwhile", False])

    def test_live(self) -> None:
        """What happens is shown while one looks on, by one stream, which ends while nobody sees the page."""
        page = self.signed_in()
        self.go(page, "/display")
        streams: list[str] = []
        page.on("request", lambda request: streams.append(request.url) if "/live/" in request.url else None)
        self.go(page, "/")
        page.wait_for_selector(".live:not(.off)")
        before = page.inner_text("[data-live='numbers.requests']")
        self.site.chat()
        page.wait_for_function(
            "before => document.querySelector(\"[data-live='numbers.requests']\").textContent !== before", arg=before
        )
        self.assertEqual(len(streams), 1)
