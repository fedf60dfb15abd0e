"""Records of usage whose cost was not at hand when they ended: it is looked up on their way to the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..core.prices import lacks_price, price_entry
from ..interfaces import IUsageRecords

if TYPE_CHECKING:
    from ..core.ledger.entry import Entry
    from ..core.prices import Pricer


@implementer(IUsageRecords)
class PricedRecords:
    """
    @param records: take the entries then.
    @param pricer: the present one; it is asked on a thread.
    @param run: calls a function on a thread.
    """

    _log = Logger()

    def __init__(
        self, records: IUsageRecords, pricer: Callable[[], Pricer], run: Callable[[Callable[[], Any]], Deferred[Any]]
    ) -> None:
        self._records = records
        self._pricer = pricer
        self._run = run

    def settle(self, batch: Sequence[Entry]) -> Deferred[Any]:
        if not any(map(lacks_price, batch)):
            return self._records.settle(batch)
        pricer = self._pricer()
        return self._run(lambda: [self._priced(entry, pricer) for entry in batch]).addCallback(self._records.settle)

    def _priced(self, entry: Entry, pricer: Pricer) -> Entry:
        if not lacks_price(entry):
            return entry
        try:
            return price_entry(entry, pricer)
        except Exception:
            # It goes into the database without a cost, and can be priced again there.
            self._log.failure("an exchange could not be priced")
            return entry
