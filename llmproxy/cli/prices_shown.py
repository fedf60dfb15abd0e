"""Prices as C{llmproxy prices show} shows them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..core.pricing.rules import AMOUNTS
from ..core.pricing.units import UNITS
from ..providers.registry import BOOKS
from .faults import Fault

if TYPE_CHECKING:
    from ..core.pricing.tariff import Price
    from ..core.pricing.tariff import Prices as Amounts
    from .prices_source import PriceSource

COLUMNS = ("API", "Model", "Input", "Cached input", "Cache write", "Output", "Else", "From")

_SHOWN = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
_WORDS = {units[0]: name for name, (units, _) in AMOUNTS.items()}
_TWICE = frozenset({"input_audio_seconds"})
"""Units that say again what another one says."""


@frozen
class Known:
    """
    @ivar source: the entry of the configuration that says so, or the version of the book.
    @ivar amounts: those of now.
    """

    api: str
    provider: str
    model: str
    source: str
    amounts: Amounts


def known_of(source: PriceSource, model: str | None, api: str | None, now: float) -> list[Known]:
    """
    What is known of a model, or of all.

    @param api: of the configuration, or a vendor's name.
    @raise Fault: there is none of this name.
    """
    return [
        known
        for name, provider in _asked(source, model, api)
        for each in ([model] if model else _models(source, name, provider))
        if (known := _known(source, name, provider, each, now)) is not None
    ]


def _asked(source: PriceSource, model: str | None, api: str | None) -> list[tuple[str, str]]:
    """Names of APIs with the vendors of their upstreams."""
    vendors = source.vendors
    if api is None and not vendors:
        return [(name, name) for name in BOOKS]
    if api is None or api in vendors:
        names = vendors if api is None else [api]
        return [(name, provider) for name in names for provider in vendors[name]]
    if api in BOOKS:
        return [(api, api)]
    words = ", ".join([*vendors, *(name for name in BOOKS if name not in vendors)])
    raise Fault(f"--api: there is no API and no vendor {api!r} (known: {words})")


def _models(source: PriceSource, api: str, provider: str) -> Iterator[str]:
    """Those of the configuration that are written out, and those of the book."""
    yield from (rule.model for rule in source.prices.rules if rule.matches(api, rule.model))
    if provider in BOOKS:
        yield from source.prices.models(provider)


def _known(source: PriceSource, api: str, provider: str, model: str, now: float) -> Known | None:
    rule, tariff = source.prices.source((provider, api, model))
    if tariff is None:
        return None
    rules = source.prices.rules
    where = source.prices.book_version if rule is None else f"prices[{rules.index(rule)}]"
    return Known(api, provider, model, where, tariff.prices_at(now))


def row_of(known: Known) -> tuple[Any, ...]:
    """What stands in the table."""
    amounts = known.amounts
    main = [_words(amounts[name]) if name in amounts else "" for name in _SHOWN]
    rest = [f"{_WORDS.get(name, name)} {_words(_by_one(name, price))}" for name, price in _others(amounts)]
    return known.api, known.model, *main, ", ".join(rest), known.source


def _others(amounts: Amounts) -> Iterator[tuple[str, Price]]:
    yield from ((name, price) for name, price in amounts.items() if name not in _SHOWN and name not in _TWICE)


def _by_one(name: str, price: Price) -> Price:
    """As a configuration gives it: what are no tokens by the piece, time by the hour."""
    from ..core.pricing.tariff import Price

    unit = UNITS[name]
    per = 1 if unit.family in ("tokens", "durations") else unit.per
    return Price(price.base / per, tuple((above, each / per) for above, each in price.steps))


def _words(price: Price) -> str:
    steps = "".join(f" (>{above}: {_plain(each)})" for above, each in price.steps)
    return f"{_plain(price.base)}{steps}"


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f") if amount else "0"


def as_json(known: Known) -> dict[str, Any]:
    """What C{--json} prints: each price with how many it is for."""
    return {
        "api": known.api,
        "provider": known.provider,
        "model": known.model,
        "from": known.source,
        "prices": {
            _WORDS.get(name, name): {
                "usd": _plain(price.base),
                "for": UNITS[name].per,
                **({"above": {str(above): _plain(each) for above, each in price.steps}} if price.steps else {}),
            }
            for name, price in known.amounts.items()
            if name not in _TWICE
        },
    }
