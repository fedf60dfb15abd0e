"""
A real Chromium, driven by playwright, in front of a proxy in a process of its own.

Whatever a test does, three things hold at its end: no page asked anything of another origin, no page met its content
security policy, and no script failed.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .processes import LLMPROXY, start, wait_for_text

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
AXE = Path(tempfile.gettempdir()) / "llmproxy-axe" / "node_modules" / "axe-core" / "axe.min.js"
"""Where C{.ci/run} has npm put it."""

SERIOUS = ("serious", "critical")
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 800}


def why_not() -> str:
    """Why there is no browser here, C{""} if there is one."""
    if not CHROMIUM:
        return "no chromium: apt install chromium"
    return "" if find_spec("playwright") is not None else "playwright is not installed: pip install '.[test]'"


class Site:
    """
    C{llmproxy quickstart} in a directory of its own, with its demo upstream.

    @ivar address: of the proxy.
    @ivar token: of management.
    @ivar upstream_key: what the demo upstream asks for.
    @ivar secret: of the first project's token.
    """

    def __init__(self, directory: str, *more: str) -> None:
        self.directory = directory
        self.data = os.path.join(directory, "data")
        command = (*LLMPROXY, "quickstart", "--port", "0", "--data", self.data, *more)
        self.process: subprocess.Popen[str] = start(command, directory)
        said = wait_for_text(os.path.join(directory, "stdout"), "Stop with", self.process)
        self.address = re.search(r"llmproxy serves (\S+)", said)[1]  # type: ignore[index]
        self.token = Path(self.data, "management-token").read_text().strip()
        self.upstream_key = Path(self.data, "demo-upstream-key").read_text().strip()
        self.secret = Path(self.data, "token").read_text().strip()

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The management API, as a script asks it."""
        content = None if body is None else json.dumps(body).encode()
        fields = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/manage{path}", content, fields, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def admin(self, role: str) -> str:
        """The token of an admin of this role, made where there is none."""
        name = f"the-{role}"
        with suppress(StopIteration):
            found = next(each for each in self.ask("GET", "/admins") if each["name"] == name and not each["revoked_at"])
            self.ask("DELETE", f"/admins/{found['id']}")
        token: str = self.ask("POST", "/admins", {"name": name, "role": role})["token"]
        return token

    def chat(self, secret: str = "", model: str = "demo", text: str = "Hello") -> None:
        """One exchange with the demo upstream."""
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
        fields = {"Authorization": f"Bearer {secret or self.secret}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/v1/chat/completions", body, fields)
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()


@cache
def _begun() -> tuple[Site, Any, Any]:
    """A proxy, a browser and its event loop, which end with this process: each takes seconds to begin."""
    from playwright.sync_api import sync_playwright

    directory = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, directory, True)
    site = Site(directory)
    atexit.register(site.stop)
    playwright = sync_playwright().start()
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    atexit.register(playwright.stop)
    atexit.register(chromium.close)
    loop = _get_running_loop()
    atexit.register(_set_running_loop, loop)
    return site, chromium, loop


class BrowserTestCase(SynchronousTestCase):
    """
    @ivar site: one for all tests of a process.
    @ivar origin: what pages may ask something of.
    """

    site: Site
    _chromium: Any = None

    def setUp(self) -> None:
        if why_not():
            raise SkipTest(why_not())
        self.site, self._chromium, loop = _begun()
        # Playwright's loop counts as running for as long as there is one, and nobody else could run another.
        _set_running_loop(loop)
        self.addCleanup(_set_running_loop, None)
        self.origin = self.site.address
        self.strays: list[str] = []
        self.complaints: list[str] = []
        self.addCleanup(self._hold)

    def _hold(self) -> None:
        self.assertEqual((self.strays, self.complaints), ([], []))

    # -- pages

    def open(self, *, script: bool = True, narrow: bool = False, dark: bool = False, **more: Any) -> Any:
        """A page of a browser that nobody has used before."""
        context = self._chromium.new_context(
            java_script_enabled=script,
            viewport=NARROW if narrow else WIDE,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            **{"locale": "en-GB", "timezone_id": "Europe/Berlin", **more},
        )
        context.set_default_timeout(15_000)
        self.addCleanup(context.close)
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context.new_page()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.origin + "/", "data:")):
            self.strays.append(request.url)

    def _said(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.complaints.append(message.text)

    def go(self, page: Any, path: str) -> int:
        """Go to a page of ours; its status."""
        status: int = page.goto(f"{self.site.address}/admin{path}").status
        return status

    def signed_in(self, token: str = "", **options: Any) -> Any:
        """A page of a browser that is signed in, with the management token unless another is given."""
        page = self.open(**options)
        self.go(page, "/sign-in")
        self.sign_in(page, token or self.site.token)
        return page

    def sign_in(self, page: Any, token: str) -> None:
        page.fill("#token", token)
        page.click("main button")

    def axe(self, page: Any, also: Sequence[str] = ()) -> list[str]:
        """What people with a screen reader, or little sight, would stumble over; none where axe is not there."""
        if not AXE.exists():
            return []
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
            for each in found["violations"]
            if each["impact"] in (*SERIOUS, *also)
            for node in each["nodes"]
        ]

    def overflows(self, page: Any) -> bool:
        """Whether a page is wider than its window."""
        wider: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        return wider
