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

PICOS = 12
"""Digits behind the point of L{FINEST}."""

_Leaf = tuple[int, int, int, tuple[int, ...], tuple[tuple[int, int], ...]]
"""
The price of one unit, how many make what the price is for, and the counts of what is billed by it: as the place of the
unit's own, those of units within it that are taken away once, and all others with how often they are added.
"""

_Line = tuple[int, int, int, int]
"""What tokens cost that have more input than the first: something at once, and for each token of input and output."""

Line = tuple[int, int, int]
"""The same, of tokens that cost always as much, in 10^-12 USD."""


class Rates:
    """
    Prices that hold at one moment.

    @ivar scale: amounts of L{whole} are 10^-C{scale} USD, which is 10^-12 USD or less.
    @ivar a_pico: how many of these 10^-12 USD are.

    @raise LookupError: one is for a unit that is not known.
    """

    __slots__ = ("_brackets", "_counts", "_families", "_is_free", "_lines", "_needed", "a_pico", "scale")

    def __init__(self, prices: Prices) -> None:
        units = [unit for unit in (UNITS[name] for name in prices) if unit.count is not unsaid or _is_whole(unit)]
        self._counts = tuple(unit.count for unit in units)
        self._families = tuple(unit.family for unit in units)
        self._needed = tuple(n for n, unit in enumerate(units) if unit.name in ("input_tokens", "output_tokens"))
        every = [each for price in prices.values() for each in (price.base, *(step for _, step in price.steps))]
        self._is_free = bool(every) and not any(every)
        self.scale = max(PICOS, 9 + max((-int(each.as_tuple().exponent) for each in every), default=0))
        self.a_pico = 10 ** (self.scale - PICOS)
        starts = sorted({above for price in prices.values() for above, _ in price.steps}, reverse=True)
        self._brackets = tuple((start, self._leaves(units, prices, start + 1)) for start in (*starts, -1))
        self._lines = self._of_tokens([unit.name for unit in units])

    def _leaves(self, units: Sequence[Unit], prices: Prices, input_tokens: int) -> tuple[_Leaf, ...]:
        leaves = []
        for place, parts in enumerate(_shares(units)):
            unit = units[place]
            price = prices[unit.name].at(input_tokens)
            # An hour does not divide into powers of ten; everything else does.
            per = unit.per if unit.per == 3600 else 1
            whole = int(price.scaleb(self.scale) / (unit.per // per))
            once = tuple(at for at, times in parts.items() if times == -1)
            rest = tuple((at, times) for at, times in parts.items() if at != place and times not in (0, -1))
            leaves.append((whole, per, place, once, rest))
        return tuple(leaves)

    def _of_tokens(self, names: Sequence[str]) -> tuple[_Line, ...] | None:
        """See L{at_most}; C{None} where tokens of input and output alone are not what is billed."""
        counts = [count(_NO_TOKENS) for count in self._counts]
        if not self._is_billable(counts):
            return None
        return tuple((start, *_line(leaves, counts, names)) for start, leaves in self._brackets)

    def at_most(self, input_tokens: int, output_tokens: int) -> int | None:
        """
        What so many tokens cost, of which nothing else is known, in 10^-12 USD, rounded up; C{None} where an answer
        that says only these could not be billed.
        """
        if self._is_free or self._lines is None:
            return 0 if self._is_free else None
        for start, once, into, out in self._lines:
            if input_tokens > start:
                amount = once + into * input_tokens + out * output_tokens
                return amount if self.a_pico == 1 else -(-amount // self.a_pico)
        return None

    @property
    def line(self) -> Line | None:
        """What L{at_most} says of any number of tokens; C{None} where it takes more than this to say it."""
        if self._is_free:
            return 0, 0, 0
        if self._lines is None or len(self._lines) > 1 or self.a_pico != 1:
            return None
        return self._lines[0][1:]

    def picos(self, amount: int) -> int:
        """An amount of L{whole} in 10^-12 USD, rounded up."""
        return amount if self.a_pico == 1 else -(-amount // self.a_pico)

    def cost(self, usage: Usage, seconds_at_least: int = 0) -> Decimal | None:
        """
        USD; C{None} where the usage does not say what this is priced by, or contradicts itself.

        @param seconds_at_least: of audio, that are billed at least.
        """
        amount = self.whole(usage, seconds_at_least)
        return None if amount is None else self.exact(amount)

    def exact(self, amount: int) -> Decimal:
        """An amount of L{whole} in USD."""
        return Decimal(amount).scaleb(-self.scale).normalize() if amount else _NOTHING

    def whole(self, usage: Usage, seconds_at_least: int = 0) -> int | None:
        """The same as L{cost}, in 10^-C{scale} USD."""
        if self._is_free:
            return 0
        counts = [count(usage) for count in self._counts]
        if None in counts and not self._is_billable(counts):
            return None
        brackets = self._brackets
        leaves = brackets[0][1] if len(brackets) == 1 else self._bracket(usage.input_tokens or 0)
        total = 0
        by_the_hour = None
        for price, per, own, less, rest in leaves:
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
                hours = max(used, seconds_at_least) * Decimal(price).scaleb(-self.scale) / per
                by_the_hour = hours if by_the_hour is None else by_the_hour + hours
        return total if by_the_hour is None else total + int(by_the_hour.quantize(FINEST).scaleb(self.scale))

    def _is_billable(self, counts: Sequence[int | Decimal | None]) -> bool:
        """Whether there is what these prices are for."""
        for place in self._needed:
            if counts[place] is None:
                return self._is_enough(counts)
        return bool(self._needed) or self._is_enough(counts)

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
_NO_TOKENS = Usage(input_tokens=0, output_tokens=0)


def _line(
    leaves: Sequence[_Leaf], counts: Sequence[int | Decimal | None], names: Sequence[str]
) -> tuple[int, int, int]:
    """What stands behind the first of a L{_Line}, where nothing but C{counts} and tokens is used."""
    once = 0
    each = dict.fromkeys(names, 0)
    for price, per, own, less, rest in leaves:
        if per == 1:
            for place, times in ((own, 1), *((place, -1) for place in less), *rest):
                once += price * times * int(counts[place] or 0)
                each[names[place]] += price * times
    return once, each.get("input_tokens", 0), each.get("output_tokens", 0)


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


_FIRST = (0,)


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
    _is_constant: bool = field(init=False, repr=False)

    @_ways.default
    def _of_variants(self) -> frozenset[str]:
        return frozenset(value for each in self.variants for value in each.when.values())

    @_is_constant.default
    def _of_terms(self) -> bool:
        return len(self.terms) == 1 and not self.variants

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
        if self._is_constant and _FIRST in self._made:
            return self._made[_FIRST]
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

    @property
    def line(self) -> Line | None:
        """What tokens cost at all times; C{None} where that depends on the time, or see L{Rates.line}."""
        return self.rates(0.0).line if self._is_constant else None

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
