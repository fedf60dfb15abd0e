"""The site: twisted.web's, over the connections of L{llmproxy.web.http1} and L{llmproxy.web.http2}."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.web.resource import Resource, getChildForRequest
from twisted.web.server import Site

from ..core.clientlimits import Limits
from ..core.descriptors import TURNED_AWAY
from ..core.headmemory import HALF_LIFE, HeadMemory
from ..core.http11 import too_many_connections
from ..core.targets import merged
from ..native import mypyc_attr
from ..net.poller import Poller
from ..net.timers import TimerWheel
from .connections import ADMITTED, REFUSED, UNWELCOME, OwnConnections
from .http1.channel import LlhttpChannel
from .requestids import known_as, request_ids
from .resources import RootResource, trusted_by

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.web.http import Request as HttpRequest
    from twisted.web.resource import IResource
    from twisted.web.server import Request

    from ..core.forwarded import TrustedProxies
    from ..interfaces import IConnectedProtocol
    from ..message import Fields
    from ..net.timers import Deadline
    from .connections import Connections
    from .contracts import ICountedChannel, IHeldResponse

_HTTP2 = find_spec("hpack") is not None

OnRefusal = Callable[[int, str, str, str, str], object]
"""Called with status, code, the client's address, a detail, and the id of the request that the client has got."""


@mypyc_attr(allow_interpreted_subclasses=True)
class ProxySite(Site):
    """
    Serves a resource tree over HTTP/1.1 on llhttp, and over HTTP/2 where TLS agrees on it.

    A L{StreamingResource} is rendered at the end of the headers, with the body still on its way; all others when it is
    here.

    @ivar on_refusal: called with what never became a request.
    @ivar counts: how many connections there are, here or in all workers.
    @ivar most: how many this process can have, if that is fewer than the limit.
    @ivar turned_away: how many beyond the limit are answered with 503 at a time, each within C{limits.head_time}; more
        are reset.
    @ivar patient: connections that wait for nothing stay when the last port has closed, for one more request: another
        process serves there by then.
    @ivar asks_certificates: a port of it asks clients for a certificate.
    @ivar closing: no port is open any more, and no connection is kept after the response that it waits for.
    @ivar heads: those of requests that came before, where C{resource} says who has it forget them.
    @param trusted_proxies: those in front that are believed; if none are given, those of C{resource}.
    @param wheel: for the time limits; one of its own if none is given.
    @param poller: adopts the connections; likewise.
    """

    displayTracebacks = False
    noisy = False

    def __init__(
        self,
        resource: IResource,
        *,
        reactor: IReactorTime,
        limits: Limits | None = None,
        wheel: TimerWheel | None = None,
        poller: Poller | None = None,
        on_refusal: OnRefusal | None = None,
        trusted_proxies: TrustedProxies | None = None,
        counts: Connections | None = None,
        most: int | None = None,
        turned_away: int = TURNED_AWAY,
    ) -> None:
        limits = Limits() if limits is None else limits
        super().__init__(resource, timeout=limits.idle, reactor=reactor)
        self.limits = limits
        self.wheel = TimerWheel(reactor) if wheel is None else wheel
        self._own_wheel = wheel is None
        self.poller = Poller(reactor) if poller is None else poller
        self.on_refusal = on_refusal
        self.trusted_proxies = trusted_proxies or trusted_by(resource)
        self.closing = self.asks_certificates = self.patient = False
        self._channels: set[ICountedChannel] = set()
        self._unwelcome: set[ICountedChannel] = set()
        self.counts: Connections = OwnConnections() if counts is None else counts
        self.most = most
        self.turned_away = turned_away
        self._holding: list[IHeldResponse] = []
        self._next_id = request_ids()
        self._ageing: Deadline | None = None
        self.heads: HeadMemory | None = None
        forgetting = resource.forgetting if isinstance(resource, RootResource) else None
        if forgetting is not None:
            self.heads = HeadMemory(limits.target, limits.fields, self._age_later)
            forgetting.append(self.heads.forget)

    # -- connections

    def startFactory(self) -> None:
        """Twisted's would keep a clock for its access log; the records are ours."""
        self.closing = False

    def stopFactory(self) -> None:
        """The last port has closed: connections that wait for nothing close, the others after their response."""
        self.closing = True
        if not self.patient:
            self.close_idle()
        self._stop_wheel()

    def close_idle(self) -> None:
        """Close the connections that wait for nothing."""
        for channel in [*self._channels, *self._unwelcome]:
            channel.close_if_idle()

    def log(self, request: HttpRequest) -> None:
        """The records are the log."""

    def buildProtocol(self, addr: Any) -> Any:
        return LlhttpChannel(self)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._channels)

    def admit(self, channel: ICountedChannel) -> int:
        limits, client = self.limits, channel.client_host
        total, mine = self.counts.add(client)
        if limits.connections_per_client is not None and mine > limits.connections_per_client:
            self.counts.remove(client)
            self.refused(503, "too_many_connections_of_client", client, "connections of this client")
            return REFUSED
        if self._is_full(total):
            self.counts.remove(client)
            return self._turn_away(channel)
        self._channels.add(channel)
        return ADMITTED

    def _is_full(self, total: int) -> bool:
        if self.most is not None and len(self._channels) >= self.most:
            return True
        return self.limits.connections is not None and total > self.limits.connections

    def _turn_away(self, channel: ICountedChannel) -> int:
        if len(self._unwelcome) < self.turned_away:
            self._unwelcome.add(channel)
            return UNWELCOME
        refusal = too_many_connections()
        self.refused(refusal.status, refusal.code, channel.client_host, refusal.detail)
        return REFUSED

    def released(self, channel: ICountedChannel) -> None:
        """A connection that was admitted has ended."""
        if channel.unwelcome:
            self._unwelcome.discard(channel)
        else:
            self._channels.discard(channel)
            self.counts.remove(channel.client_host)
        if self.closing:
            self._stop_wheel()

    def _stop_wheel(self) -> None:
        if self._own_wheel and not (self._channels or self._unwelcome):
            self.wheel.stop()

    def acceptableProtocols(self) -> list[bytes]:
        """For ALPN: HTTP/2 where it is installed, whether Twisted has what it needs for its own or not."""
        return [b"h2", b"http/1.1"] if _HTTP2 else [b"http/1.1"]

    def http2_connection(self) -> IConnectedProtocol:
        """The protocol of a connection that negotiated HTTP/2."""
        from .http2.connection import Http2Connection

        return Http2Connection(self)

    # -- requests

    def getResourceFor(self, request: Any) -> IResource:
        request.site = self
        # As in L{llmproxy.core.targets}: a search with C{in} makes an exception first.
        if request.uri.find(b"//") >= 0:
            _merge_slashes(request)
        if request.uri == b"*":
            return _ASTERISK
        root = self.resource
        leaf = root.leaf_at(request.uri) if isinstance(root, RootResource) else None
        if leaf is not None:
            return leaf
        request.sitepath = []
        # Twisted puts its name and version here.
        request.responseHeaders.removeHeader(b"server")
        return getChildForRequest(self.resource, request)

    def _age_later(self) -> None:
        if self._ageing is None:
            self._ageing = self.wheel.start(HALF_LIFE, self._age)

    def _age(self) -> None:
        self._ageing = None
        if self.heads is not None and self.heads.age():
            self._age_later()

    def request_id(self, fields: Fields = ()) -> str:
        """The id of a request that no exchange of the chain answers: the client's, or a new one."""
        return known_as(fields)[0] or self._next_id()

    def refused(self, status: int, code: str, client: str, detail: str = "", request_id: str = "") -> None:
        """Call L{on_refusal}; what it raises is logged."""
        if self.on_refusal is not None:
            try:
                self.on_refusal(status, code, client, detail, request_id)
            except Exception:
                LlhttpChannel._log.failure("a refusal could not be noted")

    def flush_later(self, request: IHeldResponse) -> None:
        """Send what C{request} holds back, before the reactor's next turn ends."""
        holding = self._holding
        holding.append(request)
        if len(holding) == 1:
            self.reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        holding, self._holding = self._holding, []
        for request in holding:
            request.flush()


def _merge_slashes(request: Any) -> None:
    """Make every form of the target the same: L{merged}."""
    request.uri = merged(request.uri)
    request.path = request.uri.partition(b"?")[0]
    request.postpath = [unquote_to_bytes(segment) for segment in request.path[1:].split(b"/")]


class _Asterisk(Resource):
    """C{OPTIONS *}: RFC 9110 section 9.3.7 makes it a ping of the server."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        return b""


_ASTERISK = _Asterisk()
