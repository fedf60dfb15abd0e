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

from twisted.internet import task
from twisted.python.failure import Failure

from llmproxy.store.engine import open_database
from llmproxy.store.threads import NoThreads
from llmproxy.store.usagerecords import UsageRecords

from ..usagereports import an_entry
from .browser import CHROMIUM, NARROW, Site, why_not

WIDE = {"width": 1280, "height": 860}

TEAMS = ("assistant", "code review", "document search", "mail triage", "support chat", "translation")
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-flash")

PICTURES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("overview", "/?span=24h", {}),
    ("overview-dark", "/?span=24h", {"color_scheme": "dark"}),
    ("overview-narrow", "/?span=24h", {"viewport": NARROW}),
    ("project", "/projects/{project}?span=30d", {}),
)
"""Names of files, addresses, and how the browser is."""


def seed(site: Site) -> str:
    """Projects with limits, tokens, and as much use as fits into some seconds; the id of a project."""
    chance = random.Random(15)
    found = ""
    for at, name in enumerate(TEAMS):
        body: dict[str, Any] = {"name": name, "api_keys": {"openai": site.upstream_key}}
        if at % 2 == 0:
            body |= {"max_budget": f"{8 + 3 * at}", "budget_duration": "1mo", "rpm_limit": 600}
        project = site.ask("POST", "/projects", body)["id"]
        found = found or project
        for purpose in ("production", "staging"):
            wanted = {"project_id": project, "duration_minutes": 43_200, "name": f"{name} {purpose}"}
            secret = site.ask("POST", "/tokens", wanted)["token"]
            for _ in range(chance.randint(1, 5)):
                # A budget that is used up refuses, which is a part of the picture.
                with suppress(HTTPError):
                    site.chat(secret, chance.choice(MODELS), "What is in this document? " * chance.randint(200, 2500))
    return found


def past(site: Site) -> None:
    """What was used in the day and the month before, so that charts have more than this minute."""
    chance, now = random.Random(16), time.time()
    tokens_of = [(each["project_id"], each["id"]) for each in site.ask("GET", "/tokens")]
    entries = []
    for number in range(2500):
        # More by day than by night, less at weekends, and now and then something fails.
        at = now - chance.random() ** 3 * 35 * 86_400
        hour, weekday = at / 3600 % 24, int(at // 86_400 + 3) % 7
        if chance.random() > (0.25 + 0.75 * (7 < hour < 19)) * (0.4 if weekday > 4 else 1):
            continue
        project, token = chance.choice(tokens_of)
        failed, tokens, model = chance.random() < 0.03, chance.randint(200, 9000), chance.choice(MODELS)
        entries.append(
            an_entry(
                number,
                at,
                project_id=project,
                token_id=token,
                model=model,
                served_model=model,
                status=502 if failed else 200,
                input_tokens=None if failed else tokens,
                cached_input_tokens=None if failed else tokens // 3,
                output_tokens=None if failed else tokens // 6,
                cost=None if failed else f"{tokens * 0.00001:.6f}",
                duration=chance.uniform(0.4, 6.0),
                first_token=chance.uniform(0.2, 0.9),
                streamed=True,
            )
        )
    clock = task.Clock()
    clock.advance(now)
    database = open_database(clock, f"{site.data}/llmproxy.db", threads=NoThreads)
    for asked in (database.join(), UsageRecords(clock, database).settle(entries), database.close()):
        if isinstance(getattr(asked, "result", None), Failure):
            asked.result.raiseException()


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
        past(site)
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
