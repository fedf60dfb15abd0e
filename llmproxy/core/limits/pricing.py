"""Prices of reservations and of what was used, in the unit in which limits count money."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import TYPE_CHECKING

from ...usage import Usage
from .values import PICO

if TYPE_CHECKING:
    from ..pricing.tariff import Tariff
    from .reservation import Estimate


def picos(tariff: Tariff | None, usage: Usage, at: float) -> int | None:
    """
    What was used, in L{PICO}, rounded up; C{None} if that cannot be said.

    @param at: seconds since the epoch.
    """
    cost = None if tariff is None else tariff.cost(usage, at)
    return None if cost is None else int((cost * PICO).to_integral_value(ROUND_CEILING))


def at_most(tariff: Tariff | None, estimate: Estimate, at: float) -> int | None:
    """What an estimate costs, likewise; C{None} too for models that are not billed by tokens."""
    return picos(tariff, Usage(input_tokens=estimate.input_tokens, output_tokens=estimate.output_tokens), at)
