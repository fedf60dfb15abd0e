"""C{SO_REUSEPORT}: a port at which several programs listen, each with a queue of its own."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.error import CannotListenError
from twisted.protocols.tls import TLSMemoryBIOFactory

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort


class ReusingPorts:
    """
    A reactor whose TCP ports others may have too, who say so as well and belong to the same user (socket(7)). The
    kernel gives each connection to one of them.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> IListeningPort:
        """@raise CannotListenError: somebody has it for themselves, or the system has no such ports."""
        try:
            listening = _listening(port, interface, backlog)
        except OSError as error:
            raise CannotListenError(interface, port, error) from error
        with listening:
            adopted: IListeningPort = self._reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
        return adopted

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        above = TLSMemoryBIOFactory(contextFactory, False, factory, clock=self._reactor)
        return self.listenTCP(port, above, backlog, interface)


def _listening(port: int, interface: str, backlog: int) -> socket.socket:
    option = getattr(socket, "SO_REUSEPORT", None)
    if option is None:
        raise OSError("reuse_port: this system does not have it")
    found = socket.getaddrinfo(interface or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, option, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    return listening
