"""
The contracts between a site, the connections of its clients, and their requests.

What the rest of the proxy knows of a request is L{llmproxy.interfaces.downstream}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..interfaces import IServerChannel

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.web.resource import IResource

    from ..core.clientlimits import Limits
    from ..core.forwarded import TrustedProxies
    from ..core.headmemory import HeadMemory
    from ..interfaces import IConnectedProtocol
    from ..message import Fields
    from ..net.poller import Poller
    from ..net.timers import TimerWheel


class ICountedChannel(IServerChannel, Protocol):
    """
    A connection, as the site counts it.

    @ivar client_host: the address of the peer; C{""} on a Unix socket.
    @ivar unwelcome: it was admitted only to be answered with 503.
    """

    client_host: str
    unwelcome: bool


class IHeldResponse(Protocol):
    """A response whose beginning waits for more of it."""

    def flush(self) -> None:
        """Send what is held back."""


class IServerSite(Protocol):
    """
    A site, as connections and requests see it.

    @ivar trusted_proxies: those in front that are believed; C{None} if there are none.
    @ivar closing: no connection is kept after the response that it waits for.
    @ivar heads: those that came before; C{None} where none is remembered.
    """

    limits: Limits
    wheel: TimerWheel
    poller: Poller
    reactor: IReactorTime
    trusted_proxies: TrustedProxies | None
    closing: bool
    heads: HeadMemory | None

    def admit(self, channel: ICountedChannel) -> int:
        """
        Count a new connection, and decide what becomes of it.

        @return: L{llmproxy.web.connections.REFUSED}, C{ADMITTED} or C{UNWELCOME}; in the last two cases L{released}
            follows.
        """

    def released(self, channel: ICountedChannel) -> None:
        """A connection that was admitted has ended."""

    def http2_connection(self) -> IConnectedProtocol:
        """The protocol of a connection that negotiated HTTP/2; it is a producer too."""

    def getResourceFor(self, request: Any) -> IResource:
        """The resource that answers a request."""

    def request_id(self, fields: Fields = ()) -> str:
        """The id of a request that no exchange of the chain answers."""

    def refused(self, status: int, code: str, client: str, detail: str = "", request_id: str = "") -> None:
        """Note what was turned away before a resource knew of it."""

    def flush_later(self, request: IHeldResponse) -> None:
        """Send what C{request} holds back, before the reactor's next turn ends."""
