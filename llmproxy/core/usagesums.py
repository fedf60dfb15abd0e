"""Sums of usage in whole numbers: those that one exchange adds, and what they add up to."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .reports import UsageSums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ledger.entry import Entry

COUNTED = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "images",
)
"""What is counted in whole pieces."""

NUMBERS = (
    "requests",
    "errors",
    *COUNTED,
    "audio",
    "cost",
    "cost_rest",
    "cache_hits",
    "cost_saved",
    "cost_saved_rest",
    "unknown",
    "estimated",
    "truncated",
    "unpriced",
)
"""The whole numbers that are added up, in the order of L{numbers_of}."""

HIT = "hit"
"""What the outcome of the cache is where it answered."""

MICRO = 1_000_000
MOST = 2**62 // MICRO
"""What a single number may be at most: a sum of a million of them is a whole number that databases know."""

MOST_USD = 10**9
"""What one exchange may cost, likewise; a price that makes more of it is a mistake."""

_PLAIN, _DIGITS = 9, 12
"""How many digits an amount has before and behind its point that needs neither rounding nor a bound."""

_COUNTED_OF = attrgetter(*COUNTED)
_STEP = Decimal(1).scaleb(-12)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_NOTHING = Decimal(0)


def numbers_of(entry: Entry) -> tuple[int, ...]:
    """What an exchange adds; what is not known adds nothing."""
    cost, saved = money_of(entry.cost), money_of(entry.cost_saved)
    known = any(value is not None for value in (entry.input_tokens, entry.output_tokens, entry.images, entry.seconds))
    return (
        1,
        1 if entry.status >= 400 or entry.ending != "complete" else 0,
        *[whole(value) or 0 for value in _COUNTED_OF(entry)],
        micros(entry.seconds) or 0,
        *(cost or (0, 0)),
        1 if entry.cache == HIT else 0,
        *(saved or (0, 0)),
        1 if entry.unknown else 0,
        1 if entry.estimated else 0,
        1 if entry.truncated else 0,
        1 if known and cost is None else 0,
    )


def money_of(text: str | None) -> tuple[int, int] | None:
    """
    A decimal number as whole millionths, and what is beyond them in 10^-12, rounded to that; C{None} for what is none.
    """
    if text is None:
        return None
    units, _, parts = text.partition(".")
    digits = units + parts
    if units and len(units) <= _PLAIN and len(parts) <= _DIGITS and digits.isdecimal() and digits.isascii():
        # As nearly all are written; it takes a fifth of the time.
        return int(units) * MICRO + int(parts[:6].ljust(6, "0")), int(parts[6:].ljust(6, "0"))
    try:
        steps = int(_EXACT.scaleb(_EXACT.quantize(Decimal(text), _STEP), 12))
    except (ArithmeticError, ValueError):
        return None
    millionths, rest = divmod(steps, MICRO)
    return (millionths, rest) if abs(millionths) <= MOST_USD * MICRO else None


def amount(millionths: int, rest: int) -> Decimal:
    """The decimal number that they are, exactly."""
    steps = millionths * MICRO + rest
    return _EXACT.normalize(_EXACT.scaleb(Decimal(steps), -12)) if steps else _NOTHING


def micros(seconds: float | None) -> int | None:
    """Whole microseconds."""
    if seconds is None or seconds != seconds:
        return None
    return round((seconds if -MOST <= seconds <= MOST else MOST if seconds > 0 else -MOST) * MICRO)


def whole(value: int | None) -> int | None:
    """One that a database can add up."""
    return value if value is None or -MOST <= value <= MOST else MOST if value > 0 else -MOST


def sums_of(numbers: Sequence[Any]) -> UsageSums:
    """
    @param numbers: by L{NUMBERS}.
    """
    found = dict(zip(NUMBERS, map(int, numbers), strict=True))
    cost = amount(found.pop("cost"), found.pop("cost_rest"))
    saved = amount(found.pop("cost_saved"), found.pop("cost_saved_rest"))
    return UsageSums(seconds=found.pop("audio") / MICRO, cost=cost, cost_saved=saved, **found)
