"""The admin pages in Chromium where something goes wrong while one works: nothing that was filled in is lost."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from typing import Any

from .browser import BrowserTestCase
from .databases import server
from .processes import LLMPROXY, MANAGEMENT_TOKEN, free_port, start, wait_for_text

CONFIG = """default_api: openai
apis:
  openai: {base_url: "http://127.0.0.1:9", allowed_endpoints: [/v1], allowed_methods: [POST]}
"""


class _Elsewhere:
    """A proxy with a database that can be stopped: what pages need of L{Site}."""

    def __init__(self, directory: str, url: str) -> None:
        self.token = MANAGEMENT_TOKEN
        self.address = f"http://127.0.0.1:{free_port()}"
        with open(os.path.join(directory, "apis.yaml"), "w") as file:
            file.write(CONFIG)
        listen = f"tcp:{self.address.rpartition(':')[2]}:interface=127.0.0.1"
        self.process = start(
            (*LLMPROXY, "serve", "--config", "apis.yaml", "--listen", listen, "--admin-ui"),
            directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_URL=url,
        )
        wait_for_text(os.path.join(directory, "stderr"), "workers: 1", self.process)

    def names(self) -> list[str]:
        """Of all projects."""
        request = urllib.request.Request(
            f"{self.address}/manage/projects", headers={"Authorization": f"Bearer {MANAGEMENT_TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return [each["name"] for each in json.load(answer)]


class DatabaseTests(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.database = server("postgresql")
        self.addCleanup(self._running)
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        site = _Elsewhere(directory, self.database.new_database())
        self.addCleanup(site.process.wait, 20)
        self.addCleanup(site.process.terminate)
        self.names = site.names
        elsewhere: Any = site
        self.site = elsewhere
        self.origin = site.address

    def _running(self) -> None:
        """Others use the same server."""
        if self.database.process is None:
            self.database.start()

    def test_away(self) -> None:
        """A form that is sent while the database is away is sent again when it is back, from the page that said so."""
        for script in (True, False):
            name = f"written once, {script}"
            page, looking, coming = (self.signed_in(script=script) for _ in range(3))
            self.go(page, "/projects/new")
            page.fill("#name", name)
            page.fill("[name='key.openai']", "sk-canary-of-a-key")
            self.go(coming, "/sign-in")
            self.database.stop(signal.SIGINT)
            page.click("main .primary")
            self.assertIn("The proxy cannot answer now.", page.inner_text("h1"), script)
            self.assertNotIn("sk-canary", page.content(), script)
            for path in ("/", "/projects", "/usage", "/live", "/audit", "/settings"):
                self.assertEqual(self.go(looking, path), 503, (script, path))
                self.assertIn("Try again", looking.inner_text("main"), (script, path))
            self.sign_in(coming, self.site.token)
            self.assertIn("The proxy cannot answer now.", coming.inner_text("main"), script)
            self.assertEqual(self.axe(page) if script else [], [], script)
            self.database.start()
            page.fill("[name='key.openai']", "sk-canary-of-a-key")
            page.click("main .primary")
            self.assertIn(f"The project {name} has been created.", page.inner_text("body"), script)
            self.assertEqual(self.names().count(name), 1, script)
            # Nobody was signed out by it, and who came then is let in.
            looking.click("main .primary")
            self.assertIn("Settings", looking.inner_text("h1"), script)
            self.go(coming, "/sign-in")
            self.sign_in(coming, self.site.token)
            self.assertIn("Overview", coming.inner_text("h1"), script)
