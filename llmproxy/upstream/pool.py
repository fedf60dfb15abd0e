"""Connections that are kept for the next request."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from ..errors import UpstreamUnreachable
from .connection import Connection
from .faults import translate
from .settings import ConnectionSettings
from .tls import connection_creator

if TYPE_CHECKING:
    from ..wheel import Deadline, Wheel

Key = tuple[str, str, int]
"""Scheme, host and port."""


_NO_LIMIT = 86_400.0


class _Host:
    """The connections of one origin."""

    __slots__ = ("endpoint", "idle", "open", "waiting")

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint
        self.idle: list[Connection] = []
        self.open = 0
        self.waiting: deque[Deferred[None]] = deque()


class Pool:
    """
    Last in, first out: what is used least is what ages and goes.

    @ivar opened: connections that were made, so far.
    @ivar reused: requests that found one.
    """

    def __init__(self, reactor: Any, settings: ConnectionSettings, wheel: Wheel) -> None:
        self._reactor = reactor
        self._settings = settings
        self._wheel = wheel
        self._hosts: dict[Key, _Host] = {}
        self._aging: OrderedDict[Connection, Deadline] = OrderedDict()
        self._all: set[Connection] = set()
        self._closing: Deferred[None] | None = None
        self.opened = 0
        self.reused = 0

    def take(self, key: Key, fresh: bool = False) -> Connection | Deferred[Connection]:
        """
        A connection to send a request on: at once if one is idle, unless a C{fresh} one is asked for.

        The Deferred fails with L{UpstreamUnreachable}, L{llmproxy.errors.UpstreamTimeout} or
        L{llmproxy.errors.UpstreamTlsError}; cancelling it stops connecting.
        """
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host(self._endpoint(key))
        while host.idle and not fresh:
            connection = host.idle.pop()
            self._aging.pop(connection).end()
            if connection.alive:
                self.reused += 1
                return connection
        limit = self._settings.max_connections_per_host
        if limit is not None and host.open >= limit:
            return self._wait(key, host)
        return self._connect(key, host)

    def idle(self, connection: Connection) -> None:
        """An exchange has ended well: keep its connection, or give it to whoever waits."""
        host = self._hosts[connection.key]
        settings = self._settings
        if self._closing is not None or len(host.idle) >= settings.max_idle_per_host:
            connection.close()
            return
        host.idle.append(connection)
        self._aging[connection] = self._wheel.start(settings.idle_timeout, connection.close)
        if len(self._aging) > settings.max_idle:
            next(iter(self._aging)).close()
        self._wake(host)

    def lost(self, connection: Connection) -> None:
        """A connection is closed."""
        self._all.discard(connection)
        host = self._hosts[connection.key]
        host.open -= 1
        aging = self._aging.pop(connection, None)
        if aging is not None:
            aging.end()
            host.idle.remove(connection)
        self._wake(host)
        if self._closing is not None and not self._all:
            closing, self._closing = self._closing, Deferred()
            closing.callback(None)

    def close(self) -> Deferred[None]:
        """Close everything; fires when all of it is closed."""
        if not self._all:
            return succeed(None)
        closing: Deferred[None] = Deferred()
        self._closing = closing
        for connection in list(self._all):
            connection.close()
        return closing

    @property
    def connections(self) -> int:
        """How many there are, at work or idle."""
        return len(self._all)

    def _wake(self, host: _Host) -> None:
        if host.waiting:
            host.waiting.popleft().callback(None)

    def _wait(self, key: Key, host: _Host) -> Deferred[Connection]:
        if len(host.waiting) >= self._settings.max_waiting_per_host:
            raise UpstreamUnreachable("too many requests wait for a connection")
        turn: Deferred[None] = Deferred(lambda d: host.waiting.remove(d) if d in host.waiting else None)
        host.waiting.append(turn)
        return turn.addCallback(lambda _: self.take(key))

    def _connect(self, key: Key, host: _Host) -> Deferred[Connection]:
        host.open += 1
        connecting: Deferred[Any] = host.endpoint.connect(Factory.forProtocol(lambda: self._new(key)))

        def connected(connection: Any) -> Connection:
            # A TLS wrapper is connected, and what it wraps is ours.
            made: Connection = getattr(connection, "wrappedProtocol", connection)
            self._all.add(made)
            self.opened += 1
            return made

        def failed(reason: Failure) -> Failure:
            host.open -= 1
            self._wake(host)
            return reason if reason.check(CancelledError) else Failure(translate(reason))

        return connecting.addCallbacks(connected, failed)

    def _new(self, key: Key) -> Connection:
        return Connection(self, key, self._settings.max_response_head)

    def _endpoint(self, key: Key) -> Any:
        scheme, host, port = key
        # Happy Eyeballs, RFC 8305, is HostnameEndpoint's.
        endpoint = HostnameEndpoint(
            self._reactor,
            host.encode("idna") if not host.isascii() else host,
            port,
            self._settings.connect_timeout or 86_400.0,
        )
        if scheme == "https":
            return wrapClientTLS(connection_creator(self._settings, host), endpoint)
        return endpoint
