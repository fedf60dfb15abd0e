"""A database of the Go original moved in, of each kind, and its tokens used through a proxy."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from typing import Any

from click.testing import CliRunner
from sqlalchemy import text
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.core.tokens import token_hash
from llmproxy.service import ProxyService, Settings, make_service
from llmproxy.store.backend import locate

from ..goschema import FIRST, HASHED, KEY, PLAIN, UPSTREAM_KEY, insert, make, rows, schema, uuid
from ..store.databases import KEY as OUR_KEY
from ..tables import row
from .databases import new_database, opened_at
from .harness import MANAGEMENT_TOKEN, ProxyTestCase

_UNSET = dict.fromkeys(("DATABASE_URL", "DATABASE_PATH", "API_CONFIG_PATH"))


def moved(target: str, *arguments: str, **env: Any) -> Any:
    keys = {"ENCRYPTION_KEY": b64encode(OUR_KEY).decode(), "IMPORT_ENCRYPTION_KEY": b64encode(KEY).decode()}
    variables: Any = {**_UNSET, **keys, "DATABASE_URL": target, **env}
    command = ["db", "import-go", "--json", "--yes", *arguments]
    result = CliRunner().invoke(cli, command, env=variables, catch_exceptions=False)
    assert result.exit_code == 0, result.output + result.stderr
    assert "s3cret" not in result.output + result.stderr
    return {name: each["moved"] for name, each in json.loads(result.stdout).items() if isinstance(each, dict)}


class UsedTests(ProxyTestCase):
    async def start_proxy(self, base_url: str) -> ProxyService:
        make(path := self.mktemp(), rows())
        target = f"sqlite:///{os.path.abspath(self.mktemp())}"
        await deferToThread(moved, target, path, "--api", "api")
        service = make_service(
            reactor,
            Settings(
                apis=self.config(base_url),
                management_token=MANAGEMENT_TOKEN,
                encryption_key=OUR_KEY,
                database_url=target,
                listen=[self.listen()],
                drain_seconds=0.2,
            ),
        )
        service.startService()
        await service.started
        self.port = service.ports[0].getHost().port
        return service

    async def test_same_tokens(self) -> None:
        """
        A request with a token of the original goes upstream with the key of its project: whether it was kept in clear
        or hashed. What is used up, revoked or expired there is so here.
        """
        for number, secret in enumerate((PLAIN, HASHED, HASHED)):
            wire = await self.send(self.request(secret))
            upstream = await self.upstream.wire(number)
            await upstream.until_received(b"\r\n\r\n")
            self.assertIn(f"Bearer {UPSTREAM_KEY}".encode(), upstream.received)
            upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await wire.until_received(b"\r\n\r\nok")
        for secret, words in ((HASHED, b"429"), ("sk-CCCCCCCCCCCCCCCCCCCCCC", b"401")):
            refused = await self.send(self.request(secret))
            await refused.until_received(b"HTTP/1.1 " + words)

    def request(self, secret: str) -> bytes:
        return f"GET /v1/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()


class SourceTests(SynchronousTestCase):
    def filled(self, kind: str, first: bool) -> str:
        url = new_database(self, kind)
        engine = locate(url, 1).engine()
        with engine.begin() as connection:
            for statement in schema(kind, first):
                connection.execute(text(statement + (" CHARACTER SET utf8mb4" if kind == "mysql" else "")))
            for table, each in rows().items():
                for values in each:
                    found = {name: self.value(kind, name, value) for name, value in values.items()}
                    if first and table == "projects":
                        found["openai_api_key"] = found.pop("api_key")
                    if first and table == "tokens":
                        found = {name: found[name] for name in found if name not in ("id", "cache_hit_count")}
                    connection.execute(text(insert(table, found)), found)
        engine.dispose()
        return url

    def value(self, kind: str, name: str, value: Any) -> Any:
        # A column without a time zone has UTC there; the clocks of these servers are far from it.
        return value.removesuffix("+00:00") if isinstance(value, str) and value == FIRST else value

    def test_servers(self) -> None:
        """PostgreSQL and MySQL are sources as SQLite is, with the last schema and the first."""
        for kind, first in (("postgresql", False), ("mysql", False), ("postgresql", True), ("mysql", True)):
            with row(kind, first):
                source = self.filled(kind, first)
                target = new_database(self, "sqlite")
                self.assertEqual(
                    moved(target, IMPORT_DATABASE_URL=source), {"projects": 3, "tokens": 4, "audit_events": 1}
                )
                self.assertEqual(
                    moved(target, IMPORT_DATABASE_URL=source), {"projects": 0, "tokens": 0, "audit_events": 0}
                )
                database = opened_at(self, target, key=OUR_KEY)
                project = self.successResultOf(database.projects.get(uuid(1)))
                self.assertEqual(dict(project.api_keys), {"openai": (UPSTREAM_KEY,)})
                self.assertEqual(round(project.created_at * 1_000_000), 1_767_323_045_678_901)
                found = self.successResultOf(database.tokens.by_hash(token_hash(HASHED.encode())))
                self.assertEqual((found.project_id, found.request_count, found.max_requests), (uuid(1), 7, 9))
                self.assertIs(found.is_active, True)
                self.assertIs(self.successResultOf(database.tokens.by_hash("13".zfill(64))).is_active, False)

    def test_targets(self) -> None:
        """They are targets too: the first time all of it arrives, the second time nothing changes."""
        make(path := self.mktemp(), rows())
        for kind in ("postgresql", "mysql"):
            with row(kind):
                target = new_database(self, kind)
                self.assertEqual(moved(target, path), {"projects": 3, "tokens": 4, "audit_events": 1})
                self.assertEqual(moved(target, path), {"projects": 0, "tokens": 0, "audit_events": 0})
                database = opened_at(self, target, key=OUR_KEY)
                found = self.successResultOf(database.tokens.by_hash(token_hash(PLAIN.encode())))
                self.assertEqual(found.id, uuid(11))
