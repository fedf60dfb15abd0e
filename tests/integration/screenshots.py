"""
Pictures of the admin pages for C{docs/admin.md}: C{python -m tests.integration.screenshots docs/images}.

A proxy with its demo upstream, some projects and some seconds of use; by Chromium, light, dark and on a telephone.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from .browser import CHROMIUM, NARROW, Site, why_not

WIDE = {"width": 1280, "height": 860}

TEAMS = ("assistant", "code review", "document search", "mail triage", "support chat", "translation")
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-flash")

PICTURES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("overview", "/?span=24h", {}),
    ("overview-dark", "/?span=24h", {"color_scheme": "dark"}),
    ("overview-narrow", "/?span=24h", {"viewport": NARROW}),
    ("project", "/projects/{project}?span=24h", {}),
)
"""Names of files, addresses, and how the browser is."""


def seed(site: Site) -> str:
    """Projects with limits, tokens, and as much use as fits into some seconds; the id of a project."""
    chance = random.Random(15)
    found = ""
    for at, name in enumerate(TEAMS):
        body: dict[str, Any] = {"name": name, "api_keys": {"openai": site.upstream_key}}
        if at % 2 == 0:
            body |= {"max_budget": f"{0.4 + 0.3 * at:.1f}", "budget_duration": "1mo", "rpm_limit": 600}
        project = site.ask("POST", "/projects", body)["id"]
        found = found or project
        for purpose in ("production", "staging"):
            wanted = {"project_id": project, "duration_minutes": 43_200, "name": f"{name} {purpose}"}
            secret = site.ask("POST", "/tokens", wanted)["token"]
            for _ in range(chance.randint(2, 14)):
                # A budget that is used up refuses, which is a part of the picture.
                with suppress(HTTPError):
                    site.chat(secret, chance.choice(MODELS), "What is in this document? " * chance.randint(200, 2500))
    return found


def main(directory: str) -> None:
    if why_not():
        raise SystemExit(why_not())
    from playwright.sync_api import sync_playwright

    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    work = tempfile.mkdtemp()
    site = Site(work)
    try:
        project = seed(site)
        time.sleep(1.5)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for name, path, options in PICTURES:
                settings = {"viewport": WIDE, "locale": "en-US", "timezone_id": "Europe/Berlin", **options}
                page = chromium.new_context(**settings).new_page()
                page.goto(f"{site.address}/admin/sign-in")
                page.fill("#token", site.token)
                page.click("main button")
                page.goto(f"{site.address}/admin{path.format(project=project)}")
                page.wait_for_timeout(400)
                page.screenshot(path=str(target / f"{name}.png"), full_page="narrow" not in name)
            chromium.close()
    finally:
        site.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
