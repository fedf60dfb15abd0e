"""Keys of LiteLLM moved in, and used through a proxy with the limits that they had."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from typing import Any

from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from llmproxy.cli.main import cli
from llmproxy.core.tokens import token_hash
from llmproxy.service import ProxyService, Settings, make_service

from ..store.databases import KEY, project
from .databases import opened_at
from .harness import MANAGEMENT_TOKEN, ProxyTestCase

SECRET = "sk-" + "L" * 22
UPSTREAM_KEY = "sk-upstream-canary-key-0001"


def moved(target: str, path: str) -> None:
    env: Any = {"DATABASE_PATH": None, "DATABASE_URL": target, "ENCRYPTION_KEY": b64encode(KEY).decode()}
    command = ["db", "import-litellm", path, "--project", "moved", "--yes"]
    result = CliRunner().invoke(cli, command, env=env, catch_exceptions=False)
    assert result.exit_code == 0, result.output + result.stderr


class UsedTests(ProxyTestCase):
    async def start_proxy(self, base_url: str) -> ProxyService:
        target = f"sqlite:///{os.path.abspath(self.mktemp())}"
        database = opened_at(self, target)
        keys = {"api": (UPSTREAM_KEY,)}
        await database.projects.create(project("p1", name="moved", api_keys=keys))
        await database.close()
        with open(path := self.mktemp(), "w") as file:
            limited = {"token": token_hash(SECRET.encode()), "key_name": "sk-...LLLL", "allowed_routes": ["/v1/x"]}
            json.dump({"keys": [{**limited, "created_at": "2026-01-02T03:04:05Z"}]}, file)
        await deferToThread(moved, target, path)
        service = make_service(
            reactor,
            Settings(
                apis=self.config(base_url),
                management_token=MANAGEMENT_TOKEN,
                encryption_key=KEY,
                database_url=target,
                listen=[self.listen()],
                drain_seconds=0.2,
            ),
        )
        service.startService()
        await service.started
        self.port = service.ports[0].getHost().port
        return service

    async def test_same_key(self) -> None:
        """A client goes on with the key that LiteLLM gave it; its restriction holds."""
        wire = await self.send(self.request("/v1/x"))
        upstream = await self.upstream.wire(0)
        await upstream.until_received(b"\r\n\r\n")
        self.assertIn(f"Bearer {UPSTREAM_KEY}".encode(), upstream.received)
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await wire.until_received(b"\r\n\r\nok")
        refused = await self.send(self.request("/v1/y"))
        await refused.until_received(b"HTTP/1.1 403")

    def request(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {SECRET}\r\n\r\n".encode()
