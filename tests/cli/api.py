"""Commands that ask the real management API, in the memory of this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import Message
from typing import Any

from click.testing import CliRunner, Result
from twisted.internet.defer import succeed

from llmproxy.cli.http import Address, Answer
from llmproxy.cli.main import cli
from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.masking import Masking
from llmproxy.store.audit import AuditTable
from llmproxy.store.audittrail import AuditTrail
from llmproxy.web.manage.audit import AuditEvents

from ..store.databases import NOW
from ..web.manage.api import MANAGEMENT_TOKEN, ManageTestCase


class CommandTestCase(ManageTestCase):
    """@ivar asked: every request that commands made: method, path, fields and content."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []
        self.addresses: list[Address] = []
        events = AuditEvents(AuditTrail(self.database), lambda: succeed(None))
        self.treq = self.client(self.resource(more=[events.routes()]))

    def write(self, count: int, **details: Any) -> None:
        """Put events into the audit log, a second apart."""
        first = AuditRecord("open", 0, "audit.open", "system", "success")
        noted = [
            audit_record(f"id-{number:04}", NOW + number, "token.create", "carol", "success", details, Masking())
            for number in range(count)
        ]
        self.successResultOf(AuditTable(self.clock, self.database, lambda heads: first).write(noted))

    def invoke(self, *arguments: str, input: str | None = None, **env: str | None) -> Result:
        """Run C{llmproxy}; nothing of this process's environment reaches it."""
        clean = dict.fromkeys(
            ("MANAGEMENT_TOKEN", "MANAGEMENT_TOKEN_FILE", "MANAGE_API_BASE_URL", "MANAGEMENT_API_BASE_URL")
        )
        known = clean | {"MANAGEMENT_TOKEN": MANAGEMENT_TOKEN, "UPSTREAM_API_KEY": None} | env
        return CliRunner().invoke(cli, arguments, input=input, env=known, obj=self.opened)

    def said(self, *arguments: str, **more: Any) -> Any:
        """The JSON that a command prints."""
        result = self.invoke(*arguments, "--json", **more)
        self.assertEqual(result.exit_code, 0, result.output)
        return json.loads(result.stdout)

    def opened(self, address: Address, timeout: float) -> Any:
        self.addresses.append(address)
        return InMemory(self)

    def ask_raw(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None) -> Answer:
        response = self.successResultOf(
            self.treq.request(method, "http://proxy.example" + path, headers=dict(fields), data=body)
        )
        sent = Message()
        for name, values in response.headers.getAllRawHeaders():
            for value in values:
                sent[name.decode()] = value.decode()
        return Answer(response.code, sent, self.successResultOf(self.treq.content(response)))  # type: ignore[arg-type]


class InMemory:
    """What L{llmproxy.cli.http.Http} is to commands."""

    def __init__(self, test: CommandTestCase) -> None:
        self._test = test

    def ask(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
        self._test.asked.append((method, path, fields, body))
        return self._test.ask_raw(method, path, fields, body)
