"""The costs of exchanges, noted in their records when they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from threading import Thread
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..core.prices import is_billed_to_clients
from ..core.pricing.tariff import Tariff
from ..prices.pricer import UNSEEN, Key, Prices
from ..providers.registry import BOOKS, vendors_of

if TYPE_CHECKING:
    from ..core.pricing.rules import PriceRule
    from ..message import Api, Record
    from ..usage import Usage

MOST_WAITING = 256
"""
Records that wait at most for a tariff that is being looked up, and tariffs that are. What comes on top goes into the
log without its cost: the ledger looks it up when it is settled.
"""

_NOTHING = Decimal(0)


class Costs:
    """
    Notes what an exchange cost, and what one from the cache did not cost again, in its record.

    Tariffs that were looked up before are at hand; another one is looked up in a thread, which takes a millisecond, and
    a quarter of a second the first time. Sinks get such a record when that has ended, see
    L{llmproxy.sinks.publisher.Publisher.release}; where too many wait they get it without its cost.

    @param reactor: one without threads, as tests have, looks up where it stands.
    @ivar pending: records whose cost is being looked up.
    @ivar noted: called with each of those when that has ended.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._has_threads = hasattr(reactor, "callFromThread")
        self.prices = Prices(books=BOOKS)
        self._providers: dict[str, str] = {}
        self._waiting: dict[Key, list[Callable[[Tariff | None], None]]] = {}
        self._is_looking = False
        self.pending: set[Record] = set()
        self.noted: Callable[[Record], object] = _ignored

    def use(self, rules: Iterable[PriceRule], apis: Iterable[Api]) -> None:
        """The prices of a configuration, from now on."""
        rules = tuple(rules)
        if rules != self.prices.rules:
            self.prices = Prices(rules, BOOKS)
            # What waits was to be priced by the former ones; the ledger does it when it settles.
            self._give_up()
        self._providers = {api.name: _provider(api) for api in apis}

    def warm(self) -> None:
        """Have the book read before it is asked, where an upstream is in it."""
        known = next((name for name in self._providers.values() if name in BOOKS), None)
        if known is not None and self._has_threads:
            self._look_up((known, "", "?"), _ignored)

    def note(self, record: Record) -> None:
        """Called as an exchange ends."""
        saved = record.saved
        if record.priced is not None and record.priced is record.usage and saved is None:
            # Limits have settled it already.
            return
        usage = self._served(record) if record.served or not record.provider else record.usage
        provider = record.provider
        if provider and is_billed_to_clients(provider) and not self._has_rule(record):
            record.cost = _NOTHING
        elif usage is not None:
            prices = self.prices
            found = prices.seen((provider, record.api, usage.served_model or record.model))
            record.cost = None
            if isinstance(found, Tariff):
                # As nearly always.
                rates = found.rates(record.started_at, usage.raw)
                amount = rates.whole(usage, found.seconds_at_least)
                record.book = "" if amount is None else prices.version
                if amount is not None:
                    record.cost = rates.exact(amount)
            else:
                record.book = ""
                self._price(record, usage, "cost")
        elif saved is not None:
            # Nobody was asked for it.
            record.cost = _NOTHING
        if saved is not None:
            self._price(record, saved, "cost_saved")

    def spent(self, record: Record) -> int | Deferred[int | None] | None:
        """
        What an exchange has cost that has ended, in 10^-12 USD, rounded up; C{None} where its usage does not say what
        it is billed by, and 0 where no price is known. It is noted in its record as L{note} does. The Deferred never
        fails.
        """
        usage = self._served(record) if record.served or not record.provider else record.usage
        if usage is None:
            return None
        provider = record.provider
        if provider and is_billed_to_clients(provider) and not self._has_rule(record):
            record.cost, record.priced = _NOTHING, usage
            return 0
        key = (provider, record.api, usage.served_model or record.model)
        found = self.prices.seen(key)
        if isinstance(found, Tariff):
            # As nearly always, and as _spent() does.
            rates = found.rates(record.started_at, usage.raw)
            amount = rates.whole(usage, found.seconds_at_least)
            if amount is not None and not record.sealed:
                record.cost, record.book, record.priced = rates.exact(amount), self.prices.version, usage
            return amount if amount is None or rates.a_pico == 1 else rates.picos(amount)
        if found is None:
            return 0
        looking = self.tariff(*key)
        if isinstance(looking, Deferred):
            return looking.addCallback(self._spent, record, usage)
        return self._spent(looking, record, usage)

    def _spent(self, tariff: Tariff | None, record: Record, usage: Usage) -> int | None:
        if tariff is None:
            return 0
        rates = tariff.rates(record.started_at, usage.raw)
        amount = rates.whole(usage, tariff.seconds_at_least)
        if amount is None:
            return None
        if not record.sealed:
            record.cost, record.book, record.priced = rates.exact(amount), self.prices.version, usage
        return amount if rates.a_pico == 1 else rates.picos(amount)

    def _served(self, record: Record) -> Usage | None:
        """What it has used, by the name of the model that was served; whose it is is noted."""
        usage = record.usage
        if not record.provider:
            record.provider = self._providers.get(record.api, "")
        if usage is None or not record.served or usage.served_model == record.served:
            return usage
        # What was read is what the caller got: the name that it knows.
        usage = record.usage = evolve(usage, served_model=record.served)
        return usage

    def tariff(self, provider: str, api: str, model: str) -> Tariff | Deferred[Tariff | None] | None:
        """
        By what an answer is billed; C{None} where no price is known. The Deferred never fails.

        @param provider: C{""} for that of the API.
        """
        key = (provider or self._providers.get(api, ""), api, model)
        found = self.prices.seen(key)
        if found is not UNSEEN:
            return found if isinstance(found, Tariff) else None
        looking: Deferred[Tariff | None] = Deferred()
        self._look_up(key, lambda tariff: None if looking.called else looking.callback(tariff), asked=True)
        return looking

    def _has_rule(self, record: Record) -> bool:
        model = record.model if record.usage is None else record.usage.served_model or record.model
        return any(rule.matches(record.api, model) for rule in self.prices.rules)

    def _price(self, record: Record, usage: Usage, member: str) -> None:
        key = (record.provider, record.api, usage.served_model or record.model)
        prices = self.prices
        found = prices.seen(key)
        if found is None:
            return
        if isinstance(found, Tariff):
            self._note(record, usage, member, found, prices.version)
        else:
            self.pending.add(record)
            self._look_up(key, lambda tariff: self._came(record, usage, member, tariff, prices.version))

    def _came(self, record: Record, usage: Usage, member: str, tariff: Tariff | None, book: str) -> None:
        try:
            self._note(record, usage, member, tariff, book)
        finally:
            self.pending.discard(record)
            self.noted(record)

    @staticmethod
    def _note(record: Record, usage: Usage, member: str, tariff: Tariff | None, book: str) -> None:
        cost = None if tariff is None else tariff.cost(usage, record.started_at)
        if cost is not None:
            setattr(record, member, cost)
            record.book = book

    def _look_up(self, key: Key, then: Callable[[Tariff | None], None], asked: bool = False) -> None:
        """
        Call C{then}; of too many that wait, and where prices change meanwhile, with C{None}.

        @param asked: it is a request that waits, of which there are no more than connections.
        """
        if not self._has_threads:
            then(self.prices.tariff(key))
            return
        waiting = self._waiting.get(key)
        if waiting is not None:
            if asked or len(waiting) < MOST_WAITING:
                waiting.append(then)
            else:
                then(None)
            return
        if not asked and len(self._waiting) >= MOST_WAITING:
            then(None)
            return
        self._waiting[key] = [then]
        if not self._is_looking:
            self._is_looking = self._in_thread([key])

    def _in_thread(self, keys: list[Key]) -> bool:
        prices = self.prices

        def look() -> None:
            found = {}
            for key in keys:
                try:
                    found[key] = prices.tariff(key)
                except Exception as error:
                    self._log.error("prices cannot be looked up: {error!r}", error=error)
                    found[key] = None
            self._reactor.callFromThread(self._found, prices, found)

        try:
            Thread(target=look, name="prices", daemon=True).start()
        except RuntimeError:
            # No thread to be had.
            self._give_up()
            return False
        return True

    def _give_up(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            for then in each:
                then(None)

    def _found(self, prices: Prices, tariffs: Mapping[Key, Tariff | None]) -> None:
        self._is_looking = False
        for key, tariff in tariffs.items() if prices is self.prices else ():
            for then in self._waiting.pop(key, ()):
                then(tariff)
        if self._waiting:
            self._is_looking = self._in_thread(list(self._waiting))


def _provider(api: Api) -> str:
    """Whose it is, where no attempt says so: an answer from the cache had none."""
    return next(filter(None, vendors_of((each.provider for each in api.upstreams), api.dialect)), "")


def _ignored(_: object) -> None:
    """For a look-up of which only the side effect is wanted."""
