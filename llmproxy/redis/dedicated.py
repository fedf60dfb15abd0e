"""A connection to Redis for calls that may wait there, which would hold up all others that share one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList

from .connection import RedisDown

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from .pool import Connection


class DedicatedConnection:
    """
    One connection, opened by the first call, and by the next one after it was lost.

    @param connect: gives a L{Connection}, or fails with the reason.
    @param timeout: seconds that Redis has for an answer, beyond what it was asked to wait.
    """

    def __init__(self, clock: IReactorTime, connect: Callable[[], Deferred[Any]], timeout: float) -> None:
        self._clock = clock
        self._connect = connect
        self._timeout = timeout
        self._connection: Connection | None = None
        self._connecting: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []
        self._stopped = False

    @property
    def stands(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    async def call(self, data: bytes, wait: float = 0.0) -> Any:
        """
        Send a command, and have its reply.

        Raises L{RedisDown}, also where connecting fails, or L{llmproxy.redis.connection.RedisRefused}. Cancelling it
        closes the connection: a reply that nobody waits for would be taken for that of the next command.

        @param wait: seconds that the command waits in Redis by itself.
        """
        connection = await self._open()
        late = self._clock.callLater(wait + self._timeout, connection.abort)
        try:
            return await connection.send(data)
        except CancelledError:
            connection.abort()
            raise
        finally:
            _cancel(late)

    async def call_all(self, commands: Sequence[bytes]) -> list[Any]:
        """
        Send commands at once, and have what came of each: its reply, or the exception that it failed with.

        Raises L{RedisDown} where there is no connection; cancelling it closes one that there is.
        """
        connection = await self._open()
        late = self._clock.callLater(self._timeout, connection.abort)
        try:
            sent = [connection.send(each) for each in commands]
            outcomes: Any = await DeferredList(sent, consumeErrors=True)
        finally:
            _cancel(late)
        replies = [outcome if succeeded else outcome.value for succeeded, outcome in outcomes]
        cancelled = next((each for each in replies if isinstance(each, CancelledError)), None)
        if cancelled is not None:
            # A list of Deferreds that is cancelled cancels each, and says so as what came of them.
            connection.abort()
            raise cancelled
        return replies

    def stop(self) -> None:
        """Close it for good; what is under way fails with L{RedisDown}."""
        self._stopped = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.abort()

    async def _open(self) -> Connection:
        while self._connection is None:
            if self._stopped:
                raise RedisDown("stopped")
            if self._connecting is None:
                return await self._opened()
            await self._attempt()
        return self._connection

    async def _attempt(self) -> None:
        """The end of the attempt to connect that another call has begun; its failure is that call's."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        try:
            await waiting
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def _opened(self) -> Connection:
        self._connecting = self._connect()
        try:
            connection: Connection = await self._connecting
        except Exception as error:
            if self._stopped or not isinstance(error, CancelledError):
                raise RedisDown(f"cannot connect: {error or type(error).__name__}") from None
            raise
        else:
            self._connection = connection
            connection.lost.addBoth(self._lost)
            return connection
        finally:
            self._connecting = None
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    def _lost(self, _: Failure | None) -> None:
        self._connection = None


def _cancel(call: IDelayedCall) -> None:
    if call.active():
        call.cancel()
