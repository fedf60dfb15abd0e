"""The connector: from an address to a connection that can take a request: name, TCP, proxy, TLS."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..errors import UpstreamTimeout, UpstreamUnreachable
from ..net.nameendpoint import endpoint_to
from ..net.poller import Poller
from ..net.resolver import Names
from .connection import Connection, Owner
from .proxies import Proxy
from .tls import ClientTls
from .tunnel import Tunnel

if TYPE_CHECKING:
    from twisted.internet.interfaces import IStreamClientEndpoint

    from ..apisettings import ConnectionSettings

EndpointFor = Callable[[str, int], "IStreamClientEndpoint"]
"""Makes the TCP endpoint of a host and port."""


@frozen
class Address:
    """
    An origin, and the proxy before it if there is one.

    @ivar netloc: the value of C{Host}.
    @ivar server_name: what TLS asks for, and what the certificate must name; C{""} for C{host}.
    @ivar http2: offer HTTP/2 too.
    """

    secure: bool
    host: str
    port: int
    netloc: bytes
    proxy: Proxy | None = None
    server_name: str = ""
    http2: bool = False


class Destination(Owner, Protocol):
    """The owner of a connection that is yet to be opened: L{llmproxy.upstream.hostpool.Site} is one."""

    @property
    def address(self) -> Address:
        """Where it leads."""


class Connector:
    """
    @param endpoint_for: what opens TCP; by default Happy Eyeballs for names (RFC 8305).
    @param poller: adopts the connections; one of its own if none is given.
    @param names: the addresses of hosts; of its own if none are given.
    @param make_room: gives back descriptors where none is left; whether there were any to give.
    """

    def __init__(
        self,
        reactor: Any,
        settings: ConnectionSettings,
        endpoint_for: EndpointFor | None = None,
        poller: Poller | None = None,
        names: Names | None = None,
        make_room: Callable[[], object] = lambda: False,
    ) -> None:
        self._reactor = reactor
        self._make_room = make_room
        self._names = Names(reactor) if names is None else names
        self._poller = Poller(reactor) if poller is None else poller
        self._settings = settings
        self._endpoint_for = self._endpoint if endpoint_for is None else endpoint_for
        self._tls: dict[tuple[str, bool], ClientTls] = {}

    def connect(self, site: Any) -> Deferred[Any]:
        """
        Open a connection, of the protocol that upstream chooses where HTTP/2 is offered.

        It fails with what Twisted and OpenSSL have to say, or L{UpstreamTimeout} or
        L{UpstreamUnreachable}. Cancelling it closes what is open.
        """
        connecting = Deferred.fromCoroutine(self._connect(site))
        if self._settings.connect_timeout is not None:
            connecting.addTimeout(self._settings.connect_timeout, self._reactor, _too_late)
        return connecting

    async def _connect(self, site: Destination) -> Any:
        address = site.address
        tls = self._tls_to(address.server_name or address.host, address.http2) if address.secure else None
        try:
            connection = await self._open_if_there_is_room(site, address, tls)
            connection = await connection.ready
        except ConnectionClosed:
            # Nothing was sent: the caller may try again, whatever the method.
            raise UpstreamUnreachable(cause="closed") from None
        return connection

    async def _open_if_there_is_room(self, site: Destination, address: Address, tls: ClientTls | None) -> Any:
        try:
            return await self._open(site, address, tls)
        except (ConnectError, OSError) as error:
            # A name server is asked by a socket, too.
            number = error.osError if isinstance(error, ConnectError) else error.errno
            if number not in (errno.EMFILE, errno.ENFILE) or not self._make_room():
                raise
        # What is closed now is closed when the reactor has come around.
        await deferLater(self._reactor, 0)
        return await self._open(site, address, tls)

    async def _open(self, site: Destination, address: Address, tls: ClientTls | None) -> Any:
        plain = _quiet(self._beginning(site, tls))
        factory = plain if tls is None else TLSMemoryBIOFactory(tls, True, plain, clock=self._reactor)
        proxy = address.proxy
        if proxy is None:
            protocol: Any = await self._endpoint_for(address.host, address.port).connect(factory)
        elif tls is None:
            protocol = await self._endpoint_for(proxy.host, proxy.port).connect(factory)
        else:
            tunnels = _quiet(lambda: Tunnel(address.host, address.port, proxy, factory))
            tunnel: Any = await self._endpoint_for(proxy.host, proxy.port).connect(tunnels)
            protocol = await tunnel.through
        return protocol if tls is None else protocol.wrappedProtocol

    def _beginning(self, site: Destination, tls: ClientTls | None) -> Callable[[], Any]:
        """What makes the protocol of a connection."""
        poller, limit = self._poller, self._settings.max_response_head

        def http1(owner: Owner) -> Connection:
            return Connection(owner, poller=poller, tls=tls, head_limit=limit)

        if tls is None or not site.address.http2:
            return lambda: http1(site)
        from .http2.connection import SharedConnection
        from .http2.negotiation import Negotiation

        shared: Any = site
        return lambda: Negotiation(
            lambda: http1(shared.http1),
            lambda: SharedConnection(shared, poller=poller, tls=tls, head_limit=limit),
            poller,
        )

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        # The attempt as a whole has its own limit; an endpoint's is for each address.
        timeout = self._settings.connect_timeout or _NEVER
        return endpoint_to(self._reactor, self._names, host, port, timeout)

    def _tls_to(self, host: str, http2: bool) -> ClientTls:
        tls = self._tls.get((host, http2))
        if tls is None:
            tls = self._tls[host, http2] = ClientTls(self._settings, host, http2)
        return tls


_NEVER = 365 * 86_400


def _quiet(protocol: Callable[[], Any]) -> Factory:
    factory = Factory.forProtocol(protocol)
    # Twisted logs the beginning and the end of each connection otherwise.
    factory.noisy = False
    return factory


def _too_late(result: object, timeout: float) -> object:
    raise UpstreamTimeout("connect")
