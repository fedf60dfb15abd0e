"""Answers of name servers, and how long each of them is used."""

from __future__ import annotations

from enum import Enum, auto

from attrs import frozen

FRESH = 15.0
"""
Seconds in which an answer is used without asking again. C{getaddrinfo} does not say how long the answer holds;
the names of providers hold for 30 to 300 seconds.
"""

STALE = 300.0
"""Seconds in which an older answer is used at once, while a new one is asked for."""

KEPT = 86_400.0
"""Seconds in which an answer is still better than none: where the name server is away, or knows the name no more."""

NEGATIVE = 1.0
"""Seconds in which a name that was not found is not asked for again."""

SETTLED = 1.0
"""Seconds after which an answer whose addresses take no connection may be doubted."""


class Use(Enum):
    """
    What to do for a caller that needs the addresses of a name.

    C{ANSWER} and C{RENEW} answer from what is known, C{RENEW} asks besides. C{WAIT} asks, and has the caller wait for
    the answer. C{REFUSE} fails at once.
    """

    ANSWER = auto()
    RENEW = auto()
    WAIT = auto()
    REFUSE = auto()


@frozen
class Answer:
    """
    @ivar addresses: in the order in which they are tried; at least one.
    @ivar at: when it came.
    @ivar doubted: none of them took a connection.
    """

    addresses: tuple[str, ...]
    at: float
    doubted: bool = False


def use(answer: Answer | None, failed_at: float | None, now: float) -> Use:
    """
    Stale while it is refreshed, as RFC 5861 section 3 has it for responses and RFC 8767 for names.

    @param answer: not older than L{KEPT}.
    @param failed_at: when the name was last asked for in vain, if that was after the answer.
    """
    lately = failed_at is not None and now - failed_at < NEGATIVE
    if answer is None:
        return Use.REFUSE if lately else Use.WAIT
    age = now - answer.at
    doubted = answer.doubted and age >= SETTLED
    if lately or (age < FRESH and not doubted):
        return Use.ANSWER
    return Use.WAIT if doubted or age >= STALE else Use.RENEW
