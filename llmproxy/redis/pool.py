"""A few connections to Redis that stay connected by themselves, and cost nothing while it is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..apisettings import BreakerSettings
from ..core.backoff import delay
from ..core.breaker import Circuit
from ..net.clockedcall import ClockedCall
from ..net.ratelimitedlog import RateLimitedLog
from ..net.sharedtimeout import SharedTimeout
from .commands import command
from .connection import Connector, RedisDown

if TYPE_CHECKING:
    from ..core.redisoptions import RedisOptions
    from ..net.poller import Poller
    from ..net.resolver import Names

MOST_UNANSWERED = 64 * 1024 * 1024
"""Bytes of commands that have no reply yet; what would go beyond is not sent, unless it is alone."""

PATIENCE = 0.045
"""Seconds that a call has which a request waits for (L{RedisPool.in_time})."""

BREAKER = BreakerSettings(threshold=5, cooldown=1.0)
"""
After so many times in a row that calls took too long none is tried, until Redis answers a PING in time. Those that
are given up together count as one: a moment without the processor is no reason to be without Redis for a second.
"""

FULL = 16
"""Commands without a reply that one connection takes before the next is used: what is sent together costs less."""

MOST_WAIT = 2.0
"""Seconds between two attempts to connect, at most."""

_LOOK = 0.25
_PING = command(b"PING")


class Connection(Protocol):
    """What L{llmproxy.redis.connection.RedisConnection} is, for tests to be something else."""

    lost: Deferred[None]

    def send(self, data: bytes, count: int = 1) -> Deferred[Any]: ...

    def abort(self) -> None: ...


class _Slot:
    """
    A place for one connection.

    @ivar unanswered: commands without a reply.
    @ivar heard_at: when the last reply came, or, if none was due then, when the first one became due.
    """

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.connecting: Deferred[Any] | None = None
        self.again: Any = None
        self.failures = 0
        self.unanswered = 0
        self.heard_at = 0.0


def open_pool(
    reactor: Any,
    options: RedisOptions,
    area: str,
    poller: Poller | None = None,
    names: Names | None = None,
    busy: float = 0.0,
) -> RedisPool:
    """
    A pool of connections to one Redis, not started.

    @param area: what it is used for, in logs.
    @param poller: adopts the connections.
    @param names: the addresses of hosts; of its own if none are given.
    @param busy: see L{SharedTimeout}.
    @raise ConfigError: the authorities cannot be read.
    """
    connector = Connector(reactor, options.location, options.timeout, poller, names)
    return RedisPool(reactor, connector, options.pool, options.timeout, options.location.label, area, busy)


class RedisPool:
    """
    @param connect: gives a L{Connection}, or fails with the reason.
    @param size: how many connections; commands share them and do not wait for each other's replies.
    @param label: what logs call it; no credential.
    @param area: what lines of the log begin with: what it is used for.
    @param busy: see L{SharedTimeout}.
    @param timeout: a connection that says nothing for so many seconds, although a reply is due, is given up.
    @ivar calls: commands that were answered.
    @ivar seconds: that they took, all of them together.
    @ivar errors: by kind.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        connect: Callable[[], Deferred[Any]],
        size: int,
        timeout: float,
        label: str = "redis",
        area: str = "redis",
        busy: float = 0.0,
    ) -> None:
        self._clock = clock
        self._connect = connect
        self._timeout = timeout
        self._label = label
        self._area = area
        self._slots = [_Slot() for _ in range(size)]
        self._circuit = Circuit(BREAKER)
        self._patience = SharedTimeout(clock, PATIENCE, self._late, busy)
        self._complaints = RateLimitedLog(clock, self._log, area)
        self._unanswered = 0
        self._late_at = 0.0
        self._loop = ClockedCall(clock, self._look)
        self._on_connect: list[Callable[[], object]] = []
        self.calls = 0
        self.seconds = 0.0
        self.errors = {"down": 0, "late": 0, "lost": 0, "refused": 0, "garbage": 0}

    @property
    def waits(self) -> float:
        """Seconds that L{in_time} waits at most."""
        return self._patience.longest

    def when_connected(self, work: Callable[[], object]) -> None:
        """Call C{work} each time when Redis can be asked, again."""
        self._on_connect.append(work)

    def start(self) -> None:
        """Connect, and stay connected."""
        self._loop.start(_LOOK, now=False)
        for slot in self._slots:
            self._open(slot)

    def stop(self) -> None:
        """Close everything; what is under way fails with L{RedisDown}."""
        if self._loop.running:
            self._loop.stop()
        for slot in self._slots:
            if slot.again is not None and slot.again.active():
                slot.again.cancel()
            if slot.connecting is not None:
                slot.connecting.cancel()
            if slot.connection is not None:
                connection, slot.connection = slot.connection, None
                connection.abort()
        self._patience.stop()

    @property
    def connected(self) -> int:
        """Connections that stand."""
        return sum(slot.connection is not None for slot in self._slots)

    @property
    def available(self) -> bool:
        """Whether a call is sent: Redis is connected, and answered in time lately."""
        return self._circuit.state == "closed" and any(slot.connection is not None for slot in self._slots)

    def call(self, data: bytes, count: int = 1) -> Deferred[Any]:
        """
        Send a command: over the first connection that is not full, or the one that has the least to do.

        @param count: of commands in C{data}, 1 or 2; the replies to two come as a tuple.

        Fails with L{RedisDown}, at once while Redis is away, or with L{llmproxy.redis.connection.RedisRefused}.
        """
        slot = self._free() if self._circuit.state == "closed" else None
        if slot is None or (self._unanswered and self._unanswered + len(data) > MOST_UNANSWERED):
            self.errors["down"] += 1
            return fail(RedisDown("away"))
        return self._send(slot, data, count)

    def in_time(self, work: Deferred[Any], otherwise: Any) -> Deferred[Any]:
        """The result of C{work}, which must not fail, or C{otherwise} when a request should not wait any longer."""
        return self._patience.limit(work, otherwise)

    def complain(self, kind: str, why: str) -> None:
        """Count a fault, and log it if nothing of its kind was logged lately."""
        self.errors[kind] += 1
        self._complaints.say(f"{self._label} {kind}", why)

    def say(self, text: str) -> None:
        """Log a warning that is no fault."""
        self._log.warn("{area}: {text}", area=self._area, text=text)

    def _free(self) -> _Slot | None:
        best = None
        for slot in self._slots:
            if slot.connection is not None:
                if slot.unanswered < FULL:
                    return slot
                if best is None or slot.unanswered < best.unanswered:
                    best = slot
        return best

    def _send(self, slot: _Slot, data: bytes, count: int = 1) -> Deferred[Any]:
        connection = slot.connection
        if connection is None:
            return fail(RedisDown("away"))
        now = self._clock.seconds()
        if not slot.unanswered:
            slot.heard_at = now
        slot.unanswered += 1
        self._unanswered += len(data)
        return connection.send(data, count).addBoth(self._answered, slot, connection, now, len(data))

    def _answered(self, result: Any, slot: _Slot, connection: Connection, sent_at: float, size: int) -> Any:
        self._unanswered -= size
        now = self._clock.seconds()
        if slot.connection is connection:
            slot.unanswered -= 1
            slot.heard_at = now
        if isinstance(result, Failure) and result.check(RedisDown):
            self.errors["lost"] += 1
            return result
        self.calls += 1
        self.seconds += now - sent_at
        if now - sent_at <= PATIENCE and self._circuit.state == "closed":
            self._circuit.failures = 0
        return result

    # -- too slow

    def _late(self) -> None:
        self.complain("late", f"no answer within {PATIENCE} s")
        now = self._clock.seconds()
        if self._circuit.state == "closed" and now - self._late_at >= PATIENCE / 2:
            self._late_at = now
            self._circuit.failed(self._circuit.admit(now) or 0, now)

    def _look(self) -> None:
        """Give up connections that are silent, and ask again whether Redis answers in time."""
        now = self._clock.seconds()
        for slot in self._slots:
            if slot.connection is not None and slot.unanswered and now - slot.heard_at >= self._timeout:
                slot.connection.abort()
        if self._circuit.state != "closed":
            free = self._free()
            generation = self._circuit.admit(now) if free is not None else None
            if free is not None and generation is not None:
                self._probe(free, generation)

    def _probe(self, slot: _Slot, generation: int) -> None:
        sent_at = self._clock.seconds()

        def answered(_: object) -> None:
            now = self._clock.seconds()
            if now - sent_at <= PATIENCE:
                self._circuit.succeeded(generation)
                self._connected()
            else:
                self._circuit.failed(generation, now)

        self._send(slot, _PING).addCallbacks(
            answered, lambda _: self._circuit.failed(generation, self._clock.seconds())
        )

    # -- connections

    def _open(self, slot: _Slot) -> None:
        slot.again = None
        slot.connecting = self._connect()
        slot.connecting.addCallbacks(self._opened, self._not_opened, callbackArgs=(slot,), errbackArgs=(slot,))

    def _opened(self, connection: Connection, slot: _Slot) -> None:
        slot.connecting = None
        if slot.failures and not self.connected:
            self._log.info("{area}: {label}: connected again", area=self._area, label=self._label)
        slot.connection = connection
        slot.failures = 0
        slot.unanswered = 0
        connection.lost.addCallback(self._lost, slot, connection)
        self._connected()

    def _connected(self) -> None:
        for work in self._on_connect:
            work()

    def _not_opened(self, reason: Failure, slot: _Slot) -> None:
        slot.connecting = None
        if self._loop.running:
            self.complain("down", f"cannot connect: {reason.getErrorMessage()}")
            self._later(slot)

    def _lost(self, _: None, slot: _Slot, connection: Connection) -> None:
        if slot.connection is not connection:
            # It was closed from here.
            return
        slot.connection = None
        self._complaints.say(f"{self._label} lost", "a connection ended; connecting again")
        self._later(slot)

    def _later(self, slot: _Slot) -> None:
        slot.failures += 1
        slot.again = self._clock.callLater(delay(slot.failures, most=MOST_WAIT), self._open, slot)
