"""Prices of reservations and of what was used, in the unit in which limits count money."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...usage import Usage
    from ..pricing.tariff import Tariff
    from .reservation import Estimate


def picos(tariff: Tariff | None, usage: Usage, at: float) -> int | None:
    """
    What was used, in L{llmproxy.core.limits.values.PICO}, rounded up; C{None} if that cannot be said.

    @param at: seconds since the epoch.
    """
    if tariff is None:
        return None
    rates = tariff.rates(at, usage.raw)
    amount = rates.whole(usage, tariff.seconds_at_least)
    return None if amount is None else rates.picos(amount)


def at_most(tariff: Tariff | None, estimate: Estimate, at: float) -> int | None:
    """What an estimate costs, likewise; C{None} too for models that are not billed by tokens."""
    return None if tariff is None else tariff.rates(at).at_most(estimate.input_tokens, estimate.output_tokens)
