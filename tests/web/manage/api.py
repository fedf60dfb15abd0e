"""The management API over a real database, asked as an operator's scripts ask it."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen
from treq.testing import StubTreq
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface import implementer

from llmproxy.interfaces import IAuditLogger
from llmproxy.management.state import State
from llmproxy.message import Principal
from llmproxy.store.database import Database
from llmproxy.store.directory import Directory
from llmproxy.store.leases import LeasedQuota
from llmproxy.web.manage import manage_resource

from ...store.databases import clock_at, opened

MANAGEMENT_TOKEN = "management-canary-token"
API_KEY = "sk-upstream-canary-0123456789-abcdef"


@implementer(IAuditLogger)
class Notes:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, dict[str, object]]] = []

    def log(self, action: str, actor: str, outcome: str, **details: object) -> None:
        self.events.append((action, actor, outcome, details))


class Answer:
    """@ivar json: what was said, None where nothing was, or another type."""

    def __init__(self, response: Any, body: bytes) -> None:
        self.status = response.code
        self.headers = response.headers
        self.body = body
        kind = self.header("content-type") or ""
        self.json = json.loads(body) if body and "json" in kind and "jsonl" not in kind else None

    def header(self, name: str) -> str | None:
        return self.headers.getRawHeaders(name, [None])[0]


@frozen
class Served:
    """The APIs of a configuration."""

    apis: tuple[str, ...] = ()
    default_api: str = ""
    listed: tuple[str, ...] = ("anthropic", "gemini", "openai")


class ManageTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.directory = Directory(self.clock, self.database.tokens, self.database.projects)
        self.quota = LeasedQuota(self.clock, self.database)
        self.notes = Notes()
        self.treq = self.client(self.resource())

    def open(self) -> Database:
        return opened(self, clock=self.clock)

    def client(self, resource: Any) -> StubTreq:
        root = Resource()
        root.putChild(b"manage", resource)
        return StubTreq(root)

    def resource(self, projects: Any = None, tokens: Any = None, **more: Any) -> Any:
        database = self.database
        parts = {
            "state": State(
                self.clock.seconds,
                projects or database.projects,
                tokens or database.tokens,
                self.directory,
                self.quota,
            ),
            "management_token": MANAGEMENT_TOKEN,
            "served": Served(("anthropic", "azure", "gemini", "openai"), "openai"),
            "admins": database.admins,
            "sessions": database.sessions,
            "idempotency": database.idempotency,
            "audit": self.notes,
        }
        return manage_resource(**{**parts, **more})

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}"}
        if body is not None:
            raw = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        sent = {name: value for name, value in sent.items() if value}
        response = self.successResultOf(
            self.treq.request(method, f"http://proxy.example/manage{path}", headers=sent, data=raw)
        )
        return Answer(response, self.successResultOf(self.treq.content(response)))

    def walk(self, path: str, member: str = "name") -> list[list[Any]]:
        """The pages of a list, by the links from each to the next."""
        pages = []
        while path:
            answer = self.ask("GET", path)
            pages.append([each[member] for each in answer.json])
            link = answer.header("link") or "</manage>"
            path = link.removesuffix('; rel="next"').strip("<>").removeprefix("/manage")
        return pages

    def project(self, name: str = "tenant") -> str:
        return self.ask("POST", "/projects", {"name": name, "api_key": API_KEY}).json["id"]

    def token(self, project_id: str, **more: Any) -> tuple[str, bytes]:
        """Its id and secret."""
        issued = self.ask("POST", "/tokens", {"project_id": project_id, "duration_minutes": 60, **more}).json
        return issued["id"], issued["token"].encode()

    def principal(self, secret: bytes) -> Principal:
        return self.directory.warm(secret) or self.successResultOf(self.directory.load(secret))

    def refused(self, answer: Answer, status: int, error: str) -> None:
        """Every refusal is JSON of one shape, and kept by nobody."""
        self.assertEqual((answer.status, answer.json["error"]), (status, error))
        self.assertLessEqual(set(answer.json), {"error", "code", "description"})
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.header("cache-control"), "no-store")
        self.assertEqual(answer.header("x-content-type-options"), "nosniff")
