"""The prices of a configuration: rules that stand above the book, and add what it has not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from hashlib import sha256

from attrs import evolve, field, frozen

from ..glob import any_of
from .tariff import Price, Prices, Tariff, Variant

AMOUNTS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "input": (("input_tokens",), 1),
    "cached_input": (("cache_read_tokens",), 1),
    "cache_write": (("cache_write_tokens",), 1),
    "cache_write_1h": (("cache_write_1h_tokens",), 1),
    "output": (("output_tokens",), 1),
    "reasoning": (("output_reasoning_tokens",), 1),
    "audio_input": (("input_audio_tokens",), 1),
    "cached_audio_input": (("cache_audio_read_tokens",), 1),
    "audio_output": (("output_audio_tokens",), 1),
    "image_input": (("input_image_tokens",), 1),
    "cached_image_input": (("cache_image_read_tokens",), 1),
    "image_output": (("output_image_tokens",), 1),
    "image": (("images",), 1),
    "second": (("audio_seconds", "input_audio_seconds"), 3600),
    "minute": (("audio_seconds", "input_audio_seconds"), 60),
    "hour": (("audio_seconds", "input_audio_seconds"), 1),
    "request": (("requests",), 1000),
    "search": (("web_searches",), 1000),
}
"""
The keys that hold an amount in USD: of which units it is, and how many of what it is for make one that
L{llmproxy.core.pricing.units.Unit.per} counts. Tokens are priced by the million, everything else by the piece.
"""

STEPPED = tuple(name for name, (units, _) in AMOUNTS.items() if units[0].endswith("_tokens"))
"""Those that can differ for requests with much input."""

_NEEDED = {
    "cached_input": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "audio_input": "input",
    "cached_audio_input": "audio_input",
    "audio_output": "output",
    "image_input": "input",
    "cached_image_input": "image_input",
    "image_output": "output",
}


def prices_of(amounts: Mapping[str, Decimal], above: Mapping[int, Mapping[str, Decimal]]) -> dict[str, Price]:
    """
    What a rule says, by the names of units.

    @param amounts: by the names of L{AMOUNTS}.
    @param above: other amounts, by the tokens of input that a request must have more than.
    @raise ValueError: it cannot be meant so; with a sentence.
    """
    for name in amounts:
        needed = _NEEDED.get(name, name)
        if needed not in amounts:
            raise ValueError(f"{name} is a part of {needed}, which has no price: give {needed} too")
    times = [name for name in ("second", "minute", "hour") if name in amounts]
    if len(times) > 1:
        raise ValueError(f"give one of {' and '.join(times)}")
    for start, other in above.items():
        strange = next((name for name in other if name not in amounts), None)
        if strange is not None:
            raise ValueError(f"above.{start}.{strange}: {strange} has no price for requests below that: give it too")
    found = {}
    for name, amount in amounts.items():
        units, times_as_many = AMOUNTS[name]
        steps = tuple((start, other[name]) for start, other in sorted(above.items()) if name in other)
        for unit in units:
            found[unit] = Price(amount * times_as_many, steps)
    return found


@frozen
class PriceRule:
    """
    One entry of C{prices}.

    @ivar api: a glob of the names of APIs.
    @ivar model: a glob of the names of models, of the one that answered.
    @ivar prices: what it costs; empty where C{like} says it.
    @ivar like: a provider, a name of L{llmproxy.providers.registry}: it costs what the book says of that one.
    @ivar like_model: the model of it that it costs as much as; C{""} for the one of the same name.
    @ivar times: what comes out is multiplied by, 0.8 for a fifth off.
    """

    api: str = "*"
    model: str = "*"
    prices: Prices = field(factory=dict)
    like: str = ""
    like_model: str = ""
    times: Decimal = Decimal(1)
    _matches: tuple[re.Pattern[str], re.Pattern[str]] = field(init=False, eq=False, repr=False)

    @_matches.default
    def _compiled(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return any_of([self.api]), any_of([self.model])

    def matches(self, api: str, model: str) -> bool:
        apis, models = self._matches
        return apis.fullmatch(api) is not None and models.fullmatch(model) is not None

    def tariff(self, model: str, book: Callable[[str, str], Tariff | None]) -> Tariff | None:
        """
        What C{model} costs by this rule; C{None} if the book does not have what it is to cost as much as.

        @param book: the tariff of a provider's model.
        """
        found = book(self.like, self.like_model or model) if self.like else Tariff.of(self.prices)
        return found if found is None or self.times == 1 else scaled(found, self.times)


def scaled(tariff: Tariff, times: Decimal) -> Tariff:
    """The same, everything multiplied by C{times}."""

    def all_of(prices: Prices) -> dict[str, Price]:
        return {
            name: Price(price.base * times, tuple((above, each * times) for above, each in price.steps))
            for name, price in prices.items()
        }

    terms = tuple((period, all_of(prices)) for period, prices in tariff.terms)
    variants: tuple[Variant, ...] = tuple(evolve(each, prices=all_of(each.prices)) for each in tariff.variants)
    return Tariff(terms, variants, tariff.seconds_at_least)


def fingerprint(rules: Iterable[PriceRule]) -> str:
    """Eight letters that differ where rules do; C{""} for none."""
    said = [
        repr((each.api, each.model, sorted(each.prices.items()), each.like, each.like_model, str(each.times)))
        for each in rules
    ]
    return sha256("\n".join(said).encode()).hexdigest()[:8] if said else ""
