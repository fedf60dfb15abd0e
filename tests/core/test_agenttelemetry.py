"""Tests for L{llmproxy.core.agenttelemetry}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agenttelemetry import is_batch, session_of, signed


def attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


SESSION = attribute("session.id", "s-1")
BATCHES: dict[str, dict[str, Any]] = {
    "metrics": {
        "resourceMetrics": [{"scopeMetrics": [{"metrics": [{"sum": {"dataPoints": [{"attributes": [SESSION]}]}}]}]}]
    },
    "logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [SESSION]}]}]}]},
    "traces": {"resourceSpans": [{"resource": {"attributes": [SESSION]}, "scopeSpans": []}]},
}


class SessionOfTests(SynchronousTestCase):
    def test_signals(self) -> None:
        """Wherever a batch has it, it is found."""
        for signal, batch in BATCHES.items():
            self.assertEqual(session_of(signal, batch), "s-1", signal)

    def test_none(self) -> None:
        """Whatever else somebody sends, there is none, and nothing breaks."""
        for content in (
            {},
            {"resourceLogs": [1, None, {"scopeLogs": "x"}]},
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [1, {"key": "session.id"}]}]}]}]},
        ):
            self.assertEqual(session_of("logs", content), "", content)

    def test_bounded(self) -> None:
        """A long one is cut, and one that cannot be shown is none."""

        def named(text: str) -> str:
            return session_of(
                "traces", {"resourceSpans": [{"resource": {"attributes": [attribute("session.id", text)]}}]}
            )

        self.assertEqual(named("x" * 1000), "x" * 255)
        self.assertEqual(named("a\nb"), "")


class SignedTests(SynchronousTestCase):
    def test_ours_alone(self) -> None:
        """What a client claims under our names is not believed."""
        content = {
            "resourceLogs": [{"resource": {"attributes": [attribute("llmproxy.person.id", "boss"), SESSION]}}, {}]
        }
        found = signed("logs", content, {"llmproxy.person.id": "p1", "llmproxy.project.id": ""})
        self.assertEqual(
            [each["resource"]["attributes"] for each in found["resourceLogs"]],
            [[SESSION, attribute("llmproxy.person.id", "p1")], [attribute("llmproxy.person.id", "p1")]],
        )


class IsBatchTests(SynchronousTestCase):
    def test_table(self) -> None:
        for content, expected in (({}, True), ({"resourceLogs": []}, True), ({"resourceLogs": 1}, False), ([], False)):
            self.assertEqual(is_batch("logs", content), expected, content)
