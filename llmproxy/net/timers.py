"""
Deadlines that cost nothing while they do not pass.

One C{callLater} turns the wheel for every exchange of a process; a deadline that is moved on with each
chunk of a stream only has a number written to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """
    A moment at which C{passed} is called, unless it is moved or ended before.

    @ivar at: seconds of the wheel's clock. Writing a later moment is all that moving it takes; for an
        earlier one, end this and start another.
    """

    __slots__ = ("_slot", "_wheel", "at", "passed")

    def __init__(self, wheel: TimerWheel, at: float, passed: Callable[[], object]) -> None:
        self.at = at
        self.passed = passed
        self._wheel = wheel
        self._slot: set[Deadline] | None = None

    def end(self) -> None:
        """Never call C{passed}, and drop the reference to it; harmless if it has been called."""
        if self._slot is not None:
            self._slot.discard(self)
            self._slot = None
            self._wheel.standing -= 1


class TimerWheel:
    """
    @param resolution: how late a deadline may be noticed, in seconds; it is never early.
    @ivar now: the clock's C{seconds}.
    @ivar standing: deadlines that can still pass; without any the wheel stands still.
    """

    def __init__(self, clock: IReactorTime, resolution: float = 0.1) -> None:
        self._clock = clock
        self._resolution = resolution
        self._slots: dict[int, set[Deadline]] = {}
        self._turning: IDelayedCall | None = None
        self.now = clock.seconds
        self.standing = 0

    def start(self, seconds: float, passed: Callable[[], object]) -> Deadline:
        """Call C{passed} once, C{seconds} from now or up to the resolution later."""
        deadline = Deadline(self, self.now() + seconds, passed)
        self._place(deadline)
        if self._turning is None:
            self._turning = self._clock.callLater(self._resolution, self._turn)
        return deadline

    def stop(self) -> None:
        """Forget every deadline and leave no timer behind."""
        for slot in self._slots.values():
            for deadline in slot:
                deadline._slot = None
        self._slots.clear()
        self.standing = 0
        if self._turning is not None:
            self._turning.cancel()
            self._turning = None

    def _place(self, deadline: Deadline) -> None:
        # The slot after the one it falls into: when that is due, so is the deadline.
        number = int(deadline.at / self._resolution) + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = set()
        slot.add(deadline)
        deadline._slot = slot
        self.standing += 1

    def _turn(self) -> None:
        self._turning = None
        now = self.now()
        current = int(now / self._resolution)
        for number in sorted(n for n in self._slots if n <= current):
            slot = self._slots.pop(number)
            while slot:
                deadline = slot.pop()
                deadline._slot = None
                self.standing -= 1
                if deadline.at > now:
                    self._place(deadline)
                else:
                    deadline.passed()
        if not self.standing:
            # Slots of deadlines that were ended are empty.
            self._slots.clear()
        else:
            self._go_on()

    def _go_on(self) -> None:
        # One that has passed may have set another, and with it the next turn.
        if self._turning is None:
            self._turning = self._clock.callLater(self._resolution, self._turn)
