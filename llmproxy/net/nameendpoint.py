"""TCP connections to a host that is given by its name."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError, TimeoutError
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from .resolver import Names


@implementer(IStreamClientEndpoint)
class NameEndpoint:
    """
    Connects to the first address of a name that answers, several beside each other: Happy Eyeballs (RFC 8305), which is
    Twisted's own, with addresses that L{Names} knows.

    @param timeout: seconds for the name, and then for the attempt at one address.
    """

    def __init__(self, reactor: Any, names: Names, host: str, port: int, timeout: float) -> None:
        self._reactor = reactor
        self._names = names
        self._host = host
        self._port = port
        self._timeout = timeout

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        looking_up = self._names.lookup(self._host)
        if not looking_up.called:
            looking_up.addTimeout(self._timeout, self._reactor, _too_late)
        return looking_up.addCallback(self._connect, protocolFactory)

    def _connect(self, addresses: tuple[str, ...], factory: Any) -> Deferred[Any]:
        if len(addresses) == 1:
            endpoint: Any = address_endpoint(self._reactor, addresses[0], self._port, self._timeout)
        else:
            # The name is nowhere asked for, and IDNA does not know every name that there is.
            endpoint = HostnameEndpoint(_Resolved(self._reactor, addresses), "resolved", self._port, self._timeout)
        connecting: Deferred[Any] = endpoint.connect(factory)
        return connecting.addErrback(self._not_connected)

    def _not_connected(self, reason: Failure) -> Failure:
        if not reason.check(CancelledError, ConnectingCancelledError):
            self._names.doubt(self._host)
        return reason


def endpoint_to(reactor: Any, names: Names, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
    """TCP to an IP address, or to the host of a name."""
    try:
        ip_address(host)
    except ValueError:
        return NameEndpoint(reactor, names, host, port, timeout)
    return address_endpoint(reactor, host, port, timeout)


def address_endpoint(reactor: Any, address: str, port: int, timeout: float) -> IStreamClientEndpoint:
    """TCP to an IP address."""
    kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
    return kind(reactor, address, port, timeout)


def _too_late(result: object, timeout: float) -> Any:
    raise NameServerTimeout("the name server has not answered")


class NameServerTimeout(TimeoutError):
    """No name server answered in time: the host was never asked."""


@implementer(IReactorPluggableNameResolver, IHostnameResolver)
class _Resolved:
    """A reactor for one attempt to connect, of which the addresses are known."""

    def __init__(self, reactor: Any, addresses: tuple[str, ...]) -> None:
        self._reactor = reactor
        self._addresses = addresses
        self.nameResolver = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: Any) -> Any:
        raise NotImplementedError("it stays with these addresses")

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        for address in self._addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return None
