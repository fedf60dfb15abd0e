"""Tests for L{llmproxy.web.identityfamilies}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.metrics import Histogram, cumulative
from llmproxy.web.identityfamilies import identity_families


class IdentityFamiliesTests(SynchronousTestCase):
    def test_none(self) -> None:
        """Nothing of it is there where nobody signs in."""
        self.assertEqual(list(identity_families({}, {}, cumulative)), [])

    def test_samples(self) -> None:
        events = {("sign_in", "corp", "ok"): 2, ("sign_in", "corp", "refused"): 1, ("refresh", "", "reuse"): 4}
        slow = Histogram()
        slow.observe(3.0)
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in identity_families(events, {("corp", "token", "failed"): slow}, cumulative)
            for sample in family.samples
        }
        for key, value in (
            (("llmproxy_identity_sign_ins_total", "corp", "ok"), 2),
            (("llmproxy_identity_sign_ins_total", "corp", "refused"), 1),
            (("llmproxy_identity_refreshes_total", "", "reuse"), 4),
            (("llmproxy_identity_request_seconds_count", "corp", "token", "failed"), 1),
            (("llmproxy_identity_request_seconds_sum", "corp", "token", "failed"), 3.0),
        ):
            self.assertEqual(found[key], value, key)
