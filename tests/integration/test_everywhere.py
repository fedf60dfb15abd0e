"""What is changed at one proxy is effective at another one that shares nothing with it but the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet import reactor
from twisted.internet.task import deferLater

from llmproxy.config import APIConfig
from llmproxy.service import ProxyService, Settings, make_service

from .databases import clean_database
from .harness import MANAGEMENT_TOKEN, ProxyTestCase, Wire, get

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = 20.0
"""
Seconds that a test waits for what takes two at most on a machine that has time: far less than the five minutes
after which an entry would be asked for again anyway.
"""


if TYPE_CHECKING:
    _Base = ProxyTestCase
else:
    _Base = object


class _Everywhere(_Base):
    """Two proxies; the requests go to the second one, the changes to the first."""

    kind = ""

    async def start_proxy(self, base_url: str) -> ProxyService:
        self.url = clean_database(self, self.kind)
        self.first = await self.a_proxy(base_url)
        self.addCleanup(self.first.stopService)
        second = await self.a_proxy(base_url)
        self.port = second.ports[0].getHost().port  # type: ignore[attr-defined]
        return second

    async def a_proxy(self, base_url: str) -> ProxyService:
        options = Settings(
            apis=APIConfig({"api": self.api(base_url)}, "api"),
            management_token=MANAGEMENT_TOKEN,
            encryption_key=bytes(32),
            database_url=self.url,
            listen=["tcp:0:interface=127.0.0.1"],
            access_log=None,
            drain_seconds=0.2,
        )
        service = make_service(reactor, options)
        service.startService()
        await service.started
        return service

    async def manage(self, method: bytes, path: bytes, body: bytes = b"") -> None:
        """Change something at the first proxy."""
        lines = [b"%b /manage/%b HTTP/1.1" % (method, path), b"Host: x", b"Content-Type: application/json"]
        lines += [b"Authorization: Bearer " + MANAGEMENT_TOKEN.encode(), b"Content-Length: %d" % len(body), b"", body]
        port, self.port = self.port, self.first.ports[0].getHost().port  # type: ignore[attr-defined]
        try:
            wire = await self.client()
        finally:
            self.port = port
        wire.send(b"\r\n".join(lines))
        await wire.until_received(b"HTTP/1.1 20")

    async def answered(self, number: int) -> tuple[Wire, bytes]:
        """A request that the second proxy passes on; and what upstream received."""
        client = await self.send(get(b"/v1/%d" % number))
        upstream = await self.upstream.wire(number)
        await upstream.until_received(b"\r\n\r\n")
        return client, upstream.received

    async def finish(self, number: int, client: Wire) -> None:
        upstream = await self.upstream.wire(number)
        upstream.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await client.until_received(b"ok")
        await upstream.until_closed()

    async def soon_refused(self, code: bytes) -> None:
        """Refused for this reason, by a proxy that knew the token well."""
        await self.soon(lambda client, received: code in client.received)

    async def soon(self, condition: Callable[[Wire, bytes], bool]) -> None:
        """Ask until an answer, or what upstream received, is as it should be."""
        until = reactor.seconds() + PATIENCE  # type: ignore[attr-defined]
        while not condition(*await self._asked()):
            self.assertLess(reactor.seconds(), until)  # type: ignore[attr-defined]

    async def _asked(self) -> tuple[Wire, bytes]:
        before = len(self.upstream.wires)
        client = await self.send(get(b"/v1/again", b"Connection: close"))
        while client.closed is None:
            await deferLater(reactor, 0.01)
            if len(self.upstream.wires) > before and b"\r\n\r\n" in self.upstream.wires[before].received:
                await self.finish(before, client)
                return client, self.upstream.wires[before].received
        return client, b""

    @property
    def token(self) -> bytes:
        return b"tokens/t-" + self.secret[-6:].encode()

    @property
    def project(self) -> bytes:
        return b"projects/p-" + self.secret[-6:].encode()

    async def test_revocation(self) -> None:
        """A revoked token is refused, and its running stream is cut."""
        client, _ = await self.answered(0)
        (await self.upstream.wire(0)).send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await client.until_received(b"half")
        await self.manage(b"DELETE", self.token)
        await client.until_closed(PATIENCE)
        await self.soon_refused(b'"token_inactive"')

    async def test_project(self) -> None:
        """A changed upstream key is used, one that was taken away is not, then the deactivated project is refused."""
        client, received = await self.answered(0)
        await self.finish(0, client)
        self.assertNotIn(b"sk-another", received)
        await self.manage(b"PATCH", self.project, b'{"api_key":"sk-another-upstream-key"}')
        await self.soon(lambda client, received: b"Bearer sk-another-upstream-key" in received)
        await self.manage(b"PATCH", self.project, b'{"api_keys":{"api":["sk-third","sk-fourth"]}}')
        await self.soon(lambda client, received: b"Bearer sk-third" in received)
        await self.manage(b"PATCH", self.project, b'{"api_keys":{"api":null}}')
        await self.soon_refused(b'"api_key_missing"')
        await self.manage(b"PATCH", self.project, b'{"is_active":false}')
        await self.soon_refused(b'"project_inactive"')

    async def test_limit(self) -> None:
        """A limit that was lowered below what is used is spent."""
        self.secret = await self.new_token(max_requests=100)
        for number in range(2):
            client, _ = await self.answered(number)
            await self.finish(number, client)
        await self.manage(b"PATCH", self.token, b'{"max_requests":1}')
        await self.soon_refused(b'"rate_limit_exceeded"')


class SqliteEverywhereTests(_Everywhere, ProxyTestCase):
    kind = "sqlite"


class PostgresqlEverywhereTests(_Everywhere, ProxyTestCase):
    kind = "postgresql"


class MysqlEverywhereTests(_Everywhere, ProxyTestCase):
    kind = "mysql"
