"""Tests for L{llmproxy.core.agentversions}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentversions import Changed, changed, checksum_of, payload_of, version_of, versions_of


class VersionTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """Of what is the same they are the same; of two entries for the same groups the first one holds."""
        found = versions_of([(["a", "b"], "{}"), (["*"], '{"x":1}'), (["a", "b"], '{"y":1}')])
        self.assertEqual(found, {"a, b": version_of("{}"), "*": version_of('{"x":1}')})
        self.assertNotEqual(found["a, b"], found["*"])

    def test_checksum(self) -> None:
        """As Claude Code 2.1.197 makes it of what it has: members by their names, nothing between them."""
        content = '{"model":"opus","env":{"B":"ü","A":"1"},"permissions":{"deny":["Read(./.env)"]}}'
        # node -e "sha256(JSON.stringify({env: {A: '1', B: 'ü'}, model: 'opus', permissions: {deny: [...]}}))"
        found = "sha256:4a10f2f2db079d1758dd8eb49c5fb5ac543d7d734a605eb29fc480ba8aac8af7"
        self.assertEqual(checksum_of(content), found)
        one, other = '{"b":1,"a":{"d":[{"y":1,"x":2}],"c":3}}', '{ "a":{"c":3,"d":[{"x":2, "y":1}]},"b":1}'
        self.assertEqual(version_of(one), version_of(other))
        self.assertEqual(
            json.loads(payload_of(content)), {"uuid": found, "checksum": found, "settings": json.loads(content)}
        )
        self.assertEqual(json.loads(payload_of("{}"))["settings"], {})

    def test_changed(self) -> None:
        """What is new, what is gone, and what is another."""
        self.assertEqual(
            changed({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}),
            [Changed("b", "1", "2"), Changed("c", "1", ""), Changed("d", "", "1")],
        )
        self.assertEqual(changed({"a": "1"}, {"a": "1"}), [])
