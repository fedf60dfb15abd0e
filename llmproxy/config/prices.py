"""The section C{prices} of a configuration: what models cost, above the book and where it has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from attrs import field, frozen

from ..core.glob import any_of
from ..core.pricing.rules import AMOUNTS, STEPPED, PriceRule, prices_of
from ..providers.registry import BOOKS
from .document import Item
from .problems import unknown
from .readers import NOTED, Reader, by, count, section

_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,15})?")


@frozen
class PriceConfig:
    """
    One entry of C{prices}; amounts are USD, for a million tokens or for one of anything else.

    @ivar api: a glob of the names of APIs.
    @ivar model: a glob of the names of models, as answers have them.
    @ivar like: it costs what the book says of this provider, C{openai}, or of its model, C{openai/gpt-4o-mini}.
    @ivar times: what the book says is multiplied by.
    @ivar above: by a number of input tokens, what requests with more cost: some of the amounts.
    """

    api: str = "*"
    model: str = "*"
    like: str | None = None
    times: Decimal | None = None
    input: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    output: Decimal | None = None
    reasoning: Decimal | None = None
    audio_input: Decimal | None = None
    cached_audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    image_input: Decimal | None = None
    cached_image_input: Decimal | None = None
    image_output: Decimal | None = None
    image: Decimal | None = None
    second: Decimal | None = None
    minute: Decimal | None = None
    hour: Decimal | None = None
    request: Decimal | None = None
    search: Decimal | None = None
    above: Mapping[str, Mapping[str, Decimal]] = field(factory=dict)

    def amounts(self) -> dict[str, Decimal]:
        """Those that are given, by their names."""
        said = {name: getattr(self, name) for name in AMOUNTS}
        return {name: amount for name, amount in said.items() if amount is not None}

    def words(self) -> str:
        """What it says, for people."""
        whose = f"{self.model} of {'every API' if self.api == '*' else self.api}"
        if self.like is not None:
            return f"{whose}: like {self.like}{'' if self.times is None else f', times {self.times}'}"
        amounts = [f"{name} {amount}" for name, amount in self.amounts().items()]
        steps = [
            f"above {start} input tokens {', '.join(f'{name} {each}' for name, each in other.items())}"
            for start, other in self.above.items()
        ]
        return f"{whose}: {', '.join(amounts)} USD{''.join(f'; {each}' for each in steps)}"

    def rule(self) -> PriceRule:
        """
        What is looked up.

        @raise ValueError: it cannot be meant so; with a sentence.
        """
        amounts = self.amounts()
        if self.like is not None and (amounts or self.above):
            raise ValueError("give either like or amounts: what is like something else costs what that costs")
        if self.like is None and not amounts:
            raise ValueError("says no price: give amounts (input: 0.15, output: 0.60), or like: PROVIDER/MODEL")
        if self.like is None and self.times is not None:
            raise ValueError("times is for prices of the book: give it with like")
        prices = prices_of(amounts, {int(start): other for start, other in self.above.items()})
        provider, _, model = (self.like or "").partition("/")
        times = Decimal(1) if self.times is None else self.times
        return PriceRule(self.api, self.model, prices, provider, model, times)


def amount(text: str) -> Decimal:
    """USD, never a float."""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"expected an amount in USD, such as 0.15 (for a million tokens), got {text[:40]!r}")
    return Decimal(text)


def _times(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        raise ValueError(f"expected a number above 0, such as 0.8 for a fifth off, got {text[:40]!r}")
    return Decimal(text)


def _like(text: str) -> str:
    provider, slash, model = text.partition("/")
    if provider not in BOOKS:
        raise ValueError(f"{unknown(provider, BOOKS, 'provider')}; expected PROVIDER or PROVIDER/MODEL")
    if slash and not model:
        raise ValueError(f"names no model behind the slash; {provider} alone is the model of the same name there")
    return text


def _glob(text: str) -> str:
    if not text:
        raise ValueError("expected a pattern, such as gpt-4o*, got an empty text")
    return text


def _above(item: Item) -> Any:
    found = {}
    for start, child in item.mapping().items():
        try:
            count(1)(start)
        except ValueError as error:
            child.problem(f"above: a number of input tokens: {error}")
            continue
        known = child.known(*STEPPED)
        amounts = {name: by(amount)(each) for name, each in known.items()}
        found[start] = {name: each for name, each in amounts.items() if each is not NOTED}
    return found


PRICE_KEYS: dict[str, Reader] = {
    "api": by(_glob),
    "model": by(_glob),
    "like": by(_like),
    "times": by(_times),
    **dict.fromkeys(AMOUNTS, by(amount)),
    "above": _above,
}


def read_prices(item: Item, apis: Iterable[str]) -> tuple[PriceConfig, ...]:
    """
    The list; what is wrong with it is noted.

    @param apis: the names of those that there are.
    """
    found = []
    for each in item.items():
        price: PriceConfig = section(PriceConfig, PRICE_KEYS)(each)
        if not any(path == each.path or path.startswith(each.path + ".") for path in each.document.problems.paths):
            _note_contradictions(each, price, list(apis))
        found.append(price)
    return tuple(found)


def _note_contradictions(item: Item, price: PriceConfig, apis: list[str]) -> None:
    try:
        price.rule()
    except ValueError as error:
        item.problem(str(error))
    if not any(any_of([price.api]).fullmatch(name) for name in apis):
        item.problem(f"is for no API: {unknown(price.api, apis, 'API')}")


def rules_of(prices: Iterable[PriceConfig]) -> tuple[PriceRule, ...]:
    """What is looked up, in the order of the file."""
    return tuple(each.rule() for each in prices)
