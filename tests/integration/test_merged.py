"""Streams of a real server, llama.cpp's, merged: they are what it answers to a plain call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

ASK = [{"role": "user", "content": "hello there"}]
ALIKE = {"temperature": 0, "seed": 1, "cache_prompt": False}

CALLS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "chat": (
        "/v1/chat/completions",
        {"messages": ASK, "max_tokens": 6},
        {"stream_options": {"include_usage": True}},
    ),
    "log probabilities": (
        "/v1/chat/completions",
        {"messages": ASK, "max_tokens": 5, "logprobs": True, "top_logprobs": 2},
        {"stream_options": {"include_usage": True}},
    ),
    "completions": (
        "/v1/completions",
        {"prompt": "hello", "max_tokens": 4},
        {"stream_options": {"include_usage": True}},
    ),
    "its own": ("/completion", {"prompt": "hello", "n_predict": 4}, {}),
    "responses": ("/v1/responses", {"input": "hello", "max_output_tokens": 5}, {}),
    "messages": ("/v1/messages", {"messages": ASK, "max_tokens": 5}, {}),
}
"""In every dialect that it speaks: what is asked, and what is asked besides for a stream."""

OTHERWISE = frozenset({"id", "created", "created_at", "completed_at", "timings", "tokens", "generation_settings"})
"""Members that are others each time, or are in one of both alone."""


def same(value: Any) -> Any:
    """What two answers to the same question have in common."""
    if isinstance(value, dict):
        return {name: same(each) for name, each in value.items() if name not in OTHERWISE}
    return [same(each) for each in value] if isinstance(value, list) else value


class MergedTests(SynchronousTestCase):
    skip = None if find_spec("xllamacpp") else "xllamacpp is not installed"

    def setUp(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.llamaserver", os.path.abspath(self.mktemp())],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self.server.communicate)
        assert self.server.stdout is not None
        self.address = self.server.stdout.readline().strip()

    def ask(self, path: str, body: dict[str, Any]) -> tuple[bytes, bytes]:
        """The media type and the content of an answer."""
        fields = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), fields, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.headers.get_content_type().encode(), answer.read()

    def test_same(self) -> None:
        """A stream is merged into what a plain call answers, in every dialect."""
        for name, (path, body, more) in CALLS.items():
            # What it remembers of a call is counted, and is the same from the second one on.
            self.ask(path, {**body, **ALIKE})
            _, plain = self.ask(path, {**body, **ALIKE})
            media_type, stream = self.ask(path, {**body, **ALIKE, **more, "stream": True})
            self.assertEqual(media_type, b"text/event-stream", name)
            found = merged(stream, media_type)
            self.assertTrue(found.is_whole, name)
            self.assertEqual(same(found.content), same(json.loads(plain)), name)
