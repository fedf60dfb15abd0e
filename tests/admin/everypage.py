"""Every page of a proxy in front of a database that is in use, and the statements that each makes."""

from __future__ import annotations

import os
import re
import threading
import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import treq
from sqlalchemy import event, insert
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool

from llmproxy.admin.pages import routes
from llmproxy.app.settings import Settings
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.service import make_service
from llmproxy.store.schema import devices, people
from llmproxy.store.usagerecords import UsageRecords

from ..usagereports import an_entry

MOST = 20
"""Statements of a page."""

TOKEN = "management-canary"
DAYS = 3
EACH = 12
"""Projects, and of each the tokens."""

VALUES = {
    "project_id": "{project}",
    "token_id": "{token}",
    "person_id": "{person}",
    "admin_id": "{admin}",
    "event_id": "{event}",
    "sink": "file",
    "api": "openai",
    "upstream": "openai",
    "request_id": "nothing",
    "format": "csv",
}
"""What stands for the names in the paths of pages; a page of another name has it added here."""

MORE = (
    *("/?span=24h", "/?span=7d", "/?span=1y", "/projects?search=project+1", "/projects?sort=newest&state=active"),
    *("/projects/{project}?span=7d", "/tokens?search=a+token&state=active", "/tokens?project={project}"),
    *("/tokens/new?project={project}", "/tokens/{token}?span=1y", "/usage?first=project&second=model&span=7d"),
    *("/usage?first=token", "/usage?first=day&second=person", "/usage?first=user", "/usage?first=hour&span=7d"),
    *("/usage/records?project_id={project}", "/people?search=ann", "/audit?search=canary&outcome=success"),
)
"""Pages with what can stand in their addresses."""

_BACKGROUND = re.compile(r"\b(changes|leases|budget_leases|alembic_version)\b|^(DELETE FROM budgets|UPDATE sessions)\b")
"""What a proxy does by itself every second or so; and once a minute it notes that somebody is still there."""


class Noted:
    """The statements to a database, with the thread of each."""

    def __init__(self, engine: Any) -> None:
        self._all: list[tuple[int, str, bool]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, cursor: Any, statement: str, *more: object) -> None:
        of = id(connection.connection.dbapi_connection)
        self._all.append((of, " ".join(statement.split()), threading.current_thread() is threading.main_thread()))

    def taken(self) -> list[tuple[str, bool]]:
        """Those since the last time, without what the proxy does by itself."""
        noted, self._all = self._all, []
        found: list[tuple[int, str, bool]] = []
        for of, statement, is_reactor in noted:
            if not _BACKGROUND.search(statement):
                found.append((of, statement, is_reactor))
                continue
            begun = [at for at, each in enumerate(found) if each[0] == of]
            if begun and found[begun[-1]][1].startswith("BEGIN"):
                del found[begun[-1]]
        return [(statement, is_reactor) for _, statement, is_reactor in found]


class EveryPageCase(TestCase):
    """@ivar url: of an empty database, given by C{open}."""

    timeout = 120

    def database_url(self) -> str:
        return f"sqlite:///{os.path.abspath(self.mktemp())}"

    async def setUp(self) -> None:  # type: ignore[override]
        apis = {
            name: APIProviderConfig("http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["POST"])
            for name in ("openai", "anthropic")
        }
        sink = SinkConfig("file", "file", directory=self.mktemp(), settings={"path": os.path.abspath(self.mktemp())})
        self.service = make_service(
            reactor,
            Settings(
                apis=APIConfig(apis, "openai", sinks=(sink,)),
                management_token=TOKEN,
                encryption_key=bytes(32),
                database_url=self.database_url(),
                listen=["tcp:0:interface=127.0.0.1"],
                drain_seconds=0.2,
                audit=AuditOptions(file=None),
                admin_ui=True,
            ),
        )
        self.service.startService()
        await self.service.started
        self.database = self.service.proxy.database
        self.at = f"http://127.0.0.1:{self.service.ports[0].getHost().port}"
        self.pool = HTTPConnectionPool(reactor, persistent=False)
        self.agent = Agent(reactor, pool=self.pool)
        self.cookies: dict[str, str] = {}
        self.ids = await self.fill()
        await self.sign_in()
        self.noted = Noted(self.database._engine)

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.pool.closeCachedConnections()
        await self.service.stopService()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The management API."""
        fields = {"Authorization": f"Bearer {TOKEN}"}
        response = await treq.request(method, f"{self.at}/manage{path}", headers=fields, json=body, agent=self.agent)
        found = await treq.json_content(response)
        assert response.code < 300, (path, found)
        return found

    async def visit(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        fields = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), "Origin": self.at}
        data = None if form is None else urlencode(form).encode()
        if form is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        response = await treq.request(
            "GET" if form is None else "POST",
            f"{self.at}/admin{path}",
            headers=fields,
            data=data,
            agent=self.agent,
            allow_redirects=False,
        )
        for line in response.headers.getRawHeaders("set-cookie", []):
            self.cookies |= {name: each.value for name, each in SimpleCookie(line).items()}
        return response.code, await treq.text_content(response)

    async def sign_in(self) -> None:
        _, page = await self.visit("/sign-in")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None, page
        status, page = await self.visit("/sign-in", {"csrf": csrf[1], "token": TOKEN, "zone": "Europe/Berlin"})
        assert status == 303, page

    async def fill(self) -> dict[str, str]:
        """Projects and tokens with limits, budgets and keys, people, admins, and what all of them used."""
        limits = {"max_budget": "1000", "rpm_limit": 600, "budget_duration": "1mo"}
        keys = {"openai": "sk-canary-0123456789-a", "anthropic": ["sk-canary-0123456789-b", "sk-canary-0123456789-c"]}
        owners = []
        for number in range(EACH):
            body = {"name": f"project {number}", "api_keys": keys, **limits}
            project = (await self.ask("POST", "/projects", body))["id"]
            for _ in range(2):
                body = {"project_id": project, "duration_minutes": 60, "name": "a token", **limits, "max_requests": 99}
                owners.append((project, (await self.ask("POST", "/tokens", body))["id"]))
        admin = (await self.ask("POST", "/admins", {"name": "somebody", "role": "auditor"}))["id"]
        await self.database.run(lambda connection: self._people(connection, owners[0][0]))
        now = time.time()
        entries = [
            an_entry(
                number,
                now - number % (DAYS * 24) * 3600,
                project_id=owners[number % len(owners)][0],
                token_id=owners[number % len(owners)][1],
                model=f"model-{number % 7}",
                user=f"user-{number % 5}",
                tags={"team": f"team-{number % 3}"},
                person_id="person-1",
            )
            for number in range(1000)
        ]
        await UsageRecords(self.service.proxy.foundation.reactor, self.database).settle(entries)
        await self.audited()
        noted = await self.ask("GET", "/audit?action=token.create&limit=1")
        project, token = owners[0]
        event_id = noted["events"][0]["id"]
        return {"project": project, "token": token, "person": "person-1", "admin": admin, "event": event_id}

    def _people(self, connection: Any, project: str) -> None:
        now = time.time()
        person = {"id": "person-1", "subject_key": "1", "provider": "corp", "issuer": "https://id", "subject": "u1"}
        person |= {"name": "Ann", "email": "ann@example.com", "groups": '["eng"]', "project_id": project}
        person |= {"limits": '{"rpm_limit": 60, "max_budget": "20"}', "created_at": now, "last_seen_at": now}
        connection.execute(insert(people).values(**person, version=1))
        device = {"id": "device-1", "person_id": "person-1", "program": "an agent", "device": "laptop"}
        device |= {"address": "192.0.2.1", "selector_hash": "1", "secret_hash": "1", "token_id": "none"}
        device |= {"created_at": now, "used_at": now, "expires_at": now + 10_000, "ended_because": ""}
        connection.execute(insert(devices).values(**device))

    def audited(self) -> Deferred[Any]:
        """Fires when what was noted until now is in the audit log."""
        return self.service.proxy.foundation.auditing.log.flush()  # type: ignore[no-any-return, union-attr]

    def paths(self) -> list[str]:
        """Every page that can be looked at, by the routes that there are."""
        known = {name: value.format(**self.ids) for name, value in VALUES.items()}
        every = [route.path.format(**known) for route in routes() if route.method == "GET"]
        return [*(path for path in every if path != "/live/events"), *(path.format(**self.ids) for path in MORE)]

    async def counted(self, path: str) -> tuple[int, list[tuple[str, bool]]]:
        """The status of a page, and the statements that it makes, those of the audit log too."""
        await self.audited()
        self.noted.taken()
        status, _ = await self.visit(path)
        await self.audited()
        return status, self.noted.taken()

    async def look_at_all(self) -> None:
        """Each page of a fresh proxy makes few statements, and none in the thread of the reactor."""
        too_many = []
        for path in self.paths():
            status, made = await self.counted(path)
            self.assertIn(status, (200, 303), path)
            self.assertFalse([statement for statement, is_reactor in made if is_reactor], path)
            if len(made) > MOST:
                too_many.append("\n  ".join([f"{path}: {len(made)}", *(statement[:200] for statement, _ in made)]))
        self.assertFalse(too_many, "\n".join(too_many))
