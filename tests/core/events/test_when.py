"""The filter of a sink."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.when import When

from .samples import event

CASES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({}, {"kind": "audit.project.create"}, False),
    ({"status": 200}, {}, True),
    ({"status": "200"}, {}, True),
    ({"status": 500}, {}, False),
    ({"status": [500, 200]}, {}, True),
    ({"status": [500, ">=400"]}, {"status": 404}, True),
    ({"status": ">=400"}, {"status": 400}, True),
    ({"status": ">=400"}, {"status": 399}, False),
    ({"status": " > 400 "}, {"status": 400}, False),
    ({"status": "<500"}, {"status": 400}, True),
    ({"status": "<= 400"}, {"status": 400}, True),
    ({"status": "!=200"}, {}, False),
    ({"api": "!=openai"}, {"api": "anthropic"}, True),
    ({"api": "openai"}, {}, True),
    ({"api": "open*"}, {}, True),
    ({"path": "/v1/*"}, {}, True),
    ({"path": "/v2/*"}, {}, False),
    ({"model": None}, {}, True),
    ({"model": None}, {"model": "x"}, False),
    ({"model": "4"}, {"model": "4"}, True),
    ({"streamed": True}, {"streamed": True}, True),
    ({"streamed": True}, {}, False),
    ({"streamed": "true"}, {"streamed": True}, True),
    ({"streamed": "false"}, {}, True),
    ({"cost": ">0.01"}, {"cost": "0.012"}, True),
    ({"cost": ">0.01"}, {"cost": None}, False),
    ({"cost": "<0.01"}, {"cost": None}, False),
    ({"duration_ms": ">1000"}, {"duration_ms": 1500.0}, True),
    ({"tags.team": "search"}, {"tags": {"team": "search"}}, True),
    ({"tags.team": "search"}, {}, False),
    (
        {"details.outcome": ["denied", "error"], "kind": "audit.*"},
        {"kind": "audit.x", "details": {"outcome": "denied"}},
        True,
    ),
    ({"kind": "audit.*"}, {}, False),
    ({"kind": ["exchange", "budget.*"]}, {"kind": "budget.soft"}, True),
    ({"kind": ["exchange", "budget.*"]}, {}, True),
    ({"kind": "*"}, {"kind": "config.reloaded"}, True),
    ({"status": 200, "api": "other"}, {}, False),
]


class WhenTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Each test of C{when} by itself, and all of them together."""
        for said, values, wanted in CASES:
            self.assertEqual(When(said).matches(event(**values)), wanted, (said, values))

    def test_wrong(self) -> None:
        """A field that is none, or a comparison with no number, is refused when it is configured."""
        for said, why in (
            ({"statsu": 1}, "no field 'statsu'"),
            ({"content": "x"}, "no field 'content'"),
            ({"status": ">=lots"}, "expected a number"),
            ({"status": {"a": 1}}, "expected a value"),
            ({"status": []}, "from 1 to"),
            ({"tags": "x"}, "tags.name"),
            ({"status.x": "x"}, "has none"),
        ):
            with self.assertRaisesRegex(ValueError, why, msg=str(said)):
                When(said)

    def test_sample(self) -> None:
        """A tenth is a tenth, the same one each time; alerts are never left out."""
        when = When({"kind": ["exchange", "budget.*"]}, 0.1)
        kept = [number for number in range(5000) if when.matches(event(number))]
        self.assertTrue(400 < len(kept) < 600, len(kept))
        self.assertEqual(kept, [number for number in range(5000) if When({}, 0.1).matches(event(number))])
        self.assertTrue(all(when.matches(event(number, kind="budget.soft")) for number in range(100)))
        self.assertFalse(any(When({}, 0.0).matches(event(number)) for number in range(100)))

    def test_kinds(self) -> None:
        """What no sink asks for is not even looked at."""
        for kind, asked, wanted in (
            ("exchange", "audit.*", False),
            ("audit.*", "audit.*", True),
            ("audit.project.*", "audit.*", True),
            ("audit.project.create", "audit.*", True),
            ("*", "audit.*", True),
            ("a*", "audit.*", True),
            ("budget.*", "audit.*", False),
            ("budget.*", "budget.soft", True),
            ("!=exchange", "budget.*", True),
        ):
            self.assertEqual(When({"kind": kind}).wants_kind(asked), wanted, (kind, asked))
        self.assertTrue(When().wants_all_exchanges)
        self.assertFalse(When({"status": 1}).wants_all_exchanges or When({}, 0.5).wants_all_exchanges)
