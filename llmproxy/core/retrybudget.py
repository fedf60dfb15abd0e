"""A budget of retries: a share of the requests that an upstream gets, so that retries never become its load."""

from __future__ import annotations

from attrs import define

RESERVE = 10.0
"""Retries that are there without traffic, and each second again: Finagle's C{minRetriesPerSec}."""

MOST = 100.0
"""Retries that can be saved up."""


@define(slots=True)
class RetryBudget:
    """
    Each request puts a share of a retry in, each retry takes one out. Times are seconds of any steady clock.

    @ivar refused: retries that were not made for want of them.
    """

    refused: int = 0
    _saved: float = 0.0
    _reserve: float = RESERVE
    _filled_at: float = 0.0

    def deposit(self, share: float) -> None:
        """
        A request is made for the first time.

        @param share: retries for each request, from 0 to 1.
        """
        self._saved = min(MOST, self._saved + share)

    def withdraw(self, now: float) -> bool:
        """Whether a retry may be made; it is counted then."""
        self._reserve = min(RESERVE, self._reserve + (now - self._filled_at) * RESERVE)
        self._filled_at = now
        if self._saved >= 1:
            self._saved -= 1
        elif self._reserve >= 1:
            self._reserve -= 1
        else:
            self.refused += 1
            return False
        return True
