"""The pages of events in Chromium, of a proxy whose sink has dead letters."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import rmtree
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from llmproxy.core.roles import ROLES

from .browser import BrowserTestCase, Site
from .processes import MANAGEMENT_TOKEN, free_port, start

PATIENCE = 60.0

CONFIG = """\
default_api: openai
apis:
  openai: {{base_url: http://127.0.0.1:9, allowed_endpoints: [/v1], allowed_methods: [GET, POST]}}
sinks:
  - {{name: hook, type: http, url: "http://127.0.0.1:{port}/", flush_interval: 0.1, directory: letters}}
"""


class Refusing(BaseHTTPRequestHandler):
    """Takes no event, for good, until C{status} is another."""

    status = 422

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


class SiteWithSink(Site):
    """A proxy of which one exchange is a dead letter."""

    def __init__(self, directory: str, receiver: int) -> None:
        Path(directory, "apis.yaml").write_text(CONFIG.format(port=receiver))
        port = free_port()
        listen = ("--listen", f"tcp:{port}:interface=127.0.0.1", "--admin-ui")
        program = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile", "")
        self.directory = directory
        self.token, self.address = MANAGEMENT_TOKEN, f"http://127.0.0.1:{port}"
        self.process = start(
            (*program, "llmproxy", "--config", "apis.yaml", *listen),
            directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_URL=f"sqlite:///{os.path.join(directory, 'proxy.db')}",
            AUDIT_LOG_FILE="none",
        )

    def letters(self) -> int:
        return int(self.ask("GET", "/sinks/hook/dead-letters")["count"])

    def refuse_one(self) -> None:
        """An exchange whose event the receiver refuses."""
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                project = self.ask("POST", "/projects", {"name": "p", "api_keys": {"openai": "sk-0123456789abcdef"}})
                break
            if time.monotonic() > until or self.process.poll() is not None:
                raise AssertionError(Path(self.directory, "stderr").read_text()[-3000:])
            time.sleep(0.2)
        token = self.ask("POST", "/tokens", {"project_id": project["id"], "duration_minutes": 60})["token"]
        with contextlib.suppress(HTTPError):
            urlopen(Request(f"{self.address}/v1/models", headers={"Authorization": f"Bearer {token}"}), timeout=30)
        while not self.letters():
            if time.monotonic() > until:
                raise AssertionError("no dead letter")
            time.sleep(0.2)


class DeadLettersTests(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.receiver = HTTPServer(("127.0.0.1", 0), Refusing)
        serving = Thread(target=self.receiver.serve_forever, daemon=True)
        serving.start()
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(self.receiver.shutdown)
        directory = tempfile.mkdtemp()
        self.addCleanup(rmtree, directory, True)
        self.site = SiteWithSink(directory, self.receiver.server_port)
        self.addCleanup(self.site.stop)
        self.origin = self.site.address
        self.site.refuse_one()

    def test_walk(self) -> None:
        """
        Each role finds the letters, with and without JavaScript; nobody stumbles over anything, in either scheme and on
        a telephone; who may sends them again and sees what came of it.
        """
        for role in ROLES:
            token = self.site.admin(role)
            for script in (True, False):
                page = self.signed_in(token, script=script)
                self.assertEqual(self.go(page, "/events"), 200, (role, script))
                self.go(page, "/events/hook/dead-letters")
                self.assertIn("422", page.inner_text("main"), (role, script))
                again = page.locator("main button:has-text('again')").count()
                self.assertEqual(again, 0 if role == "auditor" else 1, (role, script))
        for dark, narrow in ((False, False), (True, False), (False, True)):
            page = self.signed_in(dark=dark, narrow=narrow)
            for path in ("/events", "/events/hook/dead-letters"):
                self.go(page, path)
                self.assertEqual(self.axe(page), [], (dark, narrow, path))
                self.assertFalse(self.overflows(page), (dark, narrow, path))
        for script, status in ((False, 422), (True, 200)):
            Refusing.status = status
            self.addCleanup(setattr, Refusing, "status", 422)
            page = self.signed_in(script=script)
            self.go(page, "/events/hook/dead-letters")
            page.click("main button:has-text('again')")
            page.wait_for_selector(".flash, [role=alert]")
            self.assertEqual(self.site.letters() == 0, status == 200, page.inner_text("main"))
