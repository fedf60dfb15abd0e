"""Prices of exchanges: whose tariff an answer is billed by, and what that makes of entries of the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from attrs import frozen

from ..usage import Usage

if TYPE_CHECKING:
    from ..origin import Upstream
    from .ledger.entry import Counts, Entry


@frozen
class Priced:
    """
    @ivar cost: USD, exact.
    @ivar book: the version of the prices that it was made with.
    """

    cost: Decimal
    book: str


_CLIENTS = "client"


def billed_to(upstream: Upstream) -> str:
    """
    What records call the provider of an upstream. One that clients have an account with sends its bill to them: it has
    another name, which no book of prices has, and only the prices of a configuration find it.
    """
    if upstream.key_source != "client":
        return upstream.provider
    return f"{upstream.provider}:{_CLIENTS}" if upstream.provider else _CLIENTS


def is_billed_to_clients(provider: str) -> bool:
    """Whether that is such a name."""
    return provider.endswith(_CLIENTS) and provider.rpartition(":")[2] == _CLIENTS


class Pricer(Protocol):
    """Knows what models cost. It may read files and think for a second, so it is not for the reactor's thread."""

    def has_price(self, provider: str, api: str, model: str) -> bool:
        """
        Whether C{model} has a price, for any use; most records that wait for one are of a model that has none.

        @param model: the one that is priced.
        """

    def price(self, provider: str, api: str, model: str, usage: Usage, at: float) -> Priced | None:
        """
        What an answer cost; C{None} where no price is known, or it is not known what was used.

        @param provider: whose the upstream is, a name of L{llmproxy.providers.registry}; C{""} if that is not known.
        @param api: the name of the API.
        @param model: what was asked for; it is priced where the usage does not name the model that answered.
        @param at: when it was asked for, seconds since the epoch.
        """


def written(cost: Decimal) -> str:
    """A cost as it stands in logs, entries and reports: a decimal number without an exponent or needless zeros."""
    return format(cost.normalize(), "f") if cost else "0"


def lacks_price(entry: Entry) -> bool:
    """Whether an entry says something of what was used, or saved, and not what that cost."""
    if entry.saved is not None:
        return entry.cost is None or entry.cost_saved is None
    return entry.cost is None and _was_looked_at(entry)


def price_entry(entry: Entry, pricer: Pricer) -> Entry:
    """
    The same with what it cost, and what it saved, where an answer says what it used. A cost that stands there already
    is replaced by what the pricer says, and stays where that says nothing; so is what was saved. Not for the reactor's
    thread.
    """
    saved = entry.saved
    if saved is None and not pricer.has_price(entry.provider, entry.api, entry.served_model or entry.model):
        return entry
    used = _used(entry)
    priced = None if used is None else pricer.price(entry.provider, entry.api, entry.model, used, entry.started_at)
    if saved is None:
        return entry if priced is None else _with(entry, priced, cost=written(priced.cost))
    # Nobody was asked for it.
    cost = "0" if priced is None else written(priced.cost)
    again = pricer.price(entry.provider, entry.api, entry.model, _of_counts(saved), entry.started_at)
    found = entry.cost_saved if again is None else written(again.cost)
    if (cost, found) == (entry.cost, entry.cost_saved):
        return entry
    return _with(entry, again or priced, cost=cost, cost_saved=found)


def _with(entry: Entry, priced: Priced | None, **costs: str | None) -> Entry:
    book = entry.book if priced is None else priced.book
    return msgspec.structs.replace(entry, book=book, **costs)


def _used(entry: Entry) -> Usage | None:
    """What an entry says was used; C{None} where no answer was looked at."""
    return _of_counts(entry, _raw(entry.raw)) if _was_looked_at(entry) else None


def _was_looked_at(entry: Entry) -> bool:
    counted = (entry.input_tokens, entry.output_tokens, entry.seconds, entry.images)
    return entry.unknown or any(each is not None for each in counted)


def _of_counts(counts: Entry | Counts, raw: Any = None) -> Usage:
    return Usage(
        counts.input_tokens,
        counts.cached_input_tokens,
        counts.cache_write_tokens,
        counts.output_tokens,
        counts.reasoning_tokens,
        counts.audio_input_tokens,
        counts.audio_output_tokens,
        counts.images,
        counts.seconds,
        counts.served_model,
        raw,
    )


def _raw(said: bytes | None) -> Any:
    if said is None:
        return None
    try:
        found = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
