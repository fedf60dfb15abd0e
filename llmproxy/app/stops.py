"""The order in which the parts of a proxy are stopped: who writes before what is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .foundation import Foundation
    from .generations import Generations
    from .shutdown import Stop


def stops_of(foundation: Foundation, generations: Generations) -> list[Stop]:
    """See L{llmproxy.app.shutdown.Shutdown}."""
    metering, stored = foundation.metering, foundation.stored
    return [
        ("records", metering.stop),
        *([] if stored is None else [("changes of others", stored.stop_following)]),
        ("store of the cache", foundation.stop_store),
        ("hits", metering.stop_hits),
        *([] if stored is None else [("uses of tokens", stored.quota.stop)]),
        ("limits", foundation.limiting.stop),
        # After the last exchange, and after the uses in it are written down.
        ("ledger", foundation.stop_ledger),
        # The last that notes anything, while the database is still open.
        ("audit log", foundation.stop_audit_log),
        # Behind all that makes events, the end of the audit log too.
        ("sinks of events", foundation.stop_events),
        ("upstream clients", generations.close),
        *([] if foundation.identity is None else [("identity providers", foundation.identity.close)]),
        *([] if stored is None else [("database", stored.database.close)]),
        ("lag of the reactor", metering.lag.stop),
        ("steps of the clock", foundation.clock_steps.stop),
        ("time limits", foundation.wheel.stop),
        ("access log", metering.close),
    ]
