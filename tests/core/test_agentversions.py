"""Tests for L{llmproxy.core.agentversions}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentversions import Changed, changed, version_of, versions_of


class VersionTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """Of what is the same they are the same; of two entries for the same groups the first one holds."""
        found = versions_of([(["a", "b"], "{}"), (["*"], '{"x":1}'), (["a", "b"], '{"y":1}')])
        self.assertEqual(found, {"a, b": version_of("{}"), "*": version_of('{"x":1}')})
        self.assertNotEqual(found["a, b"], found["*"])

    def test_changed(self) -> None:
        """What is new, what is gone, and what is another."""
        self.assertEqual(
            changed({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}),
            [Changed("b", "1", "2"), Changed("c", "1", ""), Changed("d", "", "1")],
        )
        self.assertEqual(changed({"a": "1"}, {"a": "1"}), [])
