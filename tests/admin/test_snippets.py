"""Lines to paste."""

from __future__ import annotations

import ast
import json
import shlex

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.snippets import UNKNOWN, kind_of, snippets

BOTH = (("openai", "openai"), ("claude", "anthropic"))


class SnippetTests(SynchronousTestCase):
    def test_pasted(self) -> None:
        """A shell and Python take them apart as they are meant."""
        found = {each.name: each.text for each in snippets("http://proxy:8080", "sk-secret", BOTH)}
        words = shlex.split(found["curl"].replace("\\\n", " "))
        self.assertEqual(words[:3], ["curl", "-N", "http://proxy:8080/v1/chat/completions"])
        self.assertIn("Authorization: Bearer sk-secret", words)
        json.loads(words[words.index("-d") + 1])
        ast.parse(found["Python"])
        self.assertEqual(
            found["Claude Code"].splitlines()[0], "export ANTHROPIC_BASE_URL=http://proxy:8080/claude", found
        )
        for name, text in found.items():
            self.assertEqual(text.count("sk-secret"), 1, name)

    def test_places(self) -> None:
        """The default API is at the root, others below their name; without an address something stands for it."""
        for address, apis, base in (
            ("http://x", (("a", "anthropic"), ("o", "openai")), "http://x/o/v1"),
            ("", BOTH, f"{UNKNOWN}/v1"),
            ("http://x", (), "http://x/v1"),
        ):
            found = {each.name: each.text for each in snippets(address, "sk", apis)}
            self.assertIn(f"OPENAI_BASE_URL={base}\n", found["Environment"], apis)
        self.assertNotIn("Claude Code", {each.name for each in snippets("", "sk", (("o", "openai"),))})

    def test_kinds(self) -> None:
        """An API is known by its name or its place."""
        for name, url, kind in (
            ("openai", "https://api.openai.com", "openai"),
            ("main", "https://api.anthropic.com", "anthropic"),
            ("claude", "http://127.0.0.1", "anthropic"),
            ("azure", "https://x.openai.azure.com", "openai"),
        ):
            self.assertEqual(kind_of(name, url), kind, name)
