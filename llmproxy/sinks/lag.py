"""Lag of the reactor: what every request waits before it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime


class ReactorLag:
    """
    Asks to be called at a time and sees when it is.

    @ivar latest: seconds of delay at the last look.
    @ivar worst: the largest delay since L{take_worst}.
    """

    def __init__(self, clock: IReactorTime, interval: float = 0.5) -> None:
        self._clock = clock
        self._interval = interval
        self._call: IDelayedCall | None = None
        self.latest = 0.0
        self.worst = 0.0

    def start(self) -> None:
        self._call = self._clock.callLater(self._interval, self._look, self._clock.seconds() + self._interval)

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def take_worst(self) -> float:
        """The largest delay since this was asked last."""
        worst, self.worst = max(self.worst, self.latest), 0.0
        return worst

    def _look(self, expected: float) -> None:
        self.latest = max(0.0, self._clock.seconds() - expected)
        self.worst = max(self.worst, self.latest)
        self.start()
