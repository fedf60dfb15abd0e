"""The five lines of the README, in a Twisted application under a stock site; and a stock treq client upstream."""

from __future__ import annotations

from typing import Any

from treq.client import HTTPClient
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import Site

from llmproxy.config import CacheConfig, ProxyConfig, load_api_config
from llmproxy.service import TransparentProxy

from ..app.embedded import SECRET, Projects, Validator
from .harness import UPSTREAM_KEY, ProxyTestCase, get, post

OK = b"HTTP/1.1 200 OK\r\nX-Odd-CASE: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok"


class Embedded:
    """Looks like the service of the other tests: C{proxy} and C{ports}."""

    def __init__(self, application: MultiService, proxy: TransparentProxy, port: Any) -> None:
        self._application = application
        self.proxy = proxy
        self.ports = [port]

    async def stopService(self) -> None:
        await maybeDeferred(self.ports[0].stopListening)
        await self._application.stopService()


class EmbeddingTests(ProxyTestCase):
    async def start_proxy(self, base_url: str) -> Any:
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(
                f"default_api: x\napis:\n  x:\n    base_url: {base_url}\n"
                "    allowed_endpoints: [/v1]\n    allowed_methods: [GET, POST, HEAD]\n"
            )
        application, root = MultiService(), Resource()
        application.startService()

        proxy = TransparentProxy(reactor, load_api_config(path), database_url=":memory:")
        proxy.setServiceParent(application)
        root.putChild(b"llm", proxy.resource())

        await proxy.started
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Site(root, reactor=reactor))
        self.port = port.getHost().port
        return Embedded(application, proxy, port)

    async def test_requests(self) -> None:
        """Below its path the proxy works as it does alone: target, key, answer, framing."""
        client = await self.send(post(b"body", path=b"/llm/v1/a%2Fb?q=1"))
        wire = await self.upstream.wire()
        await wire.until_received(b"body")
        self.assertTrue(wire.received.startswith(b"POST /v1/a%2Fb?q=1 HTTP/1.1\r\n"))
        self.assertIn(b"Authorization: Bearer " + UPSTREAM_KEY.encode(), wire.received)
        wire.send(OK)
        await client.until_received(b"ok")
        for line in (b"X-Odd-CASE: 1", b"Set-Cookie: a=1\r\nSet-Cookie: b=2"):
            self.assertIn(b"\r\n" + line + b"\r\n", client.received)
        self.assertNotIn(b"Server:", client.received)
        self.assertEqual(client.received.count(b"\r\nDate: "), 1)

    async def test_head(self) -> None:
        """An answer to HEAD has no content, and the next answer on the connection is read rightly."""
        client = await self.send(get(b"/llm/v1/x", method=b"HEAD"))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await client.until_received(b"\r\n\r\n")
        client.send(get(b"/llm/v1/y").replace(b"TOKEN", self.secret.encode()))
        await wire.until_received(b"/v1/y")
        wire.send(OK)
        await client.until_received(b"\r\n\r\nok")
        self.assertEqual(client.received.count(b"\r\n\r\n"), 2)

    async def test_client_leaves(self) -> None:
        """Under a stock site too, a client that leaves closes upstream."""
        client = await self.send(get(b"/llm/v1/x"))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await client.until_received(b"half")
        client.close()
        await wire.until_closed(1.0)

    async def test_operations(self) -> None:
        """The other resources are there as well."""
        client = await self.send(get(b"/llm/health"))
        await client.until_received(b'"status":"ok"')

    async def test_by_itself(self) -> None:
        """Asked for exactly where it is mounted, the proxy answers as for C{/}."""
        client = await self.send(get(b"/llm"))
        await client.until_received(b'"code":"endpoint_not_found"')


class StockClientTests(ProxyTestCase):
    """One API, an application's own validator and projects, and a stock treq client: without a database."""

    async def start_proxy(self, base_url: str) -> Any:
        config = ProxyConfig(base_url, ["/v1"], ["GET", "POST"], api_name="llm", cache=CacheConfig(False))  # type: ignore[arg-type]
        self.pool = HTTPConnectionPool(reactor)
        self.addCleanup(self.pool.closeCachedConnections)
        proxy = TransparentProxy(
            reactor,
            config,
            token_validator=Validator(),
            project_store=Projects(),
            upstream_client=HTTPClient(Agent(reactor, pool=self.pool)),
            drain_seconds=0.1,
        )
        application = MultiService()
        application.startService()
        proxy.setServiceParent(application)
        await proxy.started
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            Site(proxy.resource(), reactor=reactor)
        )
        self.port = port.getHost().port
        return Embedded(application, proxy, port)

    async def new_token(self, **changes: Any) -> str:
        return SECRET

    async def test_request(self) -> None:
        """The key of the project goes to upstream, its answer to the client, and the next one after it."""
        client = await self.send(post(b"body"))
        wire = await self.upstream.wire()
        for _ in range(2):
            await wire.until_received(b"body")
            self.assertIn(b"Bearer sk-upstream-canary\r\n", wire.received)
            self.assertNotIn(SECRET.encode(), wire.received)
            wire.received = b""
            wire.send(OK)
            await client.until_received(b"\r\n\r\nok")
            client.received = b""
            client.send(post(b"body").replace(b"TOKEN", SECRET.encode()))

    async def test_stops(self) -> None:
        """A stream that runs when the proxy stops is cut, and nothing is left of it."""
        client = await self.send(get(b"/v1/x"))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await client.until_received(b"half")
        await self.service.stopService()
        await client.until_closed()
        await wire.until_closed(1.0)
