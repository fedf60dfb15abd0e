"""Verdicts of limits: reservations, refusals and warnings, and the parts that they are about."""

from __future__ import annotations

from typing import Any, NamedTuple

from attrs import define, frozen

from .values import Rule


class Part(NamedTuple):
    """
    What a request takes of one limit.

    @ivar amount: 1 request or place, tokens, or money in 10^-12 USD: as much as it can be, before it is known.
    """

    rule: Rule
    amount: int


@define
class Reservation:
    """
    What a request holds until it is settled or given back; once. One is never changed, see L{llmproxy.usage.Usage}.

    @ivar at: when it was taken, of the clock of the store.
    @ivar id: of it alone, 32 hexadecimal digits.
    @ivar more: what the store knows of it.
    """

    parts: tuple[Part, ...]
    at: float
    id: str = ""
    more: Any = None


@frozen
class Refusal:
    """
    The limit that a request does not fit in.

    @ivar left: what is left of it, in its own unit, 0 at least.
    @ivar resets_in: seconds until the request would fit, if nobody else asks; C{None} if it never will: it asks for
        more than there can be, or the budget does not begin anew.
    @ivar unavailable: it may fit, but those who know cannot be asked, and the limit holds then too.
    """

    rule: Rule
    left: int
    resets_in: float | None
    unavailable: bool = False


@frozen
class Left:
    """
    How much of a limit is used.

    @ivar used: what has been, and what is reserved by requests that run.
    @ivar left: 0 at least.
    @ivar resets_in: seconds until nothing of it is used, if nobody asks; C{None} where it is not used, or where that is
        not a matter of time.
    """

    rule: Rule
    used: int
    left: int
    resets_in: float | None


@frozen
class Crossed:
    """
    A budget of which a share has been used for the first time within its window.

    @ivar share: per cent, one of L{SHARES}; 0 for its C{soft_budget}.
    """

    rule: Rule
    share: int
    used: int


SHARES = (50, 80, 100)
"""Per cent of a budget that are worth a warning."""


def crossed(rule: Rule, before: int, after: int) -> list[Crossed]:
    """The shares that lie between what was used and what is now."""
    found: list[Crossed] = []
    if after * 100 < rule.limit * SHARES[0] and rule.soft is None:
        return found
    if rule.soft is not None and before < rule.soft <= after:
        found.append(Crossed(rule, 0, after))
    return found + [Crossed(rule, each, after) for each in SHARES if before * 100 < rule.limit * each <= after * 100]


def other_model(rule: Rule, model: str) -> str:
    """The model that is asked in place of one that does not fit in a budget; C{""} where it is refused."""
    return dict(rule.downgrade).get(model, "") if rule.kind == "money" and rule.over_budget == "downgrade" else ""
