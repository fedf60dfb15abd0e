"""The address of a request's client, for every kind of request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.python.components import Componentized
from zope.interface import Interface

from .basicrequest import BasicRequest

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.web.server import Request

    from ..core.forwarded import TrustedProxies
    from ..message import Fields


class IClient(Interface):
    """The component of a stock request that holds the address of its client, a string."""


def client_of(request: Request) -> str:
    """The address of the client, as far as trusted proxies in front name it; C{""} on a Unix socket."""
    if isinstance(request, BasicRequest):
        return request.client_host
    known: str | None = request.getComponent(IClient) if isinstance(request, Componentized) else None
    return peer_of(request) if known is None else known


def set_client(request: Request, client: str) -> None:
    """Remember the address of the client, for L{client_of}."""
    if isinstance(request, BasicRequest):
        request.client_host = client
    elif isinstance(request, Componentized):
        request.setComponent(IClient, client)


def peer_of(request: Request) -> str:
    """The address of the peer, which is the client or a proxy in front; C{""} on a Unix socket."""
    return request.peer_host if isinstance(request, BasicRequest) else host_of(request.getClientAddress())


def host_of(address: IAddress) -> str:
    """The host of an address; C{""} where it has none, as that of a Unix socket."""
    host: str = address.host if isinstance(address, (IPv4Address, IPv6Address)) else ""
    return host


def named_client(trusted: TrustedProxies | None, peer: str, fields: Fields) -> str:
    """
    The address of the client of a request that came from C{peer}.

    @param trusted: the proxies that are believed; C{None} if there are none.
    """
    return peer if trusted is None else trusted.client_of(peer, fields)
