"""Flags with values, as Go's programs take them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.goflags import rewritten
from llmproxy.cli.main import cli

CASES = [
    (["openai", "chat", "--stream=true"], ["openai", "chat", "--stream"]),
    (["openai", "chat", "--stream=false", "hi"], ["openai", "chat", "--no-stream", "hi"]),
    (["openai", "chat", "--no-stream=false"], ["openai", "chat", "--stream"]),
    (["openai", "chat", "-v=1"], ["openai", "chat", "-v"]),
    (["setup", "--interactive=false", "--skip-project=T"], ["setup", "--non-interactive", "--skip-project"]),
    (["server", "--daemon=false", "-v=true"], ["server", "--no-daemon", "-v"]),
    (["manage", "project", "list", "--json=true"], ["manage", "project", "list", "--json"]),
    (["manage", "project", "list", "--json=false"], ["manage", "project", "list"]),
    (
        ["--manage-api-base-url", "http://x", "manage", "project", "get", "--json=1", "p"],
        ["--manage-api-base-url", "http://x", "manage", "project", "get", "--json", "p"],
    ),
    # What is no flag, or no boolean, is click's to judge.
    (["openai", "chat", "--stream=perhaps"], ["openai", "chat", "--stream=perhaps"]),
    (["openai", "chat", "--model=true"], ["openai", "chat", "--model=true"]),
    (["openai", "chat", "--model", "--stream=true"], ["openai", "chat", "--model", "--stream=true"]),
    (["openai", "chat", "--", "--stream=true"], ["openai", "chat", "--", "--stream=true"]),
    (["nothing", "--stream=true"], ["nothing", "--stream=true"]),
    (["chat", "-"], ["chat", "-"]),
]


class RewrittenTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A flag with a value is the flag, its opposite, or nothing."""
        for given, expected in CASES:
            self.assertEqual(rewritten(cli, given), expected, given)
