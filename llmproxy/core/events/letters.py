"""Values of dead letters: what is known of those of a sink, and what came of sending them again."""

from __future__ import annotations

from datetime import datetime, timezone

from attrs import frozen

MOST = 1000
"""Letters that are sent again in one turn."""


@frozen
class LettersKept:
    """
    What is on disk.

    @ivar unreadable: lines that are no letters.
    @ivar oldest: when the first of them became one, C{""} for none; C{latest} likewise.
    @ivar reasons: the most frequent, with how many letters have each.
    """

    count: int = 0
    size: int = 0
    unreadable: int = 0
    oldest: str = ""
    latest: str = ""
    reasons: tuple[tuple[str, int], ...] = ()


@frozen
class Redelivered:
    """
    What came of a turn.

    @ivar delivered: events that the receiver has now; their letters are gone.
    @ivar refused: those that it never takes, again: their letters have another reason, and another time.
    @ivar left: letters of before that are still to be sent.
    @ivar error: why the turn ended before all were sent, C{""} if they were.
    @ivar answer: what the receiver said last, C{""} for nothing.
    """

    delivered: int = 0
    refused: int = 0
    left: int = 0
    error: str = ""
    answer: str = ""


def letter_time(seconds: float) -> str:
    """A time, in seconds since the epoch, as letters have it: such texts sort as their times."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
