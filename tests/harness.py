"""
A whole exchange in memory, with both ends held by the test.

What the proxy has between its sockets is the real thing: channel, site, resource, chain, client, pool. The sockets
are in memory, and time is a L{Clock}: a client's bytes go in here, upstream's come out there.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from llmproxy.apisettings import ConnectionSettings
from llmproxy.app.capturing import Capturing
from llmproxy.app.costs import Costs
from llmproxy.app.estimates import Estimates
from llmproxy.app.leasedbudgets import NewBudgets
from llmproxy.app.limits import UsageLimiting
from llmproxy.cache.memory import MemoryStore
from llmproxy.config import APIConfig, APIProviderConfig, TimeoutConfig
from llmproxy.core.attributing.attribution import Hashing
from llmproxy.core.limits.values import UsageLimitSettings
from llmproxy.core.masking import Masking
from llmproxy.core.telemetry.traces import Traces
from llmproxy.core.tokens import token_hash
from llmproxy.errors import TokenNotFound
from llmproxy.interfaces import Responder
from llmproxy.message import ApiRequest, ApiResponse, Principal, Project, Record, Token
from llmproxy.middleware.attribution import Attribute
from llmproxy.middleware.authenticate import Authenticate
from llmproxy.middleware.breaker import Breaker
from llmproxy.middleware.caching.cache import Cache
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.estimate import estimate_for
from llmproxy.middleware.includeusage import include_usage_for
from llmproxy.middleware.meter import meter_for
from llmproxy.middleware.recordexchanges import RecordExchanges
from llmproxy.middleware.usagetrailer import usage_trailer_for
from llmproxy.net.slices import Slices
from llmproxy.net.timers import TimerWheel
from llmproxy.service import standard_chain
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.upstream.client import PooledClient
from llmproxy.upstream.responder import UpstreamResponder
from llmproxy.web.api.resource import ProxyResource
from llmproxy.web.root import Root
from llmproxy.web.site import ProxySite
from tests.middleware.fakes import FakeDirectory, FakeQuota, FakeRevocations

SECRET = b"sk-" + b"A" * 22
KEY = "sk-the-projects-key"


class Socket:
    """
    The proxy's socket, and the test's hold on its other end.

    @ivar sent: what the proxy has written.
    @ivar calls: how often it wrote, and asked for more or less reading: each of them costs a system call or more.
    @ivar state: C{open}, C{closed} in order, or C{aborted}.
    @ivar full: the other end takes nothing for now: whoever produces is paused.
    """

    def __init__(self, protocol: Any, host: str) -> None:
        self.sent = b""
        self.calls = 0
        self.state = "open"
        self.reading = True
        self.full = False
        self.disconnecting = False
        self._producer: IPushProducer | None = None
        self._protocol = protocol
        self._host = host
        self._waiting: list[bytes] = []
        protocol.makeConnection(self)

    # -- the test's end

    def receive(self, data: bytes) -> None:
        """The other end sends; what comes while the proxy does not read waits."""
        self._waiting.append(data)
        self._deliver()

    def close(self) -> None:
        """The other end closes."""
        self._lost(ConnectionDone())

    def fill(self) -> None:
        """The other end stops reading."""
        self.full = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def drain(self) -> None:
        """It reads again."""
        self.full = False
        if self._producer is not None:
            self._producer.resumeProducing()

    def take(self) -> bytes:
        """What was sent since the last time."""
        sent, self.sent = self.sent, b""
        return sent

    def _deliver(self) -> None:
        while self._waiting and self.reading and self.state == "open":
            self._protocol.dataReceived(self._waiting.pop(0))

    def _lost(self, reason: Exception) -> None:
        if self.state == "open":
            self.state = "aborted" if isinstance(reason, ConnectionAborted) else "closed"
            self._protocol.connectionLost(Failure(reason))

    # -- the proxy's end

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        self.calls += 1
        if self.state == "open":
            self.sent += data

    def writeSequence(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self, *reason: Any) -> None:
        self.disconnecting = True
        self._lost(ConnectionDone())

    def abortConnection(self) -> None:
        self._lost(ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self._producer is None, "two producers"
        self._producer = producer
        if self.full:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.calls += 1
        self.reading = False

    def resumeProducing(self) -> None:
        self.calls += 1
        self.reading = True
        self._deliver()

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._host, 40_000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 80)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Sockets in memory delay nothing."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nor do they fall asleep."""


class _Strangers(FakeDirectory):
    def load(self, secret: bytes) -> Deferred[Principal]:
        return fail(TokenNotFound())


class _Open:
    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        return inner(request)


def _words(text: str, model: str) -> int:
    """A tokenizer to which a word is a token."""
    return len(text.split())


class Exchange:
    """
    A proxy with one API, whose upstream is the test.

    @ivar upstream: the proxy's connections to upstream, in the order in which they were opened.
    @ivar refuses: upstream takes no connection.
    @ivar records: of the exchanges that have ended.
    @ivar directory: who knows the token.
    @ivar unread: what the meter could not read.
    @ivar priced: records whose cost was asked for before they had ended.
    @ivar cache: in memory, if the exchange is C{cached}.
    @param strangers: other tokens are known to be none; otherwise the test answers for them.
    @param traces: of exchanges; nothing is traced without.
    @param usage_limits: what stands in C{limiting} from the start.
    @param budgets: makes what leases money, see L{UsageLimiting}.
    @param remembers: heads that came before.
    @param directory: who knows tokens, in place of one that knows one.
    @param others: APIs besides the one.
    @param ledger: notes what goes on and what has ended, as L{llmproxy.ledger.ledger.Ledger} does.
    """

    def __init__(
        self,
        timeouts: TimeoutConfig | None = None,
        *,
        cached: bool = False,
        strangers: bool = False,
        ledger: Any = None,
        usage_limits: UsageLimitSettings | None = None,
        traces: Traces | None = None,
        budgets: NewBudgets | None = None,
        remembers: bool = True,
        directory: Any = None,
        others: int = 0,
        **api: Any,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.wheel = TimerWheel(self.clock)
        self.inspection = Inspection(self.clock, self.wheel)
        values: dict[str, Any] = {
            "base_url": "http://192.0.2.9",
            "allowed_endpoints": ["/v1"],
            "allowed_methods": ["GET", "POST", "HEAD"],
            "timeouts": timeouts or TimeoutConfig(),
        }
        made = APIProviderConfig(**{**values, **api})
        config = APIConfig({"api": made, **{f"other{number}": made for number in range(others)}}, "api")
        self.upstream: list[Socket] = []
        self.refuses = False
        self.records: list[Record] = []
        self.revocations = FakeRevocations()
        self.quota = FakeQuota()
        self.client_pool = PooledClient(
            self.clock, ConnectionSettings(proxy_from_environment=False), wheel=self.wheel, endpoint_for=self._endpoint
        )
        self.account = RecordExchanges(self.clock, self.records.append, seal=None if ledger is None else ledger.end)
        self.counts = {"store": 0}
        store = MemoryStore(self.clock.seconds, 1 << 20)
        self.cache = Cache(self.clock, store, self.quota, self.account, self.counts) if cached else None
        table = config.routing_table()
        self.capturing = Capturing(self.clock, Masking([KEY]))
        capture = self.capturing.middleware(table.apis)
        principal = Principal(Token("t", token_hash(SECRET), "sk-…", "p", None), Project("p", "one", {"api": (KEY,)}))
        self.directory = directory or (_Strangers if strangers else FakeDirectory)({SECRET: principal})
        self.unread: list[tuple[str, ...]] = []
        self.priced: list[Record] = []
        self.costs = Costs(self.clock)
        self.costs.use((), table.apis)
        self.limiting = UsageLimiting(self.clock, self.costs, self.inspection, lambda rule: succeed(0), budgets=budgets)
        self.estimates = Estimates(self.clock, lambda *what: self.unread.append(what), _words)
        self.include_usage = include_usage_for(table.apis, self.wheel, lambda *what: self.unread.append(what))
        respond = standard_chain(
            UpstreamResponder(lambda api: self.client_pool, now=self.clock.seconds).respond,
            account=self.account,
            table=table,
            gate=_Open(),
            authenticate=Authenticate(self.clock, self.directory, self.revocations),
            quota=self.quota,
            strangers=self.limiting.strangers(usage_limits or UsageLimitSettings()),
            overload=self.limiting.overload(usage_limits.overload if usage_limits else None, self.wheel),
            limits=self.limiting.middleware(usage_limits or UsageLimitSettings()),
            ledger=ledger,
            traces=traces,
            breaker=Breaker(self.clock),
            wheel=self.wheel,
            inspection=self.inspection,
            attribution=Attribute(table.apis, Hashing(None), Slices(self.clock)),
            cache=self.cache,
            capture=capture,
            usage_trailer=usage_trailer_for(table.apis, lambda record: self.priced.append(record)),
            include_usage=self.include_usage,
            estimate=estimate_for(table.apis, self.estimates),
            meter=meter_for(table.apis, self.clock.seconds, lambda *what: self.unread.append(what)),
        )
        root = Root(ProxyResource(self.clock.seconds, respond))
        root.forgetting = [] if remembers else None
        self.site = ProxySite(root, reactor=self.clock, wheel=self.wheel)

    def client(self) -> Socket:
        """A connection of a client."""
        address = IPv4Address("TCP", "192.0.2.7", 40_000)
        return Socket(self.site.buildProtocol(address), "192.0.2.7")

    def turn(self, seconds: float = 0.0) -> None:
        """Let the reactor turn, and time pass."""
        self.clock.advance(0)
        if seconds:
            for _ in range(round(seconds / 0.05)):
                self.clock.advance(0.05)

    def _endpoint(self, host: str, port: int) -> Any:
        return _Endpoint(self)

    def outcomes(self, outcome: str) -> int:
        """How many exchanges the metrics count as hits, misses or bypasses of the cache."""
        metrics = ProxyMetrics()
        metrics.record_batch(self.records)
        return metrics.cache[outcome]

    def idle(self) -> bool:
        """Whether nothing is left of any exchange: nothing runs, no deadline stands but those of kept connections."""
        watched = self.revocations.watches or self.revocations.pending
        return self.account.in_flight == 0 and self.quota.balance >= 0 and not watched


class _Endpoint:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def connect(self, factory: Any) -> Deferred[Any]:
        if self._exchange.refuses:
            return fail(ConnectionRefusedError(errno.ECONNREFUSED))
        protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.9", 80))
        self._exchange.upstream.append(Socket(protocol, "192.0.2.9"))
        return succeed(protocol)


def a_request(path: bytes = b"/v1/x", *fields: bytes, body: bytes | None = None, method: bytes = b"") -> bytes:
    """A request with the token."""
    lines = [(method or (b"GET" if body is None else b"POST")) + b" " + path + b" HTTP/1.1", b"Host: proxy"]
    lines += [b"Authorization: Bearer " + SECRET, *fields]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body or b""])
