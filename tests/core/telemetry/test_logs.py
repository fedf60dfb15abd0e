"""Tests for L{llmproxy.core.telemetry.logs}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.telemetry.logs import ERROR, INFO, WARN, log_of

from ...tables import row
from ..events.samples import event


class LogTests(SynchronousTestCase):
    def test_severity(self) -> None:
        """Exchanges by how they ended, as in the access log; what else happens by what it means."""
        rows: tuple[tuple[dict[str, Any], int], ...] = (
            ({}, INFO),
            ({"status": 404}, WARN),
            ({"ended": "client_left"}, WARN),
            ({"status": 502}, ERROR),
            ({"ended": "timeout"}, ERROR),
            ({"kind": "audit.project.create", "details": {"outcome": "success"}}, INFO),
            ({"kind": "audit.project.create", "details": {"outcome": "denied"}}, WARN),
            ({"kind": "budget.soft"}, WARN),
            ({"kind": "upstream.ejected"}, WARN),
            ({"kind": "upstream.recovered"}, INFO),
        )
        for values, expected in rows:
            with row(values):
                self.assertEqual(log_of(event(**values), traced=True).severity, expected)

    def test_trace(self) -> None:
        """The ids are those of the span of the exchange; the caller's where there is none of ours; or none."""
        for values, traced, expected in (
            ({"trace_id": "a" * 32, "span_id": "b" * 16, "trace_sampled": True}, False, ("a" * 32, "b" * 16, True)),
            ({"trace_id": "a" * 32, "parent_span_id": "c" * 16}, False, ("a" * 32, "c" * 16, True)),
            ({"trace_id": "a" * 32, "trace_sampled": False}, False, ("a" * 32, "", False)),
            ({}, False, ("", "", False)),
        ):
            log = log_of(event(**values), traced=traced)
            self.assertEqual((log.trace_id, log.span_id, log.sampled), expected, values)
        made = log_of(event(), traced=True)
        self.assertEqual((len(made.trace_id), len(made.span_id), made.sampled), (32, 16, True))

    def test_details(self) -> None:
        """What belongs to a kind alone are attributes of their own, whatever they are."""
        log = log_of(event(kind="config.reloaded", details={"apis": ["a"], "version": 3, "none": None}), traced=True)
        self.assertEqual(log.name, "config.reloaded")
        self.assertEqual(log.attributes["llmproxy.apis"], "['a']")
        self.assertEqual(log.attributes["llmproxy.version"], 3)
        self.assertNotIn("llmproxy.none", log.attributes)
