"""
Private names of Twisted: the only place that knows them, with public ways where one is missing.

What Twisted has not sent yet stands in private attributes of its transports, and nothing public tells whether anything
waits. C{MISSING} is found out once, by what the installed Twisted does with two bytes; where that is not what is
expected here (Twisted 26.4 to 26.10), connections stay with the reactor and are written to with C{transport.write}: as
correct, and slower.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IUNIXTransport
from twisted.logger import Logger
from twisted.protocols.tls import BufferingTLSTransport

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort
    from twisted.logger import LogEvent

SMALL = 16 * 1024
"""Bytes up to which it is worth waiting for what others write."""

RECORD = 16 * 1024
"""Bytes that a record of TLS takes, RFC 8446 section 5.1."""

RECORDS = 4
"""Of those that wait in OpenSSL at a time, with what is left of one more: it keeps the room while it is connected."""

_RECORDS_LENGTH = (RECORDS + 2) * RECORD
"""
More than they are, with what is around them, and what OpenSSL has to say besides; and less than what the system is
asked for anew each time (128 KiB).
"""

_OF_TLS = ("_aggregator", "_appSendBuffer", "_handshakeDone", "_lostTLSConnection", "_tlsConnection")

WAITING = object()
"""See L{write_waiting}."""


class Collects(Protocol):
    """What L{llmproxy.net.poller.Poller} is to those who write."""

    collecting: bool


def missing_names(descriptor: Any = FileDescriptor, connection: Any = tcp.Connection) -> tuple[str, ...]:
    """
    What the installed Twisted does not have, or does not use as is expected here; empty with those that are known.

    @param descriptor: Twisted's base of all that is written to, and C{connection} of TCP connections.
    """
    named = ("_aborting", "_writeDisconnecting", "TLS", "disconnecting", "producerPaused", "streamingProducer")
    missing = [name for name in named if getattr(connection, name, True)]
    missing += [name for name in ("bufferSize", "doWrite", "writeSomeData") if not hasattr(connection, name)]
    try:
        missing += _unlike_known(descriptor)
    except Exception as error:
        missing.append(f"{type(error).__name__} of a write")
    return tuple(missing)


def _unlike_known(descriptor: Any) -> list[str]:
    """Write two bytes of which the system takes one."""

    class Probe(descriptor):
        connected = True

        def writeSomeData(self, data: bytes) -> int:
            return 1

    class Reactor:
        def addWriter(self, writer: object) -> None:
            """Nothing turns here."""

        removeWriter = addWriter

    probe = Probe(Reactor())
    names = ("dataBuffer", "offset", "_tempDataBuffer", "_tempDataLen")
    seen = []
    for step in (lambda: None, lambda: probe.write(b"ab"), probe.doWrite):
        step()
        seen.append([getattr(probe, name, None) for name in names])
        # The list is used again, and shown as it was.
        seen[-1][2] = None if seen[-1][2] is None else [*seen[-1][2]]
    known = ([b"", 0, [], 0], [b"", 0, [b"ab"], 2], [b"ab", 1, [], 0])
    return [
        name
        for at, name in enumerate(names)
        if any(one[at] != other[at] for one, other in zip(seen, known, strict=True))
    ]


MISSING = missing_names()
"""Empty with the versions that are known. Connections that are made later go by what stands here then."""


# -- what waits to be sent


def sender(transport: Any, poller: Collects, gone: Callable[[bytes], bool | None]) -> Callable[[bytes], bool | None]:
    """
    What writes to C{transport} at once if nothing waits before it.

    C{transport.write} of Twisted's TCP keeps the bytes, asks epoll to tell when the socket can be written, writes in
    the next turn, and takes the wish back: three system calls for one. The order of the bytes and backpressure are as
    with C{write}: what the socket does not take goes there, and what is small while C{poller} collects.

    @param gone: called in place of sending where the connection is closing, or lost, and took none of the bytes.
    @return: C{transport.write} itself unless it is TCP, or TLS over that; what gives C{True}, or what C{gone} gives, of
        plain TCP.
    """
    if isinstance(transport, BufferingTLSTransport) and not MISSING:
        return _tls_sender(transport, poller)
    if MISSING or not isinstance(transport, tcp.Connection) or transport.TLS or IUNIXTransport.providedBy(transport):
        write: Callable[[bytes], None] = transport.write
        return write
    connection: Any = transport

    def send(data: bytes) -> bool | None:
        if connection._tempDataBuffer or connection.dataBuffer:
            connection.write(data)
            return True
        if (
            connection.disconnecting
            or not connection.connected
            or connection._aborting
            or connection._writeDisconnecting
            or connection.TLS
        ):
            return gone(data)
        if poller.collecting and len(data) <= SMALL:
            connection.write(data)
            return True
        try:
            sent = connection.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return gone(data)
        if sent != len(data):
            connection.write(data[sent:] if sent else data)
        return True

    return send


def _tls_sender(transport: Any, poller: Collects) -> Callable[[bytes], bool | None]:
    """
    What encrypts at once, and hands the records of a write to TCP with one call.

    C{transport.write} keeps the bytes until a call of the next turn, and then copies them, writes and reads OpenSSL's
    buffer for each record.
    """
    below = transport.transport
    if not isinstance(below, tcp.Connection) or any(not hasattr(transport, name) for name in _OF_TLS):
        write: Callable[[bytes], None] = transport.write
        return write
    forward = sender(below, poller, below.write)

    def send(data: bytes) -> None:
        if (
            not data
            or not transport._handshakeDone
            or transport._lostTLSConnection
            or transport.disconnecting
            or transport._appSendBuffer
            or transport._aggregator._buffer
        ):
            transport.write(data)
            return
        connection, size, at = transport._tlsConnection, len(data), 0
        try:
            if size <= RECORD:
                at = connection.send(data)
                if at == size:
                    forward(connection.bio_read(2 * RECORD))
                    return
            # A client may have asked for records of 512 bytes (RFC 6066 section 4): of each write OpenSSL takes one.
            view = memoryview(data)
            while at < size:
                upto = at + RECORDS * RECORD
                if size - upto < RECORD:
                    # What is left of it has no write of its own.
                    upto = size
                while at < upto:
                    at += connection.send(view[at : at + RECORD])
                forward(connection.bio_read(_RECORDS_LENGTH))
        except SSL.Error:
            # Twisted's own way finds out why, and does what is to be done. What was encrypted goes first.
            with suppress(SSL.Error):
                forward(connection.bio_read(_RECORDS_LENGTH))
            transport.write(bytes(data[at:]))

    return send


def write_waiting(connection: Any) -> Any:
    """
    C{connection.doWrite}, without what it does only for large, slow or ending connections. Not to be called if
    something is C{MISSING}.

    @return: C{None} if all has left, L{WAITING} if not, or why the connection ended.
    """
    pieces = connection._tempDataBuffer
    if (
        pieces
        and not connection.dataBuffer
        and not connection.disconnecting
        and not connection.producerPaused
        and not connection._writeDisconnecting
        and (connection.producer is None or connection.streamingProducer)
    ):
        data = b"".join(pieces)
        try:
            sent = connection.socket.send(data)
        except OSError:
            # No room, or it is lost: doWrite() finds that out again.
            sent = 0
        if sent == len(data):
            pieces.clear()
            connection._tempDataLen = 0
            return None
        connection._tempDataBuffer = [data[sent:]]
        connection._tempDataLen = len(data) - sent
    why = connection.doWrite()
    return why or (WAITING if connection.dataBuffer or connection._tempDataBuffer else None)


def unwritten(transport: Any) -> int:
    """Bytes that were handed to C{transport} and not to the system, below TLS too; 0 as far as nobody can tell."""
    if MISSING:
        return 0
    size: int = sum(map(len, getattr(transport, "_appSendBuffer", ())))
    # TLS hides the transport below it.
    below = getattr(transport, "transport", transport)
    return (
        size + len(getattr(below, "dataBuffer", b"")) - getattr(below, "offset", 0) + getattr(below, "_tempDataLen", 0)
    )


def was_resumed(transport: Any) -> bool:
    """
    Whether TLS went on with a session of before; C{False} where nobody can tell, as pyOpenSSL has no public way to ask.
    """
    try:
        openssl: Any = SSL
        return bool(openssl._lib.SSL_session_reused(transport.getHandle()._ssl))
    except (AttributeError, TypeError):
        return False


# -- ports, names, errors, sites


def adopt_unix_port(reactor: Any, fd: int, factory: Any, mode: int) -> IListeningPort:
    """
    Serve a listening Unix socket that another process keeps.

    C{reactor.adoptStreamPort}, the public way, would give its path the mode 0666, remove the path at the end and shut
    the socket down for all who have it (Twisted 26.10). Where there is no other, a path that is away at the end is the
    price, and the mode is set again.

    @param mode: of the path.
    """
    import os
    import socket

    from twisted.internet.unix import Port

    make = getattr(Port, "_fromListeningDescriptor", None)
    if make is None:
        public: Any = reactor.adoptStreamPort(fd, socket.AF_UNIX, factory)
        os.chmod(public.getHost().name, mode)
        return public
    port: Any = make(reactor, fd, factory)
    port.mode = mode
    port.startListening()
    port.connectionLost = lambda reason: tcp.Port.connectionLost(port, reason)
    port._shouldShutdown = False
    return port


def leave_listening(port: Any) -> None:
    """Have a port, when it stops, close its own descriptor and nothing else: another process serves the socket."""
    from twisted.internet.unix import Port

    port._shouldShutdown = False
    if isinstance(port, Port):
        unix: Any = port
        # Its own would remove the path.
        unix.connectionLost = lambda reason: tcp.Port.connectionLost(unix, reason)


def hear_port(port: Any, heard: Callable[[LogEvent], object]) -> None:
    """Have C{heard} called with what a port says of clients that it cannot accept, in the place of the log."""
    observer: Any = heard
    if hasattr(port, "_logger"):
        port._logger = Logger(namespace=port._logger.namespace, observer=observer)


def is_own_resolver(resolver: object) -> bool:
    """Whether it is the one that Twisted's reactors have where an application gave them none."""
    try:
        from twisted.internet._resolver import GAIResolver
    except ImportError:
        return type(resolver).__module__.startswith("twisted.internet.")
    return isinstance(resolver, GAIResolver)


def parse_errors() -> tuple[type[Exception], ...]:
    """What C{twisted.web.client} wraps where a response is none; empty if it has no such exception."""
    try:
        from twisted.web._newclient import ParseError
    except ImportError:
        return ()
    return (ParseError,)


def parses_forms(site: object) -> bool:
    """Whether a C{twisted.web} site wants the fields of forms as arguments of a request."""
    return bool(getattr(site, "_parsePOSTFormSubmission", True))
