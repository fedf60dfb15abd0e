"""A watch over a client of HTTP/2 that takes nothing of what it is sent: of one answer, or of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...net.timers import Deadline, TimerWheel
    from ..http1.sending import Outflow


class Answer(Protocol):
    """A response that is being sent."""

    def stalled(self) -> bool:
        """Whether the client has taken nothing of what waits since the last look, and the one before."""

    def give_up(self) -> None:
        """The client does not take its answer."""


class Watched(Protocol):
    """The connection."""

    @property
    def congested(self) -> bool:
        """The client does not take what was written."""

    @property
    def streams(self) -> Mapping[int, Answer]:
        """The answers that are not over yet."""

    def abort(self) -> None:
        """Cut the connection, without a word."""


class StallWatch:
    """
    Half of the time passes between two looks; three in a row must show the same.

    @param seconds: for which nothing may move.
    """

    __slots__ = ("_connection", "_deadline", "_outflow", "_seconds", "_untaken", "_wheel")

    def __init__(self, wheel: TimerWheel, seconds: float, connection: Watched, outflow: Outflow) -> None:
        self._wheel = wheel
        self._seconds = seconds / 2
        self._connection = connection
        self._outflow = outflow
        self._untaken = 0
        self._deadline: Deadline | None = wheel.start(self._seconds, self._look)

    def stop(self) -> None:
        if self._deadline is not None:
            self._deadline.end()
            self._deadline = None

    def _look(self) -> None:
        self._deadline = self._wheel.start(self._seconds, self._look)
        connection = self._connection
        if not connection.congested:
            for answer in list(connection.streams.values()):
                if answer.stalled():
                    answer.give_up()
            return
        self._untaken = 0 if self._outflow.is_moving() else self._untaken + 1
        if self._untaken > 1:
            connection.abort()
