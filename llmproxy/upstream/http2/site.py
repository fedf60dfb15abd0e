"""
HTTP/2 connections to upstream, origin by origin, and the exchanges that they share.

An exchange goes to the first connection with room for it. Where there is none another one is opened, and who comes
meanwhile waits for that one: connections are as many as are needed, not as there are requests. Where upstream chooses
HTTP/1.1, what stands is handed to the origin's pool of such connections, and all goes there for a while.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from ...core.attempts import may_repeat
from ...errors import Draining, UpstreamReset
from ..hostpool import CLOSING_FOR, SPARE_FOR, Overloaded
from .opening import Opening

if TYPE_CHECKING:
    from ...apisettings import ConnectionSettings
    from ...net.timers import Deadline, TimerWheel
    from ..connection import Connection
    from ..connector import Address
    from ..exchange import Exchange
    from ..hostpool import Site
    from .connection import SharedConnection

HTTP1_FOR = 600.0
"""Seconds for which an upstream that has chosen HTTP/1.1 is not offered anything else."""

MOST_REFUSALS = 10
"""How often one request is sent again because nobody has looked at it; each time costs a round trip."""

MOST_LEFT = 100
"""Likewise, where connections end after they have taken others (nginx: keepalive_requests): all get their turn."""

Connect = Callable[[object], "Deferred[Any]"]
"""Opens a connection for a site, of the protocol that upstream chooses; fires when it can take a request."""


class SharedSite:
    """
    One origin and its HTTP/2 connections.

    @ivar address: where it is and how it is reached.
    @ivar http1: its connections of HTTP/1.1.
    @ivar connections: those that stand, oldest first.
    @ivar opening: those that are being opened, or have not heard yet how many streams upstream takes.
    """

    __slots__ = ("_http1_until", "_pool", "_settings", "_waiting", "address", "connections", "http1", "opening")

    def __init__(self, pool: SharedPool, address: Address, http1: Site) -> None:
        self._pool = pool
        self._settings = pool.settings
        self._waiting: deque[Exchange] = deque()
        self._http1_until = -math.inf
        self.address = address
        self.http1 = http1
        self.connections: dict[SharedConnection, None] = {}
        self.opening: dict[Opening, None] = {}

    @property
    def open(self) -> int:
        """How many connections there are: being opened, and those that stand."""
        return len(self.connections) + sum(1 for each in self.opening if each.connection is None)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way, nor waits for a connection."""
        return not (self._waiting or self.opening or any(each.streams for each in self.connections))

    def submit(self, exchange: Exchange) -> None:
        """Send a request as soon as there is a connection for it."""
        pool = self._pool
        now = pool.now()
        if pool.closed:
            exchange.fail(Failure(Draining("the proxy is shutting down")))
        elif now < self._http1_until:
            self.http1.submit(exchange)
        elif not self._start(exchange, now):
            self._open_or_wait(exchange)

    def _start(self, exchange: Exchange, now: float) -> bool:
        """Send it on a connection that has room; whether there was one."""
        for connection in list(self.connections):
            if connection.takes(now):
                self._pool.reused += 1
                connection.start(exchange)
                return True
            if not connection.streams and connection.is_done_with(now):
                connection.close()
        return False

    def _open_or_wait(self, exchange: Exchange) -> None:
        limit = self._settings.max_connections_per_host
        for opening in self.opening:
            if opening.has_room:
                opening.join(exchange)
                return
        if limit is None or self.open < limit:
            Opening(self, exchange).start(self._pool.connect)
        elif len(self._waiting) < self._settings.max_waiting_per_host:
            exchange.holder = self
            self._waiting.append(exchange)
        else:
            exchange.fail(Failure(Overloaded("too many requests wait for a connection to upstream")))

    def _serve(self) -> None:
        """There may be room for those who wait."""
        limit = self._settings.max_connections_per_host
        while self._waiting and not self._pool.closed:
            exchange = self._waiting[0]
            now = self._pool.now()
            may_open = limit is None or self.open < limit or any(each.has_room for each in self.opening)
            if now < self._http1_until or may_open or any(each.takes(now) for each in self.connections):
                self._waiting.popleft()
                self.submit(exchange)
            else:
                return

    def forget(self, exchange: Exchange) -> None:
        """See L{llmproxy.upstream.exchange.Holder}."""
        self._waiting.remove(exchange)

    def refuse_waiting(self, reason: Failure) -> None:
        """Nobody will get a connection any more."""
        while self._waiting:
            self._waiting.popleft().fail(reason)

    def use_http1(self) -> None:
        """Upstream wants HTTP/1.1."""
        self._http1_until = self._pool.now() + HTTP1_FOR

    # -- called by the connections

    def now(self) -> float:
        return self._pool.now()

    def later(self, proceed: Callable[[], None]) -> Deadline | None:
        seconds = self._settings.expect_continue
        return None if seconds is None else self._pool.after(seconds, proceed)

    def after(self, seconds: float, call: Callable[[], None]) -> Deadline:
        return self._pool.after(seconds, call)

    def changed(self, connection: SharedConnection) -> None:
        if self.opening and connection.settled:
            for opening in [each for each in self.opening if each.connection is connection]:
                opening.settled()
        self._serve()
        if not connection.streams and connection in self.connections:
            self._pool.rest(self, connection)

    def lost(self, connection: SharedConnection) -> None:
        self.connections.pop(connection, None)
        for opening in [each for each in self.opening if each.connection is connection]:
            opening.lost()
        self._pool.lost(connection)
        self._serve()

    def interrupted(
        self, connection: SharedConnection, exchange: Exchange, sent: bool, answered: bool, refused: bool, http1: bool
    ) -> None:
        if not sent and exchange.sent is not None:
            exchange.sent.attempts -= 1
        if http1:
            self.use_http1()
        error = UpstreamReset(progress="answered" if answered else "sent" if sent else "unsent")
        # As over HTTP/1.1: upstream may have closed a kept connection as idle; a new one's fault is reported.
        again = exchange.refusals < MOST_LEFT if refused else connection.served > 0 and not exchange.retried
        if again and may_repeat(error, exchange.method, can_replay=exchange.can_replay):
            if refused:
                exchange.refusals += 1 if connection.machine.has_taken else MOST_LEFT // MOST_REFUSALS
            else:
                exchange.retried = True
            self.submit(exchange)
        else:
            exchange.fail(Failure(error))

    # -- called by an opening

    def opened(self, connection: SharedConnection, exchange: Exchange) -> None:
        """A new connection stands."""
        pool, lifetime = self._pool, self._settings.max_lifetime
        pool.opened += 1
        connection.idle_since = pool.now()
        connection.retires_at = math.inf if lifetime is None else pool.now() + lifetime
        self.connections[connection] = None
        connection.start(exchange)

    def opened_http1(self, connection: Connection, exchanges: list[Exchange]) -> None:
        """Upstream has chosen HTTP/1.1."""
        self.use_http1()
        self.http1.adopt(connection, exchanges[0])
        for exchange in exchanges[1:]:
            self.http1.submit(exchange)
        self._serve()

    def not_opened(self) -> None:
        """An attempt came to nothing."""
        self._serve()


class SharedPool:
    """
    @ivar opened: connections that were made, so far.
    @ivar reused: requests that found one.
    """

    def __init__(self, settings: ConnectionSettings, wheel: TimerWheel, connect: Connect) -> None:
        self.settings = settings
        self.connect = connect
        self.now = wheel.now
        self.opened = self.reused = 0
        self.closed = False
        self._wheel = wheel
        self._sites: dict[Address, SharedSite] = {}
        self._closing: Deferred[None] | None = None
        self._cutting: Deadline | None = None

    def site(self, address: Address, http1: Site) -> SharedSite:
        """The one of C{address}."""
        site = self._sites.get(address)
        if site is None:
            site = self._sites[address] = SharedSite(self, address, http1)
        return site

    def after(self, seconds: float, call: Callable[[], None]) -> Deadline:
        """A place on the wheel."""
        return self._wheel.start(seconds, call)

    @property
    def _live(self) -> list[SharedConnection]:
        return [each for site in self._sites.values() for each in site.connections]

    @property
    def connections(self) -> int:
        """How many stand."""
        return len(self._live)

    @property
    def idle(self) -> int:
        """How many are kept without work."""
        return sum(1 for each in self._live if not each.streams)

    @property
    def is_quiet(self) -> bool:
        return all(site.is_quiet for site in self._sites.values())

    def rest(self, site: SharedSite, connection: SharedConnection) -> None:
        """Hold a connection without streams until it is needed, too old, or one too many."""
        now = self.now()
        if self.closed or connection.is_done_with(now):
            connection.close()
            return
        settings = self.settings
        idle = sum(1 for each in site.connections if not each.streams)
        too_many = idle > settings.max_idle_per_host or self.idle > settings.max_idle
        at = connection.idle_since + (SPARE_FOR if too_many else settings.idle_timeout)
        if connection.deadline is not None and too_many:
            connection.deadline.end()
            connection.deadline = None
        if connection.deadline is None:
            connection.deadline = self._wheel.start(max(0.0, at - now), connection.expired)
        else:
            connection.deadline.at = at

    def shed(self) -> int:
        """Cut what has no work: its descriptors are needed. How many there were."""
        idle = [each for each in self._live if not each.streams]
        for connection in idle:
            connection.abort()
        return len(idle)

    def lost(self, connection: SharedConnection) -> None:
        """A connection is closed."""
        deadline, connection.deadline = connection.deadline, None
        if deadline is not None:
            deadline.end()
        if self._closing is not None and not self._live:
            closing, self._closing = self._closing, None
            if self._cutting is not None:
                self._cutting.end()
            closing.callback(None)

    def close(self) -> Deferred[None]:
        """Close what has no work, cut the rest; fires when all is closed. Requests fail from now on."""
        self.closed = True
        reason = Failure(Draining("the proxy is shutting down"))
        for site in self._sites.values():
            site.refuse_waiting(reason)
            for opening in list(site.opening):
                opening.cut(reason)
        for connection in self._live:
            connection.cut(reason) if connection.streams else connection.close()
        if not self._live:
            return succeed(None)
        self._cutting = self._wheel.start(CLOSING_FOR, self._abort)
        self._closing = Deferred()
        return self._closing

    def _abort(self) -> None:
        self._cutting = None
        for connection in self._live:
            connection.abort()
