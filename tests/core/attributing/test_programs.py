"""Tests for L{llmproxy.core.attributing.programs}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.attributing.programs import PROGRAMS, program_of
from tests.tables import row

SEEN = (
    ("claude-cli/2.1.197 (external, cli)", "claude-code"),
    ("codex_cli_rs/0.171.0 (Debian 12.0.0; x86_64) xterm", "codex"),
    ("codex_exec/0.171.0", "codex"),
    ("GeminiCLI/0.1.13/gemini-2.5-pro (linux; x64)", "gemini-cli"),
    ("OpenAI/Python 2.8.1", "openai-python"),
    ("AsyncOpenAI/Python 2.8.1", "openai-python"),
    ("OpenAI/JS 5.0.1", "openai-node"),
    ("Anthropic/Python 0.70.0", "anthropic-python"),
    ("google-genai-sdk/1.52.0 gl-python/3.11.7", "google-genai"),
    ("curl/8.5.0", "curl"),
    ("python-httpx/0.28.1", "python-httpx"),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "browser"),
    ("ai/5.0.1 ai-sdk/openai/2.0.0", "vercel-ai"),
    ("Go-http-client/2.0", "go"),
    ("search-backend/7", "other"),
    ("x", "other"),
    ("", ""),
    ("   ", ""),
    ("/1.0", ""),
)


class ProgramTests(SynchronousTestCase):
    def test_seen(self) -> None:
        """Programs and SDKs as they call themselves, without their version."""
        for user_agent, expected in SEEN:
            with row(user_agent):
                self.assertEqual(program_of(user_agent), expected)

    def test_own(self) -> None:
        """A program of one's own is known by its product."""
        self.assertEqual(program_of("Search-Backend/7 (x)", {"search-backend"}), "search-backend")

    @settings(deadline=None)
    @given(st.text(max_size=100))
    def test_few(self, user_agent: str) -> None:
        """Whatever comes, there are few names."""
        self.assertIn(program_of(user_agent), PROGRAMS | {""})
