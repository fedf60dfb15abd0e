"""Events of what is no exchange."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.record import AuditRecord
from llmproxy.core.circuits import CircuitState
from llmproxy.core.events.notices import (
    event_of_audit,
    event_of_budget,
    events_of_circuits,
    events_of_upstreams,
    key_of,
)
from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Crossed
from llmproxy.core.upstreamreports import UpstreamReport

NOW = 1_796_000_000.0


class NoticeTests(SynchronousTestCase):
    def test_audit(self) -> None:
        """An audit record keeps its id, and says who did what, and what came of it."""
        record = AuditRecord(
            "a-1", 1_796_000_000_000_000, "token.create", "owner", "denied", project_id="p", details={"more": 1}
        )
        made = event_of_audit(record)
        self.assertEqual((made.id, made.kind, made.project_id), ("a-1", "audit.token.create", "p"))
        self.assertEqual(made.time.timestamp(), NOW)
        self.assertEqual(made.details, {"actor": "owner", "outcome": "denied", "more": 1})

    def test_budgets(self) -> None:
        """A budget's share by its name, its amounts as people read them, and whose it is."""
        rule = Rule("cost", "project:p-1", 2 * 10**12, "max_budget of the project 'x'", "1mo", soft=10**12)
        for share, kind in (
            (0, "budget.soft"),
            (50, "budget.warning"),
            (80, "budget.warning"),
            (100, "budget.exhausted"),
        ):
            made = event_of_budget(Crossed(rule, share, 10**12), NOW)
            self.assertEqual((made.kind, made.project_id, made.token_id), (kind, "p-1", ""), share)
            assert made.details is not None
            self.assertEqual((made.details["share"], made.details["window"]), (share, "1mo"), share)
            self.assertIn("2", made.details["limit"], share)

    def test_upstreams(self) -> None:
        """What happens to an upstream between two looks, also where it was out and in again meanwhile."""
        well = UpstreamReport("a", "east")
        for changes, back, kinds in (
            ({}, {}, []),
            ({"ejected": 1, "ejections": 1}, {}, ["upstream.ejected"]),
            ({"unwell": 1}, {}, ["upstream.unwell"]),
            ({"drained": True}, {}, ["upstream.drained"]),
            ({"ejections": 1}, {}, ["upstream.ejected", "upstream.recovered"]),
            ({}, {"ejected": 1}, ["upstream.recovered"]),
            ({}, {"drained": True}, ["upstream.undrained"]),
        ):
            before = {("a", "east"): evolve(well, **back)}
            found = events_of_upstreams(before, [evolve(well, **changes)], NOW)
            self.assertEqual([each.kind for each in found], kinds, (changes, back))
        self.assertEqual(events_of_upstreams({}, [evolve(well, ejected=1)], NOW), [])

    def test_circuits(self) -> None:
        """A circuit that opened, and one that closed."""
        state = CircuitState("a", "p", "gpt", "open", 5, "it was reset", 30.0, 1)
        [opened] = events_of_circuits({}, [state], NOW)
        self.assertEqual(
            (opened.kind, opened.api, opened.project_id, opened.model), ("upstream.circuit_open", "a", "p", "gpt")
        )
        self.assertEqual(opened.details, {"failures": 5, "reason": "it was reset", "retry_after": 30.0})
        before: dict[Any, Any] = {key_of(state): state}
        self.assertEqual(events_of_circuits(before, [state], NOW), [])
        [closed] = events_of_circuits(before, [evolve(state, state="closed")], NOW)
        self.assertEqual(closed.kind, "upstream.circuit_closed")
