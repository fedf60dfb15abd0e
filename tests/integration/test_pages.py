"""The admin pages in Chromium: each in each role, with and without JavaScript, wide and narrow, light and dark."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from functools import cache
from secrets import token_hex
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.pages import routes
from llmproxy.core.roles import ROLES
from llmproxy.store.paging import position

from .browser import AXE, BrowserTestCase, Site

ALL = ("owner", "operator", "auditor")
WRITERS = ("owner", "operator")

PAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/", ALL),
    ("/projects", ALL),
    ("/projects?search=nothing-is-named-so", ALL),
    ("/projects/new", WRITERS),
    ("/projects/{project}", ALL),
    ("/projects/{project}/edit", WRITERS),
    ("/projects/{project}/deactivate", WRITERS),
    ("/projects/{project}/revoke-tokens", WRITERS),
    ("/tokens", ALL),
    ("/tokens?project={project}&state=active", ALL),
    ("/tokens/new", WRITERS),
    ("/tokens/new?project={project}", WRITERS),
    ("/tokens/{token}", ALL),
    ("/tokens/{token}/edit", WRITERS),
    ("/tokens/{token}/rotate", WRITERS),
    ("/tokens/{token}/revoke", WRITERS),
    ("/people", ALL),
    ("/people?search=nothing-is-named-so", ALL),
    ("/people/{person}", ALL),
    ("/people/{person}/revoke", WRITERS),
    ("/people/{person}/delete", ("owner",)),
    ("/agents", ALL),
    ("/usage", ALL),
    ("/usage?first=project&second=model&span=7d", ALL),
    ("/usage/records", ALL),
    ("/live", ALL),
    ("/live?person={person}", ALL),
    ("/live/nothing/cut", WRITERS),
    ("/upstreams", ALL),
    ("/upstreams/openai/openai/drain", WRITERS),
    ("/cache", ALL),
    ("/events", ALL),
    ("/audit", ("owner", "auditor")),
    ("/audit/{event}", ("owner", "auditor")),
    ("/settings", ALL),
    ("/settings/check", ("owner",)),
    ("/settings/admins/new", ("owner",)),
    ("/settings/admins/{admin}/revoke", ("owner",)),
    ("/sessions", ALL),
    ("/display", ALL),
)
"""
Addresses, and the roles that see them; C{{project}} and C{{token}} stand for those of L{seed}.

A page that is added is named here.
"""

STRANGE = '"><script>alert(1)</script> \u05e9\u05dc\u05d5\u05dd <b>'


@cache
def seed(site: Site) -> dict[str, str]:
    """A project of a strange name, with limits, tokens and some use."""
    body = {"name": STRANGE, "api_keys": {"openai": site.upstream_key}, "rpm_limit": 60, "max_budget": "10"}
    project = site.ask("POST", "/projects", body)["id"]
    token = site.ask("POST", "/tokens", {"project_id": project, "duration_minutes": 60, "name": STRANGE})
    site.chat()
    admin = site.ask("POST", "/admins", {"name": "looked-at", "role": "auditor"})["id"]
    for _ in range(100):
        events = site.ask("GET", f"/audit?token_id={token['id']}")["events"]
        if events:
            break
        time.sleep(0.1)
    person = somebody(site, project)
    return {"project": project, "token": token["id"], "admin": admin, "event": events[0]["id"], "person": person}


def somebody(site: Site, project: str) -> str:
    """A person, with a device, as if they had signed in: C{quickstart} has no identity provider."""
    now, person = int(time.time() * 1_000_000), token_hex(8)
    people = {
        "id": person,
        "subject_key": person,
        "provider": "corp",
        "issuer": "https://id",
        "subject": "u1",
        "name": STRANGE,
        "email": "ann@example.com",
        "groups": '["eng"]',
        "role": None,
        "project_id": project,
        "limits": '{"rpm_limit": 60, "max_budget": "20"}',
        "created_at": now,
        "last_seen_at": now,
        "version": 1,
    }
    devices = {
        "id": person,
        "person_id": person,
        "program": STRANGE,
        "device": "laptop",
        "address": "192.0.2.1",
        "selector_hash": person,
        "secret_hash": person,
        "token_id": "none",
        "created_at": now,
        "used_at": now,
        "expires_at": now + 10**10,
        "ended_because": "",
    }
    with closing(sqlite3.connect(os.path.join(site.data, "llmproxy.db"), timeout=20)) as database, database:
        for table, row in (("people", people), ("devices", devices)):
            names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
    return person


class EveryPageTests(BrowserTestCase):
    """@ivar ids: what stands in the addresses of L{PAGES}."""

    def setUp(self) -> None:
        super().setUp()
        self.ids = seed(self.site)

    def test_each(self) -> None:
        """Each role sees what it may, with and without JavaScript, and markup in names stays text."""
        for role in ROLES:
            token = self.site.admin(role)
            for script in (True, False):
                page = self.signed_in(token, script=script)
                for path, roles in PAGES:
                    status = self.go(page, path.format(**self.ids))
                    self.assertEqual(status, 200 if role in roles else 403, (role, script, path))
                    self.assertTrue(page.title().endswith("llmproxy"), (role, script, path))

    def test_accessible(self) -> None:
        """Nobody stumbles over anything: not in either scheme, nor on a telephone."""
        for dark, narrow in ((False, False), (True, False), (False, True)):
            page = self.signed_in(dark=dark, narrow=narrow)
            for path, _ in (*PAGES, ("/nothing", ALL)):
                self.go(page, path.format(**self.ids))
                self.assertEqual(self.axe(page), [], (dark, narrow, path))
                self.assertFalse(self.overflows(page), (dark, narrow, path))
            page.context.clear_cookies()
            self.go(page, "/sign-in")
            self.assertEqual(self.axe(page), [], (dark, narrow, "sign-in"))

    if not AXE.exists():
        test_accessible.skip = f"no axe-core: npm install --prefix {AXE.parents[2]} axe-core"  # type: ignore[attr-defined]

    def test_long_names(self) -> None:
        """A name that is as long as it may be, without a space, makes no page wider than the window."""
        name = "W" * 255
        body = {"name": name, "api_keys": {"openai": self.site.upstream_key}, "max_budget": "10"}
        project = self.site.ask("POST", "/projects", body)["id"]
        token = self.site.ask("POST", "/tokens", {"project_id": project, "duration_minutes": 60, "name": name})
        self.site.chat(token["token"])
        paths = ("/", "/projects", f"/projects/{project}", "/tokens", f"/tokens/{token['id']}", "/usage?first=project")
        for narrow in (False, True):
            page = self.signed_in(narrow=narrow)
            for path in paths:
                self.go(page, path)
                self.assertFalse(self.overflows(page), (narrow, path))

    def test_telephone(self) -> None:
        """On a telephone the words of a chart are large enough to read, and the page that one is at can be seen."""
        page = self.signed_in(narrow=True)
        self.go(page, "/")
        sizes = page.evaluate(
            "[...document.querySelectorAll('.chart .axis')].filter((each) => each.getBoundingClientRect().width)"
            ".map((each) => each.getBoundingClientRect().height)"
        )
        self.assertGreater(len(sizes), 5)
        self.assertGreaterEqual(min(sizes), 10)
        self.go(page, "/settings")
        left, right = page.evaluate(
            "(({left, right}) => [left, right])"
            "(document.querySelector('.top nav [aria-current]').getBoundingClientRect())"
        )
        self.assertGreaterEqual(left, 0)
        self.assertLessEqual(right, page.viewport_size["width"])

    def test_keyboard(self) -> None:
        """The first key leads past the navigation; what has the focus can be seen."""
        page = self.signed_in()
        self.go(page, "/projects")
        page.keyboard.press("Tab")
        self.assertEqual(page.evaluate("document.activeElement.textContent"), "Skip to the content")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        self.assertEqual(page.evaluate("document.activeElement.textContent.trim()"), "Create project")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        self.assertGreaterEqual(float(outline.removesuffix("px")), 2)


class NamedTests(SynchronousTestCase):
    NOT_HERE = frozenset({"/live/events", "/usage/records/{format}", "/events/{sink}/dead-letters"})
    """A stream, a file, and what C{quickstart} has none of: see L{tests.admin.pages.test_events}."""

    def test_every_page(self) -> None:
        """Each page that can be looked at is among those that are."""
        looked_at = [re.split("[?]", path)[0] for path, _ in PAGES]
        for route in routes():
            if route.method == "GET" and route.path not in self.NOT_HERE:
                pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path))
                self.assertTrue(any(re.fullmatch(pattern, path) for path in looked_at), route.path)


class SessionTests(BrowserTestCase):
    def test_refused_and_let_in(self) -> None:
        """Nothing and a wrong token are explained; the right one leads to the page that was asked for."""
        page = self.open(script=False)
        self.go(page, "/projects?state=active")
        for token, words in (("wrong", "This token is not known here"),):
            self.sign_in(page, token)
            self.assertIn(words, page.inner_text("[role=alert]"), token)
        self.sign_in(page, self.site.token)
        self.assertTrue(page.url.endswith("/admin/projects?state=active"), page.url)

    def test_nothing_given(self) -> None:
        """Without a token nobody is signed in: the browser says so, and the server where the browser does not."""
        page = self.open()
        self.go(page, "/sign-in")
        self.sign_in(page, "")
        self.assertTrue(page.evaluate("document.querySelector('#token').validationMessage"))
        page.evaluate("document.querySelector('main form').noValidate = true")
        self.sign_in(page, "")
        self.assertIn("sign-in", page.url)
        self.assertTrue(page.inner_text("[role=alert]"))
        self.assertNotIn("llmproxy_session", {each["name"] for each in page.context.cookies()})

    def test_not_for_scripts(self) -> None:
        """No script of a page sees the session."""
        page = self.signed_in()
        self.assertNotIn("llmproxy_session", page.evaluate("document.cookie"))
        self.assertIn("llmproxy_session", {each["name"] for each in page.context.cookies()})

    def test_two_tabs(self) -> None:
        """Who signs out in one tab is signed out in the other; the back button shows nothing any more."""
        page = self.signed_in()
        self.go(page, "/projects")
        other = page.context.new_page()
        self.go(other, "/projects")
        other.click("details.menu summary")
        other.click("text=Sign out >> nth=0")
        page.reload()
        self.assertIn("/sign-in", page.url)
        other.go_back()
        self.assertEqual(other.locator("#token").count(), 1, other.url)

    def test_ended_elsewhere(self) -> None:
        """A session that is ended elsewhere, with a form half filled in, says so; the form is sent after all."""
        for script in (True, False):
            name = f"too late, {script}"
            page = self.signed_in(script=script)
            self.go(page, "/projects/new")
            page.fill("#name", name)
            self.site.ask("DELETE", "/sessions")
            page.click("main .primary")
            self.assertIn("Your session has ended", page.inner_text("main"), script)
            self.assertNotIn(name, {each["name"] for each in self.site.ask("GET", "/projects")})
            self.sign_in(page, self.site.token)
            self.assertIn("You are signed in again.", page.inner_text("h1"), script)
            self.assertEqual(self.axe(page) if script else [], [], script)
            page.click("main .primary")
            self.assertIn(f"The project {name} has been created.", page.inner_text("body"), script)

    def test_not_framed(self) -> None:
        """No page can be put into a frame of another site."""
        page = self.signed_in()
        response = page.goto(f"{self.site.address}/admin/projects")
        self.assertIn("frame-ancestors 'none'", response.headers["content-security-policy"])
        self.assertEqual(response.headers["x-frame-options"], "DENY")

    def test_api_in_a_sandbox(self) -> None:
        """What an API answers to a browser is no page of ours: it has no origin, and none of our cookies go there."""
        page = self.signed_in()
        response = page.goto(f"{self.site.address}/v1/models")
        self.assertEqual(response.headers["content-security-policy"], "sandbox")
        self.assertEqual(page.evaluate("origin"), "null")


class ProjectTests(BrowserTestCase):
    def test_made_and_found(self) -> None:
        """A project is made, found while one types, edited and deactivated, with and without JavaScript."""
        for script in (True, False):
            name = f"team {script}"
            page = self.signed_in(script=script)
            self.go(page, "/projects/new")
            page.fill("#name", name)
            page.fill("#rpm_limit", "many")
            page.click("main .primary")
            self.assertEqual(page.get_attribute("#rpm_limit", "aria-invalid"), "true", script)
            page.fill("#rpm_limit", "60")
            page.click("main .primary")
            self.assertIn(f"The project {name} has been created.", page.inner_text(".flash"), script)
            self._find(page, name, script)
            page.click(f"text={name}")
            page.click("text=Edit")
            page.fill("#name", name + " renamed")
            page.click("main .primary")
            self.assertIn(name + " renamed", page.inner_text("h1"), script)
            page.click("text=Deactivate")
            page.click("main .danger")
            self.assertIn("This project is inactive", page.inner_text("main"), script)

    def test_refused_form(self) -> None:
        """What is missing or wrong is said at its field, by browser or server; what else was filled in stays."""
        for script in (True, False):
            page = self.signed_in(script=script)
            self.go(page, "/projects/new")
            if script:
                page.click("main .primary")
                self.assertTrue(page.evaluate("document.querySelector('#name').validationMessage"), script)
                page.evaluate("document.querySelector('main form').noValidate = true")
            page.fill("#name", " ")
            page.fill("#rpm_limit", "77")
            page.click("main .primary")
            self.assertEqual(page.get_attribute("#name", "aria-invalid"), "true", script)
            self.assertEqual(page.input_value("#rpm_limit"), "77", script)
            page.fill("#name", f"bad key {script}")
            page.fill("[name='key.openai']", "two words\u00a0")
            page.click("main .primary")
            self.assertEqual(page.get_attribute("[name='key.openai']", "aria-invalid"), "true", script)
            # A key is never sent back, not even one that is none.
            self.assertEqual(page.input_value("[name='key.openai']"), "", script)
            self.assertNotIn(f"bad key {script}", {each["name"] for each in self.site.ask("GET", "/projects")})

    def test_key_changed(self) -> None:
        """Another key of a provider is stored, shown masked, and an empty field leaves it as it is."""
        page = self.signed_in(script=False)
        made = self.site.ask("POST", "/projects", {"name": "keyed", "api_keys": {"openai": "sk-1st-0123456789abcdef"}})
        for key, words in (("sk-second-0123456789fedcba", "second"), ("", "second")):
            self.go(page, f"/projects/{made['id']}/edit")
            page.fill("[name='key.openai']", key)
            page.click("main .primary")
            self.assertTrue(page.url.endswith(f"/projects/{made['id']}"), page.url)
            shown = self.site.ask("GET", f"/projects/{made['id']}")["api_keys"]["openai"]
            self.assertIn("dcba", str(shown), words)
            self.assertNotIn("0123456789", page.content(), words)
        self.site.ask("PATCH", f"/projects/{made['id']}", {"name": f"keyed {time.time_ns()}"})

    def _find(self, page: Any, name: str, script: bool) -> None:
        self.go(page, "/projects")
        page.fill("#search", name.upper())
        if script:
            page.wait_for_url(re.compile("search="))
            # What else depends on the search follows it, without the page being loaded anew.
            page.wait_for_selector("[data-clear]:visible")
            self.assertIn("search=", page.input_value("input[name=next][data-base]"))
        else:
            page.click("text=Search")
        self.assertEqual(page.locator("tbody tr").count(), 1, script)

    def test_ten_thousand(self) -> None:
        """A list of ten thousand is as quick as a short one, searched and at its end too."""
        now = time.time_ns() // 1000
        rows = [(f"id-{at}", f"zz row {at:05}", now, now) for at in range(10_000)]
        insert = (
            "INSERT INTO projects (id, name, api_key, is_active, created_at, updated_at) VALUES (?, ?, '', 1, ?, ?)"
        )
        with closing(sqlite3.connect(os.path.join(self.site.data, "llmproxy.db"), timeout=20)) as database, database:
            database.executemany(insert, rows)
            self.addCleanup(self._forget_rows)
        page = self.signed_in()
        for path, row in (
            ("/projects?search=zz+row", "zz row 00000"),
            ("/projects?search=zz+row+09999", "zz row 09999"),
            ("/projects?search=zz+row&after=" + position("zz row 09900"), "zz row 09901"),
        ):
            began = time.monotonic()
            self.go(page, path)
            self.assertLess(time.monotonic() - began, 3.0, path)
            self.assertIn(row, page.inner_text("tbody"), path)

    def _forget_rows(self) -> None:
        with closing(sqlite3.connect(os.path.join(self.site.data, "llmproxy.db"), timeout=20)) as database, database:
            database.execute("DELETE FROM projects WHERE name LIKE 'zz row %'")


class ReaderTests(BrowserTestCase):
    def test_times(self) -> None:
        """Times are those of the browser's zone, with UTC in their title, and are not converted twice."""
        for zone, locale in (("Asia/Tokyo", "de-DE"), ("America/New_York", "en-US")):
            page = self.signed_in(timezone_id=zone, locale=locale)
            self.go(page, "/projects")
            page.click("tbody a")
            shown = page.locator("dl time").first
            at = shown.get_attribute("datetime")
            self.assertIn(at.replace("T", " ").replace("Z", " UTC"), shown.get_attribute("title"), zone)
            local = page.evaluate(
                "([at, locale]) => new Date(at).toLocaleTimeString(locale, {minute: '2-digit', second: '2-digit'})",
                [at, locale],
            )
            self.assertIn(local, shown.inner_text(), zone)
            self.assertIn(zone, page.inner_text("footer"), zone)
            before = shown.inner_text()
            page.reload()
            self.assertEqual(page.locator("dl time").first.inner_text(), before, zone)

    def test_marked(self) -> None:
        """Each time says to machines which moment it is; in UTC that is what it shows."""
        ids = seed(self.site)
        page = self.signed_in(timezone_id="UTC", locale="en-GB")
        for path, least in (
            ("/tokens/{token}", 3),
            ("/tokens", 1),
            ("/projects/{project}", 2),
            ("/tokens/{token}/edit", 1),
            ("/sessions", 1),
        ):
            self.go(page, path.format(**ids))
            moments = page.locator("time").evaluate_all("found => found.map(each => each.dateTime)")
            self.assertGreaterEqual(len(moments), least, path)
            for moment in moments:
                self.assertRegex(moment, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*(Z|\+00:00)$", path)
        self.go(page, "/projects/{project}".format(**ids))
        shown = page.locator("dl time").first
        self.assertIn(shown.get_attribute("datetime")[11:19], shown.inner_text())
        # The overview says what its span is counted in.
        self.go(page, "/")
        self.assertIn("UTC", page.inner_text("footer"))

    def test_colours(self) -> None:
        """The colours are the system's until one says otherwise; that holds from then on."""
        page = self.signed_in(dark=True)
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(ground)
        page.click(".me form button")
        self.assertEqual(page.evaluate(ground), dark)
        page.click(".me form button")
        self.assertNotEqual(page.evaluate(ground), dark)
        page.reload()
        self.assertNotEqual(page.evaluate(ground), dark)
