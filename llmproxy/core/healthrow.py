"""A row of checks of an upstream, and what follows of it: Envoy's active health checking, as a function of outcomes."""

from __future__ import annotations

from typing import Literal

from attrs import define

from ..origin import HealthCheck

Outcome = Literal["passed", "refused", "unanswered"]
"""Of a check: a status that is expected; another one; no answer, or none in time."""


@define(slots=True, eq=False)
class HealthRow:
    """
    One that was never checked counts as well, and stays so until a check says otherwise.

    @ivar well: what is known by now.
    """

    settings: HealthCheck
    well: bool = True
    _row: int = 0

    def note(self, outcome: Outcome) -> bool:
        """Count a check; whether it changes what is known."""
        if (outcome == "passed") == self.well:
            self._row = 0
            return False
        self._row += 1
        enough = self.settings.unhealthy if self.well else self.settings.healthy
        if self._row < enough and outcome != "refused":
            return False
        self.well, self._row = not self.well, 0
        return True
