"""The ledger put together: where its files are, and where what they have goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred

from ..core.ledger.entry import Entry
from ..core.ledger.settings import ledger_directory
from ..core.masking import OURS
from ..ledger.adoption import masked_with
from ..ledger.ledger import Ledger, Settles
from ..store.threads import NoThreads, PooledThreads
from .pricedrecords import PricedRecords
from .settler import Settler, settled_by

if TYPE_CHECKING:
    from ..core.masking import Masking
    from .costs import Costs
    from .settings import Settings
    from .stored import Stored

_FOREIGN = [
    each.name
    for each in msgspec.structs.fields(Entry)
    if each.type is str and each.name not in OURS and each.name not in ("id", "ending")
]
"""What clients and upstreams have a say in."""


def ledger_of(reactor: Any, settings: Settings, stored: Stored) -> Ledger | None:
    """The ledger of a proxy with a database; C{None} where it is switched off."""
    options = settings.apis.ledger
    if not options.enabled:
        return None
    database = stored.database
    directory = ledger_directory(options.directory, settings.database_url)
    ledger = Ledger(reactor, database.usage.holder, directory, options)
    stored.quota.sequence = lambda: ledger.sequence
    return ledger


async def _start(
    reactor: Any, ledger: Ledger, stored: Stored, masking: Masking, costs: Costs, settings: Settings
) -> None:
    from ..store.identity import identity_of
    from ..store.usagerecords import UsageRecords
    from ..store.writtenuses import OwedUses

    database = stored.database
    threads = PooledThreads(reactor, 1, "ledger") if hasattr(reactor, "callFromThread") else NoThreads()
    threads.start()
    records: Any = UsageRecords(reactor, database)
    if settings.apis.ledger.own_process:
        records = settled_by(reactor, records, settings.database_url, is_shared=database.is_shared)

    def done() -> Deferred[Any] | None:
        threads.stop()
        return records.stop() if isinstance(records, Settler) else None

    ledger.start(
        Settles(
            await identity_of(database),
            PricedRecords(records, lambda: costs.prices, threads.run),
            OwedUses(reactor, database),
            stored.quota.flush,
            masked_with(masking.text, _FOREIGN),
            threads.run,
            done,
        )
    )


def start_ledger(
    reactor: Any, ledger: Ledger, stored: Stored, masking: Masking, costs: Costs, settings: Settings
) -> Deferred[None]:
    """The database is open. Fails as that does."""
    return Deferred.fromCoroutine(_start(reactor, ledger, stored, masking, costs, settings))
