"""A connection to upstream that is being opened, of whichever protocol, and the exchanges that wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ...core.http2.clientmachine import MOST_STREAMS
from ...errors import UpstreamProtocolError, UpstreamReset
from ..errormap import translate
from .connection import SharedConnection

if TYPE_CHECKING:
    from ...net.timers import Deadline
    from ..connection import Connection
    from ..exchange import Exchange


class Opener(Protocol):
    """The site that a connection is opened for: L{llmproxy.upstream.http2.site.SharedSite} is one."""

    opening: dict[Opening, None]

    def submit(self, exchange: Exchange, /) -> None:
        """Send a request as soon as there is a connection for it."""

    def opened(self, connection: SharedConnection, exchange: Exchange, /) -> None:
        """A new connection stands."""

    def opened_http1(self, connection: Connection, exchanges: list[Exchange], /) -> None:
        """Upstream has chosen HTTP/1.1."""

    def not_opened(self) -> None:
        """An attempt came to nothing."""

    def after(self, seconds: float, call: Callable[[], None], /) -> Deadline:
        """A place on the wheel."""


_SETTLED_WITHIN = 10.0
"""Seconds for the first SETTINGS, as many as a connection has to be opened where nothing else is configured."""


class Opening:
    """
    A connection that is being opened for exchanges: the first is sent when it stands, the others when upstream has said
    how many it takes.

    @ivar connection: what stands, until then.
    """

    __slots__ = ("_connecting", "_exchanges", "_late", "_site", "connection")

    def __init__(self, site: Opener, exchange: Exchange) -> None:
        self._site = site
        self._exchanges: dict[Exchange, None] = {exchange: None}
        self._connecting: Deferred[Any] | None = None
        self._late: Deadline | None = None
        self.connection: SharedConnection | None = None
        exchange.holder = self
        site.opening[self] = None

    @property
    def has_room(self) -> bool:
        return len(self._exchanges) < MOST_STREAMS - (self.connection is not None)

    def join(self, exchange: Exchange) -> None:
        """Wait with the others."""
        exchange.holder = self
        self._exchanges[exchange] = None

    def start(self, connect: Callable[[Any], Deferred[Any]]) -> None:
        try:
            connecting = connect(self._site)
        except Exception:
            self._failed(Failure())
        else:
            self._connecting = connecting
            connecting.addCallbacks(self._connected, self._failed)

    def forget(self, exchange: Exchange) -> None:
        """See L{llmproxy.upstream.exchange.Holder}."""
        self._exchanges.pop(exchange, None)
        if not self._exchanges and self.connection is None and self._connecting is not None:
            self._connecting.cancel()

    def cut(self, reason: Failure) -> None:
        """The pool is closing."""
        exchanges = self._take()
        if self.connection is None and self._connecting is not None:
            self._connecting.cancel()
        for exchange in exchanges:
            exchange.fail(reason)

    def _take(self) -> list[Exchange]:
        exchanges = list(self._exchanges)
        self._exchanges.clear()
        return exchanges

    def _over(self) -> None:
        self._site.opening.pop(self, None)
        late, self._late = self._late, None
        if late is not None:
            late.end()

    def _connected(self, connection: Any) -> None:
        if not isinstance(connection, SharedConnection):
            self._over()
            self._site.opened_http1(connection, self._take())
            return
        first = next(iter(self._exchanges), None)
        if first is None:
            self._over()
            connection.abort()
            return
        del self._exchanges[first]
        self.connection = connection
        self._site.opened(connection, first)
        if connection.settled:
            self.settled()
        else:
            self._late = self._site.after(_SETTLED_WITHIN, self._is_late)

    def settled(self) -> None:
        """Upstream has said how many streams it takes."""
        self._over()
        for exchange in self._take():
            self._site.submit(exchange)

    def _is_late(self) -> None:
        self._late = None
        connection = self.connection
        if connection is not None:
            connection.cut(Failure(UpstreamProtocolError("upstream chose HTTP/2 and did not begin to speak it")))

    def lost(self) -> None:
        """The connection was closed before that."""
        self._over()
        for exchange in self._take():
            exchange.fail(Failure(UpstreamReset(progress="unsent")))

    def _failed(self, reason: Failure) -> None:
        self._over()
        exchanges = self._take()
        self._site.not_opened()
        for exchange in exchanges:
            exchange.fail(Failure(translate(reason)))
