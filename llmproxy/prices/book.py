"""
The book of prices: the library genai-prices, read and made into tariffs.

Importing it takes a quarter of a second and pydantic: never on the reactor's thread, and only where something is looked
up. Only its data is used; nothing is fetched, since its updater is never started.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any

from ..core.pricing.tariff import ALWAYS, Period, Price, Tariff, Variant
from ..core.pricing.units import UNITS

_PRICED = {
    "input_mchars": "input_characters",
    "audio_hours": "audio_seconds",
    "input_audio_hours": "input_audio_seconds",
    "output_audio_hours": "output_audio_seconds",
}
"""Keys of prices whose unit is not called as they are."""

_ENDS = (("_mtok", "_tokens"), ("_kcount", ""), ("_kpages", "_pages"))

_PREFIXES = {
    "google": re.compile(r"^(?:.*/)?models/|^[a-z]+/"),
    "aws": re.compile(r"^arn:.*/"),
}
"""What may stand before the name of a model: in paths of Vertex AI and Gemini, in ARNs."""

_FREE = frozenset({("openai", "moderation")})
"""Models without a price in the book that cost nothing; others have none because it is not known, or not by use."""

_AT_LEAST = {("groq", "whisper-large-v3"): 10, ("groq", "whisper-large-v3-turbo"): 10}
"""Seconds that are billed at least (console.groq.com/docs/speech-to-text), as the library has it in its code."""


def library_version() -> str:
    """The name and version of the book, without importing it."""
    try:
        return f"genai-prices-{version('genai-prices')}"
    except PackageNotFoundError:
        return ""


class Book:
    """All of it may be called from any thread but the reactor's."""

    def __init__(self) -> None:
        self.version = library_version()
        self._lock = Lock()
        self._snapshot: Any = None

    def tariff(self, provider: str, model: str) -> Tariff | None:
        """
        What a model costs; C{None} if the book does not have it, or not its price.

        @param provider: as the book calls it.
        @param model: as a request or an answer names it.
        """
        snapshot = self._read() if provider and model else None
        if snapshot is None:
            return None
        for name in _names(provider, model):
            try:
                found, info = snapshot.find_provider_model(name, None, provider, None)
            except LookupError:
                continue
            return _tariff(found, info)
        return None

    def models(self, provider: str) -> list[str]:
        """The models that the book has of a provider itself."""
        snapshot = self._read()
        return [] if snapshot is None else [m.id for p in snapshot.providers if p.id == provider for m in p.models]

    def _read(self) -> Any:
        with self._lock:
            if self._snapshot is None and self.version:
                from genai_prices.data import providers
                from genai_prices.data_snapshot import DataSnapshot

                # One of our own: an application that lets the library fetch new prices does not change ours.
                self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)
            return self._snapshot


def _names(provider: str, model: str) -> list[str]:
    prefix = _PREFIXES.get(provider)
    rest = model if prefix is None else prefix.sub("", model, count=1)
    return [model] if rest == model else [model, rest]


def _tariff(provider: Any, info: Any) -> Tariff | None:
    conditions = info.prices if isinstance(info.prices, list) else [None]
    try:
        terms = tuple(
            (ALWAYS, _prices(info.prices)) if each is None else (_period(each.constraint), _prices(each.prices))
            for each in conditions
        )
        # Of a model that another provider lends, the variants are the other's own.
        own = any(info is each for each in provider.models)
        variants = tuple(
            Variant(dict(each.when), _prices(each.prices), _period(each.constraint))
            for each in (info.price_variants or () if own else ())
        )
    except LookupError:
        return None
    if not all(prices for _, prices in terms):
        is_free = (provider.id, info.id) in _FREE or info.id.endswith(":free")
        return Tariff.of({"requests": Price(Decimal(0))}) if is_free else None
    return Tariff(terms, variants, _AT_LEAST.get((provider.id, info.id), 0))


def _prices(prices: Any) -> dict[str, Price]:
    found = {}
    for key, price in vars(prices).items():
        if price is None or key.startswith("_"):
            continue
        name = _unit(key)
        if isinstance(price, Decimal):
            found[name] = Price(price)
        else:
            found[name] = Price(price.base, tuple((tier.start, tier.price) for tier in price.tiers))
    return found


def _unit(key: str) -> str:
    """
    @raise LookupError: a unit that is not known here, of which nobody can say how many were used.
    """
    name = _PRICED.get(key, key)
    for end, other in _ENDS:
        if name.endswith(end):
            name = name.removesuffix(end) + other
    if name not in UNITS:
        raise LookupError(key)
    return name


def _period(constraint: Any) -> Period:
    """Those of the library are by date or by time of day; naive times are UTC."""
    if constraint is None:
        return ALWAYS
    if hasattr(constraint, "start_date"):
        return Period(since=constraint.start_date)
    begins, ends = (_utc(each) for each in (constraint.start_time, constraint.end_time))
    return Period(begins=begins, ends=ends)


def _utc(value: Any) -> Any:
    if value.tzinfo is None:
        return value
    return datetime.combine(datetime(1970, 1, 1), value).astimezone(timezone.utc).time()
