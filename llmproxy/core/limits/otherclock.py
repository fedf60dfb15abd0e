"""The clock of somebody else, as far as answers have shown it."""

from __future__ import annotations


class OtherClock:
    """
    What moment of ours is which of theirs: never before it, and later by at most what a question is on its way.
    """

    def __init__(self) -> None:
        self._ahead: float | None = None

    def heard(self, asked_at: float, theirs: int) -> None:
        """
        They have answered.

        @param asked_at: seconds, of our clock.
        @param theirs: milliseconds, of theirs when they did what was asked for.
        """
        # The last one holds: clocks are set.
        self._ahead = theirs - asked_at * 1000

    def at(self, ours: float) -> int | None:
        """Milliseconds of theirs; C{None} before they were heard of."""
        return None if self._ahead is None else round(ours * 1000 + self._ahead)
