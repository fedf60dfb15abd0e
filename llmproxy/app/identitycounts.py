"""Counts of people who sign in, of their tokens, and of requests to identity providers, for C{/metrics}."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Forbidden, Unauthorized
from ..identityerrors import ProviderUnavailable
from ..sinks.metrics import Histogram

if TYPE_CHECKING:
    from ..sinks.metrics import ProxyMetrics

SIGN_IN, TOKEN, REFRESH = "sign_in", "token", "refresh"
"""What is counted: browsers that come back, access tokens of a provider that are verified, devices."""


class IdentityCounts:
    """Labels are names of providers that are configured, and words of ours: nobody who asks makes one up."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str, str], int] = {}
        self.requests: dict[tuple[str, str, str], Histogram] = {}

    def count(self, event: str, provider: str, outcome: str) -> None:
        key = (event, provider, outcome)
        self.events[key] = self.events.get(key, 0) + 1

    def came_back(self, provider: str, error: Exception | None = None) -> None:
        """A browser has come back from a provider, with what came of it."""
        self.count(SIGN_IN, provider, outcome_of(error))

    def asked(self, provider: str, endpoint: str, is_good: bool, seconds: float) -> None:
        """A provider was asked."""
        key = (provider, endpoint, "ok" if is_good else "failed")
        self.requests.setdefault(key, Histogram()).observe(seconds)

    def show(self, metrics: ProxyMetrics) -> None:
        metrics.identity, metrics.identity_requests = self.events, self.requests


def outcome_of(error: Exception | None) -> str:
    """One of four words: the provider, or our rules, or neither have let somebody in."""
    if error is None:
        return "ok"
    if isinstance(error, ProviderUnavailable):
        return "unavailable"
    return "not_granted" if isinstance(error, (Forbidden, Unauthorized)) else "refused"
