"""A whole proxy on loopback, with both ends held by the test: raw bytes in, raw bytes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from llmproxy.config import APIConfig, APIProviderConfig, TimeoutConfig
from llmproxy.core.caching.settings import CacheOptions
from llmproxy.core.tokens import generate, hint, token_hash
from llmproxy.message import Project, Record, Token
from llmproxy.service import ProxyService, Settings, make_service

UPSTREAM_KEY = "sk-upstream-key-canary-0123456789"
MANAGEMENT_TOKEN = "management-token-canary-0123456789"


class Wire(Protocol):
    """
    One end of a connection: what came, and how it ended.

    @ivar closed: C{None} while it is open.
    """

    def __init__(self) -> None:
        self.received = b""
        self.closed: Failure | None = None
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = reason
        self._look()

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> Deferred[None]:
        """Wait until something is true of this end."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        waiting.addTimeout(seconds, reactor)
        self._look()
        return waiting

    def until_received(self, data: bytes, seconds: float = 5.0) -> Deferred[None]:
        return self.until(lambda: data in self.received, seconds)

    def until_closed(self, seconds: float = 5.0) -> Deferred[None]:
        return self.until(lambda: self.closed is not None, seconds)

    def _look(self) -> None:
        waiting, self._waiting = self._waiting, []
        for condition, one in waiting:
            if one.called:
                continue
            if condition():
                one.callback(None)
            else:
                self._waiting.append((condition, one))


class Upstream(Factory):
    """
    A server that the test answers for.

    @ivar wires: its connections, in the order in which they were opened.
    """

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self._waiting: list[tuple[int, Deferred[Wire]]] = []

    def buildProtocol(self, addr: Any) -> Wire:
        wire = Wire()
        self.wires.append(wire)
        for number, waiting in list(self._waiting):
            if len(self.wires) > number:
                self._waiting.remove((number, waiting))
                waiting.callback(self.wires[number])
        return wire

    def wire(self, number: int = 0) -> Deferred[Wire]:
        """The connection of this number, as soon as it is there."""
        waiting: Deferred[Wire] = Deferred()
        if len(self.wires) > number:
            waiting.callback(self.wires[number])
        else:
            self._waiting.append((number, waiting))
            waiting.addTimeout(5.0, reactor)
        return waiting


class ProxyTestCase(TestCase):
    """Starts a proxy in front of an L{Upstream} for each test."""

    timeout = 30

    def api(self, base_url: str) -> APIProviderConfig:
        """The API that is served at C{/}."""
        return APIProviderConfig(
            base_url=base_url,
            allowed_endpoints=["/v1"],
            allowed_methods=["GET", "POST", "PUT", "HEAD", "OPTIONS", "BREW"],
            timeouts=self.timeouts(),
        )

    def config(self, base_url: str) -> APIConfig:
        return APIConfig({"api": self.api(base_url), "other": self.api(base_url + "/base")}, "api")

    def listen(self) -> str:
        return "tcp:0:interface=127.0.0.1"

    def timeouts(self) -> TimeoutConfig:
        return TimeoutConfig()

    def cache_options(self) -> CacheOptions:
        return CacheOptions()

    def make_upstream(self) -> Any:
        return Upstream()

    async def setUp(self) -> None:  # type: ignore[override]
        self.upstream = self.make_upstream()
        self._upstream_port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(self.upstream)
        self.base_url = f"http://127.0.0.1:{self._upstream_port.getHost().port}"
        self.access_log = self.mktemp()
        self.service = await self.start_proxy(self.base_url)
        self.secret = await self.new_token()
        self._wires: list[Wire] = []
        self.records: list[Record] = []
        publish = self.service.proxy.generations.current.account._publish

        def note(record: Record) -> None:
            self.records.append(record)
            publish(record)

        self.service.proxy.generations.current.account._publish = note

    async def start_proxy(self, base_url: str) -> ProxyService:
        service = make_service(
            reactor,
            Settings(
                apis=self.config(base_url),
                management_token=MANAGEMENT_TOKEN,
                encryption_key=bytes(32),
                database_url=":memory:",
                listen=[self.listen()],
                access_log=self.access_log,
                drain_seconds=0.2,
                cache=self.cache_options(),
            ),
        )
        service.startService()
        await service.started
        self.port: int = getattr(service.ports[0].getHost(), "port", 0)
        return service

    async def new_token(self, **changes: Any) -> str:
        """A token of a project of its own."""
        secret = generate(lambda size: __import__("os").urandom(size))
        database = self.service.proxy.database
        keys = {api.name: (UPSTREAM_KEY,) for api in self.service.proxy.generations.current.table.apis}
        project = Project(f"p-{secret[-6:]}", f"name-{secret}", keys)
        await database.projects.create(project)
        values: dict[str, Any] = {
            "id": f"t-{secret[-6:]}",
            "token_hash": token_hash(secret.encode()),
            "hint": hint(secret),
            "project_id": project.id,
            "expires_at": None,
        }
        await database.tokens.create(Token(**{**values, **changes}))
        return secret

    async def tearDown(self) -> None:  # type: ignore[override]
        closing = [wire.until_closed() for wire in [*self._wires, *self.upstream.wires]]
        for wire in [*self._wires, *self.upstream.wires]:
            if wire.closed is None:
                wire.transport.abortConnection()  # type: ignore[union-attr]
        await self.service.stopService()
        await maybeDeferred(self._upstream_port.stopListening)
        await DeferredList(closing, consumeErrors=True)
        await deferLater(reactor, 0)

    def endpoint(self) -> Any:
        """Where clients find the proxy."""
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)

    async def client(self) -> Wire:
        """A client's connection to the proxy."""
        wire = Wire()
        await self.endpoint().connect(Factory.forProtocol(lambda: wire))
        self._wires.append(wire)
        return wire

    async def send(self, request: bytes) -> Wire:
        """Send a request on a connection of its own; C{TOKEN} in it becomes the token."""
        client = await self.client()
        client.send(request.replace(b"TOKEN", self.secret.encode()))
        return client


def get(path: bytes = b"/v1/x", *fields: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: proxy", b"Authorization: Bearer TOKEN", *fields]
    return b"\r\n".join([*lines, b"", b""])


def post(body: bytes, *fields: bytes, path: bytes = b"/v1/x") -> bytes:
    """A request with a body."""
    return get(path, b"Content-Length: %d" % len(body), *fields, method=b"POST") + body
