"""
Tariffs: what one model of one provider costs, compiled so that an answer is priced by a few multiplications.

The rules are those of the book (genai-prices 0.2): of units within each other the innermost that has a price takes it;
a tier holds for all tokens of a request whose input is above where it begins; the last period that holds is in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timezone
from decimal import Decimal

from attrs import field, frozen

from ...usage import Usage
from .units import UNITS, Unit, unsaid

FINEST = Decimal(1).scaleb(-12)
"""USD: where a price does not divide (a rate by the hour), what comes out is rounded to this."""


@frozen
class Price:
    """
    USD for as many of a unit as prices of it are for (a million tokens).

    @ivar steps: how much input a request must have more than for another price, and that price; ascending.
    """

    base: Decimal
    steps: tuple[tuple[int, Decimal], ...] = ()

    def at(self, input_tokens: int) -> Decimal:
        """The price of a request with this much input."""
        return next((price for above, price in reversed(self.steps) if input_tokens > above), self.base)


Prices = Mapping[str, Price]
"""By the names of L{UNITS}."""

_Leaf = tuple[int, int, tuple[int, ...], tuple[tuple[int, int], ...]]
"""
The price of one unit, how many make what the price is for, and the counts of what is billed by it: as the place of the
unit's own, those of units within it that are taken away once, and all others with how often they are added.
"""


class Rates:
    """
    Prices that hold at one moment.

    @raise LookupError: one is for a unit that is not known.
    """

    __slots__ = ("_brackets", "_counts", "_families", "_is_free", "_needed", "_scale")

    def __init__(self, prices: Prices) -> None:
        units = [unit for unit in (UNITS[name] for name in prices) if unit.count is not unsaid or _is_whole(unit)]
        self._counts = tuple(unit.count for unit in units)
        self._families = tuple(unit.family for unit in units)
        self._needed = tuple(n for n, unit in enumerate(units) if unit.name in ("input_tokens", "output_tokens"))
        every = [each for price in prices.values() for each in (price.base, *(step for _, step in price.steps))]
        self._is_free = bool(every) and not any(every)
        self._scale = 9 + max((-int(each.as_tuple().exponent) for each in every), default=0)
        starts = sorted({above for price in prices.values() for above, _ in price.steps}, reverse=True)
        self._brackets = tuple((start, self._leaves(units, prices, start + 1)) for start in (*starts, -1))

    def _leaves(self, units: Sequence[Unit], prices: Prices, input_tokens: int) -> tuple[_Leaf, ...]:
        leaves = []
        for place, parts in enumerate(_shares(units)):
            unit = units[place]
            price = prices[unit.name].at(input_tokens)
            # An hour does not divide into powers of ten; everything else does.
            per = unit.per if unit.per == 3600 else 1
            whole = int(price.scaleb(self._scale) / (unit.per // per))
            once = tuple(at for at, times in parts.items() if times == -1)
            rest = tuple((at, times) for at, times in parts.items() if at != place and times not in (0, -1))
            leaves.append((whole, per, (place, *once), rest))
        return tuple(leaves)

    def cost(self, usage: Usage, seconds_at_least: int = 0) -> Decimal | None:
        """
        USD; C{None} where the usage does not say what this is priced by, or contradicts itself.

        @param seconds_at_least: of audio, that are billed at least.
        """
        if self._is_free:
            return _NOTHING
        counts = [count(usage) for count in self._counts]
        for place in self._needed:
            if counts[place] is None and not self._is_enough(counts):
                return None
        if not self._needed and not self._is_enough(counts):
            return None
        brackets = self._brackets
        leaves = brackets[0][1] if len(brackets) == 1 else self._bracket(usage.input_tokens or 0)
        total, by_the_hour = 0, _NOTHING
        for price, per, (own, *less), rest in leaves:
            used = counts[own] or 0
            for place in less:
                used -= counts[place] or 0
            for place, times in rest:
                used += times * (counts[place] or 0)
            if used < 0:
                return None
            if per == 1:
                total += int(used) * price
            elif used:
                by_the_hour += max(used, seconds_at_least) * Decimal(price).scaleb(-self._scale) / per
        cost = Decimal(total).scaleb(-self._scale)
        if by_the_hour:
            cost += by_the_hour.quantize(FINEST)
        return cost.normalize() if cost else _NOTHING

    def _bracket(self, input_tokens: int) -> tuple[_Leaf, ...]:
        return next(leaves for start, leaves in self._brackets if input_tokens > start)

    def _is_enough(self, counts: Sequence[int | Decimal | None]) -> bool:
        """Both or none of what went in and came out, and anything but what comes on top."""
        if len({counts[place] is None for place in self._needed}) > 1:
            return False
        families = {family for family, count in zip(self._families, counts, strict=True) if count is not None}
        return bool(families - _BESIDE) or set(self._families) <= {"requests"}


def _is_whole(unit: Unit) -> bool:
    return unit.family not in _BESIDE


_NOTHING = Decimal(0)

_BESIDE = {"requests", "tool_calls"}
"""What comes on top of what is billed: alone it says nothing of the whole."""


def _shares(units: Sequence[Unit]) -> list[dict[int, int]]:
    """
    For each unit what is left of it when the units within it are taken out: places of counts, each with how often it
    is added or taken away.
    """
    left: dict[str, dict[int, int]] = {}
    order = sorted(units, key=lambda unit: -len(unit.traits))
    for unit in order:
        parts = left[unit.name] = {units.index(unit): 1}
        for inner in order:
            if inner.is_within(unit):
                for place, times in left[inner.name].items():
                    parts[place] = parts.get(place, 0) - times
    return [left[unit.name] for unit in units]


@frozen
class Period:
    """
    When a price holds.

    @ivar since: the first day, in UTC.
    @ivar begins: the time of each day from which on, in UTC.
    @ivar ends: until which, exclusive; before C{begins} it is on the next day.
    """

    since: date | None = None
    begins: time | None = None
    ends: time | None = None

    def holds(self, at: datetime) -> bool:
        if self.since is not None and at.date() < self.since:
            return False
        if self.begins is None or self.ends is None:
            return True
        now = at.time()
        if self.ends < self.begins:
            return now >= self.begins or now < self.ends
        return self.begins <= now < self.ends


ALWAYS = Period()


@frozen
class Variant:
    """Other prices of some units, for requests that were served in a particular way."""

    when: Mapping[str, str]
    prices: Prices
    period: Period = ALWAYS


@frozen(eq=False)
class Tariff:
    """
    @ivar terms: prices with the period in which they hold; the last that holds is in force, the first where none does.
    @ivar variants: the first that fits decides, for each unit by itself.
    @ivar seconds_at_least: of audio, that are billed at least for a request.
    """

    terms: tuple[tuple[Period, Prices], ...]
    variants: tuple[Variant, ...] = ()
    seconds_at_least: int = 0
    _made: dict[tuple[int, ...], Rates] = field(factory=dict, init=False, repr=False)
    _ways: frozenset[str] = field(init=False, repr=False)

    @_ways.default
    def _of_variants(self) -> frozenset[str]:
        return frozenset(value for each in self.variants for value in each.when.values())

    @classmethod
    def of(cls, prices: Prices) -> Tariff:
        """The same at all times."""
        return cls(((ALWAYS, prices),))

    def cost(self, usage: Usage, at: float) -> Decimal | None:
        """
        What C{usage} cost in USD; C{None} if that cannot be said.

        @param at: when it was asked for, seconds since the epoch.
        """
        return self.rates(at, usage.raw).cost(usage, self.seconds_at_least)

    def rates(self, at: float, said: Mapping[str, object] | None = None) -> Rates:
        """
        Those in force.

        @param said: the provider's own object, which may name the way it was served.
        """
        context = _context(said, self._ways) if said and self.variants else None
        number = 0
        fitting: tuple[int, ...] = ()
        if len(self.terms) > 1 or context:
            moment = datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None)
            number = self._term(moment)
            fitting = self._fitting(moment, context) if context else ()
        key = (number, *fitting)
        rates = self._made.get(key)
        if rates is None:
            rates = self._made[key] = Rates(self.prices(number, fitting))
        return rates

    def prices(self, number: int, fitting: Sequence[int] = ()) -> Prices:
        """Those of a term, with those of variants over them."""
        found = dict(self.terms[number][1])
        for each in reversed(fitting):
            found.update(self.variants[each].prices)
        return found

    def prices_at(self, at: float) -> Prices:
        """Those in force for a request that is served in no particular way."""
        return self.prices(self._term(datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None)))

    def _term(self, moment: datetime) -> int:
        return next((n for n in range(len(self.terms) - 1, 0, -1) if self.terms[n][0].holds(moment)), 0)

    def _fitting(self, moment: datetime, context: Mapping[str, str]) -> tuple[int, ...]:
        return tuple(
            number
            for number, each in enumerate(self.variants)
            if each.period.holds(moment) and all(context.get(name) == value for name, value in each.when.items())
        )


def _context(said: Mapping[str, object], ways: frozenset[str]) -> dict[str, str] | None:
    """The ways to be served that the provider's own object names; C{None} if none of them is one of C{ways}."""
    tier, speed = said.get("service_tier"), said.get("speed")
    if not any(type(each) is str and each in ways for each in (tier, speed) if each is not None):
        return None
    named = {"service_tier": tier, "speed": speed, "processing": "batch" if tier == "batch" else None}
    return {name: value for name, value in named.items() if isinstance(value, str)}
