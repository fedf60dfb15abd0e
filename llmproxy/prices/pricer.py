"""The pricer: a configuration's own prices, and the book below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ..core.prices import Priced
from ..core.pricing.rules import PriceRule, fingerprint
from .book import Book

if TYPE_CHECKING:
    from ..core.pricing.tariff import Tariff
    from ..usage import Usage

MOST_TARIFFS = 1024
"""Tariffs that are kept, and names that have none: clients and upstreams may name any number of models."""

Key = tuple[str, str, str]
"""Provider, API and the name of the model that is priced."""

UNSEEN: Final = object()


class Prices:
    """
    A L{llmproxy.core.prices.Pricer}.

    @param rules: of the configuration, the first that matches stands above the book.
    @param books: by the name of a provider here, what the book calls it.
    @param book: where everything else stands.
    @ivar book_version: of the book alone.
    @ivar version: of all that it knows, as it stands with each cost.
    """

    def __init__(
        self, rules: Iterable[PriceRule] = (), books: Mapping[str, str] | None = None, book: Book | None = None
    ) -> None:
        self.rules = tuple(rules)
        self._book = Book() if book is None else book
        self.book_version = self._book.version
        self._books = {} if books is None else books
        own = fingerprint(self.rules)
        self.version = "+".join(each for each in (self._book.version, own and f"prices-{own}") if each)
        self._tariffs: dict[Key, Tariff | None] = {}

    def has_price(self, provider: str, api: str, model: str) -> bool:
        """May read the book, the first time: not for the reactor's thread."""
        return self.tariff((provider, api, model)) is not None

    def price(self, provider: str, api: str, model: str, usage: Usage, at: float) -> Priced | None:
        """May read the book: not for the reactor's thread."""
        return self.by(self.tariff((provider, api, usage.served_model or model)), usage, at)

    def by(self, tariff: Tariff | None, usage: Usage, at: float) -> Priced | None:
        """What an answer costs by C{tariff}."""
        cost = None if tariff is None else tariff.cost(usage, at)
        return None if cost is None else Priced(cost, self.version)

    def seen(self, key: Key) -> Tariff | object | None:
        """The tariff if it was looked up already, C{None} if it was and there is none; else L{UNSEEN}."""
        return self._tariffs.get(key, UNSEEN)

    def tariff(self, key: Key) -> Tariff | None:
        """The tariff by which C{key} is billed. May read the book: not for the reactor's thread."""
        try:
            return self._tariffs[key]
        except KeyError:
            found = self.source(key)[1]
        while len(self._tariffs) >= MOST_TARIFFS:
            # Another thread may have taken the same one out.
            self._tariffs.pop(next(iter(self._tariffs), key), None)
        self._tariffs[key] = found
        return found

    def source(self, key: Key) -> tuple[PriceRule | None, Tariff | None]:
        """The rule that decides, C{None} where the book does; and the tariff. Not for the reactor's thread."""
        provider, api, model = key
        rule = next((each for each in self.rules if each.matches(api, model)), None)
        if rule is not None:
            return rule, rule.tariff(model, self._of_book)
        return None, self._of_book(provider, model)

    def models(self, provider: str) -> list[str]:
        """The models that the book has of a provider itself. Not for the reactor's thread."""
        return self._book.models(self._books.get(provider, ""))

    def _of_book(self, provider: str, model: str) -> Tariff | None:
        name = self._books.get(provider, "")
        return self._book.tariff(name, model) if name and model else None
