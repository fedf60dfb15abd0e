"""C{llmproxy admin-ui}: the pages in a process of their own, as in one with the proxy."""

from __future__ import annotations

import os
import re
import urllib.request
from typing import Any

from .browser import BrowserTestCase
from .certificates import Authority
from .processes import LLMPROXY, start, wait_for_text


class AdminUiTests(BrowserTestCase):
    def pages(self, *command: str) -> str:
        """The address of the pages, in a process that ends with the test."""
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        process = start((*LLMPROXY, *command), directory)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        said = wait_for_text(os.path.join(directory, "stdout"), "Stop with", process)
        return re.search(r"Pages: (\S+)/admin", said)[1]  # type: ignore[index]

    def test_everything(self) -> None:
        """Signing in, a change, what is live, and signing out: over the management API alone."""
        # Other tests of this process may have made projects: which one a token is for, would be asked.
        project = self.site.ask("GET", "/projects")[0]["id"]
        for command in (("admin-ui", "--listen", "127.0.0.1:0"), ("admin", "--listen", "127.0.0.1:0")):
            address = self.pages(*command, "--api-base-url", self.site.address)
            page = self._signed_in(address)
            self.assertIn("Overview", page.inner_text("h1"), command)
            self.site.chat()
            page.wait_for_selector(".live:not(.off)")
            page.goto(f"{address}/admin/tokens/new?project={project}")
            page.fill("#name", "made elsewhere")
            page.click("main .primary")
            self.assertIn(f"{self.site.address}/v1", page.inner_text("pre >> nth=0"), command)
            made = [each["name"] for each in self.site.ask("GET", "/tokens")]
            self.assertIn("made elsewhere", made, command)
            page.click("details.menu summary")
            page.click("text=Sign out >> nth=0")
            self.assertIn("/sign-in", page.url, command)

    def _signed_in(self, address: str) -> Any:
        page = self.open()
        # The pages are of this address, and nothing is asked of the proxy by the browser.
        self.origin = address
        page.goto(f"{address}/")
        self.sign_in(page, "wrong")
        self.assertIn("not known here", page.inner_text("[role=alert]"))
        self.sign_in(page, self.site.token)
        return page

    def test_over_tls(self) -> None:
        """Over TLS, and so over HTTP/2, the session is one that no other host can set, and all works as before."""
        certificate, key = Authority(self.mktemp()).issue("localhost")
        listen = f"ssl:0:interface=127.0.0.1:privateKey={os.path.abspath(key)}:certKey={os.path.abspath(certificate)}"
        address = self.origin = self.pages("admin-ui", "--listen", listen, "--api-base-url", self.site.address)
        page = self.open(ignore_https_errors=True)
        page.goto(f"{address}/admin/projects")
        self.sign_in(page, self.site.token)
        self.assertTrue(page.url.endswith("/projects"), page.url)
        cookies = {each["name"]: each for each in page.context.cookies()}
        self.assertTrue(cookies["__Host-llmproxy_session"]["secure"])
        self.assertNotIn("llmproxy_session", cookies)
        protocol = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        self.assertEqual(protocol, "h2")
        page.goto(f"{address}/admin/")
        page.wait_for_selector(".live:not(.off)")
        page.click("details.menu summary")
        page.click("text=Sign out >> nth=0")
        self.assertNotIn("__Host-llmproxy_session", {each["name"] for each in page.context.cookies()})

    def test_proxy_away(self) -> None:
        """Where there is no proxy, the page says so, and this process answers that it is well."""
        address = self.origin = self.pages(
            "admin-ui", "--listen", "127.0.0.1:0", "--api-base-url", "http://127.0.0.1:1"
        )
        page = self.open()
        page.goto(f"{address}/admin/")
        self.sign_in(page, self.site.token)
        self.assertIn("The proxy cannot be reached", page.inner_text("h1"))
        with urllib.request.urlopen(f"{address}/health", timeout=10) as answer:
            self.assertEqual(answer.status, 200)
