"""Management on a listener of its own, in one process and in several."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.listen import private_endpoint_description
from llmproxy.service import Settings
from llmproxy.tap import make_service

from .harness import Wire

TOKEN = "management-token-of-this-test"
ROOT = str(FilePath(__file__).parent().parent().parent().path)


class ListenerTests(TestCase):
    timeout = 60

    async def start(self, workers: int) -> None:
        # Short: the path of a socket has at most 107 characters.
        self.socket = os.path.relpath(os.path.abspath(self.mktemp())[:-4] + "m")
        api = APIProviderConfig(base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"])
        options = Settings(
            apis=APIConfig({"x": api}, "x"),
            management_token=TOKEN,
            encryption_key=bytes(32),
            database_url=f"sqlite:///{os.path.abspath(self.mktemp())}",
            listen=["tcp:0:interface=127.0.0.1"],
            manage_listen=[private_endpoint_description(f"unix:{self.socket}")],
            access_log=None,
            drain_seconds=1.0,
        )
        os.environ["PYTHONPATH"] = ROOT
        service = make_service(reactor, options, workers)
        service.startService()
        self.addCleanup(service.stopService)
        await service.started
        first = service.ports[0] if workers == 1 else service._sockets[0].port
        self.public = f"tcp:127.0.0.1:{first.getHost().port}"

    async def ask(self, where: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        wire = Wire()
        await clientFromString(reactor, where).connect(Factory.forProtocol(lambda: wire))
        content = b"" if body is None else json.dumps(body).encode()
        wire.send(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await wire.until_closed()
        head, _, said = wire.received.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(said) if said.startswith((b"{", b"[")) else said

    async def check(self) -> None:
        private = f"unix:{self.socket}"
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)
        self.assertEqual((await self.ask(private, "GET", "/manage/projects"))[0], 200)
        self.assertEqual((await self.ask(private, "GET", "/health"))[0], 200)
        self.assertEqual((await self.ask(private, "GET", "/v1/x"))[0], 404)
        status, said = await self.ask(self.public, "GET", "/manage/projects")
        self.assertNotEqual(status, 200)
        self.assertEqual(said["code"], "invalid_token")
        self.assertEqual((await self.ask(self.public, "GET", "/health"))[0], 200)

    async def test_one_process(self) -> None:
        """Management is on its socket, which is for its owner alone, and nowhere else."""
        await self.start(1)
        await self.check()

    async def test_workers(self) -> None:
        """With several processes too, and what is changed by one of them is so in all."""
        await self.start(2)
        await self.check()
        private = f"unix:{self.socket}"
        _, project = await self.ask(private, "POST", "/manage/projects", {"name": "p", "api_key": "k"})
        body = {"project_id": project["id"], "duration_minutes": 5}
        _, token = await self.ask(private, "POST", "/manage/tokens", body)
        for _ in range(6):
            status, shown = await self.ask(private, "GET", f"/manage/tokens/{token['id']}")
            self.assertEqual((status, shown["project_id"]), (200, project["id"]))
