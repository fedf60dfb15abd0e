"""Tests for L{llmproxy.app.identitycounts}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.identitycounts import IdentityCounts
from llmproxy.core.people.codeflow import SignInFailed
from llmproxy.identityerrors import NotGranted, PersonRevoked, ProviderUnavailable
from llmproxy.sinks.metrics import ProxyMetrics


class IdentityCountsTests(SynchronousTestCase):
    def test_sign_ins(self) -> None:
        """Who could not sign in: by the provider, by our rules, or as it did not answer."""
        counts = IdentityCounts()
        for error in (None, None, SignInFailed("x"), NotGranted("x"), PersonRevoked("x"), ProviderUnavailable("x")):
            counts.came_back("corp", error)
        self.assertEqual(
            {outcome: count for (_, _, outcome), count in counts.events.items()},
            {"ok": 2, "refused": 1, "not_granted": 2, "unavailable": 1},
        )

    def test_shown(self) -> None:
        """What is counted later shows too."""
        counts, metrics = IdentityCounts(), ProxyMetrics()
        counts.show(metrics)
        counts.asked("corp", "keys", False, 0.5)
        counts.asked("corp", "keys", True, 0.5)
        self.assertEqual(
            {key: sum(each.counts) for key, each in metrics.identity_requests.items()},
            {("corp", "keys", "failed"): 1, ("corp", "keys", "ok"): 1},
        )
