"""Listening sockets: opened in the parent, served in the workers."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..config.listen import reuse_of
from ..errors import ConfigError
from ..net.twistedinternals import adopt_unix_port
from .fairaccept import FairAccept
from .reuseport import ReusingPorts

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort

BACKLOG = 1024
"""
Connections that wait to be accepted; the system may allow fewer.

With Twisted's 50 a burst of clients that comes while the reactor is busy has some of them wait for a second, for
their SYN to be sent again.
"""

_KINDS = ("tcp", "tcp6", "ssl", "unix")

_COLON = re.compile(r"(?<!\\):")
_SAYS_BACKLOG = re.compile(r"(?<!\\):backlog=")


@frozen
class ListeningSocket:
    """
    A socket that the parent holds open.

    @ivar description: the endpoint that it was opened for.
    @ivar family: its address family.
    @ivar adopted: the program before has opened it.
    """

    description: str
    port: Any
    family: int
    adopted: bool = False

    def close(self) -> Deferred[Any]:
        """Listen there no more. What was adopted leaves its path behind, as workers must; we were the last."""
        name = getattr(self.port.getHost(), "name", None) if self.adopted else None
        if name:
            with suppress(OSError):
                os.unlink(name)
        return maybeDeferred(self.port.stopListening)

    @property
    def fd(self) -> int:
        fd: int = self.port.fileno()
        return fd


def open_port(reactor: Any, description: str, factory: Any, option: str = "--listen") -> Deferred[IListeningPort]:
    """
    Listen at an endpoint description. Fails with L{ConfigError}, one line that names it.

    @param option: where it comes from.
    """
    if description.startswith("systemd:") and isinstance(reactor, Inherited):
        # Systemd has passed it to the parent, which is what its endpoint looks at.
        return succeed(reactor.adopt(factory))
    try:
        plain, reuses = reuse_of(description)
        opener = ReusingPorts(reactor) if reuses and not isinstance(reactor, Inherited) else reactor
        opener = WholeChain(opener) if plain.startswith("ssl:") else opener
        endpoint = serverFromString(opener, with_backlog(with_chain(plain)))
    except Exception as reason:
        # Plugins parse the rest of a description, and raise whatever they like.
        return fail(ConfigError(f"{option} {description}: not an endpoint that can be used: {reason}"))

    def refused(reason: Any) -> Any:
        reason.trap(CannotListenError, OSError)
        raise ConfigError(f"{option} {description}: cannot listen: {_words(reason.value)}") from reason.value

    opened: Deferred[IListeningPort] = endpoint.listen(factory)
    return opened.addErrback(refused)


def with_backlog(description: str) -> str:
    """The same with room for L{BACKLOG} connections, if it says nothing of that and is of a kind that can."""
    kind, _, rest = description.partition(":")
    if kind not in _KINDS or _SAYS_BACKLOG.search(rest):
        return description
    return f"{description}:backlog={BACKLOG}"


def with_chain(description: str) -> str:
    """The same with all certificates of the file, where it is of TLS and names no C{extraCertChain}."""
    parts = _COLON.split(description)
    options = dict(part.partition("=")[::2] for part in parts[2:])
    file = options.get("certKey") or options.get("privateKey")
    if parts[0] != "ssl" or "extraCertChain" in options or file is None:
        return description
    return f"{description}:extraCertChain={file}"


class WholeChain:
    """
    A reactor that serves a certificate once, though Twisted's C{extraCertChain} is of the file that begins with it.

    RFC 5246 section 7.4.2: each certificate certifies the one before it.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **options: Any) -> IListeningPort:
        own = _der(contextFactory.certificate)
        contextFactory.extraCertChain = [each for each in contextFactory.extraCertChain if _der(each) != own]
        listening: IListeningPort = self._reactor.listenSSL(port, factory, contextFactory, **options)
        return listening


def _der(certificate: Any) -> bytes:
    from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

    return dump_certificate(FILETYPE_ASN1, certificate)


def open_held(reactor: Any, description: str, option: str = "--listen") -> Deferred[ListeningSocket]:
    """Open a socket and accept nothing from it: connections wait in its backlog for the workers."""

    def hold(port: Any) -> ListeningSocket:
        port.stopReading()
        return ListeningSocket(description, port, port.addressFamily)

    factory = Factory()
    factory.noisy = False
    return open_port(reactor, description, factory, option).addCallback(hold)


def adopt_held(reactor: Any, description: str, fd: int, family: int) -> ListeningSocket:
    """A socket that the program before has held, as it was."""
    factory = Factory()
    factory.noisy = False
    if family == socket.AF_UNIX:
        with socket.socket(fileno=os.dup(fd)) as found:
            name = found.getsockname()
        port: Any = adopt_unix_port(reactor, fd, factory, os.stat(name).st_mode & 0o777)
    else:
        port = reactor.adoptStreamPort(fd, family, factory)
    port.stopReading()
    # It has one of its own.
    os.close(fd)
    return ListeningSocket(description, port, family, adopted=True)


class Inherited:
    """
    A reactor for one endpoint, whose socket is open already: whatever it is asked to listen at, it
    serves the descriptor that it was given.

    @param is_ahead: see L{FairAccept}.
    """

    def __init__(self, reactor: Any, fd: int, family: int, is_ahead: Callable[[], bool] = lambda: False) -> None:
        self._reactor = reactor
        self._is_ahead = is_ahead
        self._fd = fd
        self._family = family

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> IListeningPort:
        return self.adopt(factory)

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        return self.adopt(TLSMemoryBIOFactory(contextFactory, False, factory, clock=self._reactor))

    def listenUNIX(
        self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: bool = False
    ) -> IListeningPort:
        port = adopt_unix_port(self._reactor, self._fd, factory, mode)
        FairAccept(self._reactor, port, self._is_ahead)
        return port

    def adopt(self, factory: Any) -> Any:
        """Serve C{factory} there."""
        if self._family == socket.AF_UNIX:
            name = socket.socket(fileno=os.dup(self._fd)).getsockname()
            return self.listenUNIX(name, factory, mode=os.stat(name).st_mode & 0o777)
        port = self._reactor.adoptStreamPort(self._fd, self._family, factory)
        FairAccept(self._reactor, port, self._is_ahead)
        return port


def _words(error: BaseException) -> str:
    reason = getattr(error, "socketError", error)
    return getattr(reason, "strerror", None) or str(reason)


FAMILIES = {int(family): family for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)}
