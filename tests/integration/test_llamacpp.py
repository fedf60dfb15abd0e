"""A real server, llama.cpp's, behind the proxy: the sums of what it counts itself equal the proxy's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.model import MeterConfig
from llmproxy.service import ProxyService

from .harness import ProxyTestCase

ASK = [{"role": "user", "content": "hello there"}]
STREAMED = {"stream": True}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": ASK, "max_tokens": 5}),
    # Tells its timings, and no usage.
    ("/v1/chat/completions", {"messages": ASK, "max_tokens": 6, **STREAMED}),
    ("/v1/chat/completions", {"messages": ASK, "max_tokens": 7, **USAGE}),
    ("/v1/completions", {"prompt": "hello", "max_tokens": 4}),
    ("/v1/completions", {"prompt": "hello you", "max_tokens": 3, **STREAMED}),
    ("/v1/responses", {"input": "hello", "max_output_tokens": 5}),
    ("/v1/responses", {"input": "hello there", "max_output_tokens": 4, **STREAMED}),
    ("/v1/messages", {"messages": ASK, "max_tokens": 5}),
    ("/v1/messages", {"messages": [*ASK, *ASK], "max_tokens": 8, **STREAMED}),
    ("/completion", {"prompt": "hello", "n_predict": 4}),
    ("/completion", {"prompt": "a long prompt that is not cached", "n_predict": 5, **STREAMED}),
]
"""What is asked, in every dialect that it speaks."""

FREE = [("/v1/messages/count_tokens", {"messages": ASK}), ("/tokenize", {"content": "hello"})]


class LlamaCppTests(ProxyTestCase):
    timeout = 60
    include_usage: Any = "keep"

    async def start_proxy(self, base_url: str) -> ProxyService:
        command = [sys.executable, "-m", "tests.integration.llamaserver", os.path.abspath(self.mktemp())]
        self._server = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self._end)
        assert self._server.stdout is not None
        self.address = (await deferToThread(self._server.stdout.readline)).strip()
        self.assertTrue(self.address.startswith("http://127.0.0.1:"), self.address)
        return await super().start_proxy(self.address)

    def _end(self) -> None:
        self._server.communicate()

    def config(self, base_url: str) -> APIConfig:
        api = APIProviderConfig(
            base_url=base_url,
            allowed_endpoints=["/v1", "/completion", "/tokenize"],
            allowed_methods=["GET", "POST"],
            meter=MeterConfig(include_usage=self.include_usage),
        )
        return APIConfig({"llamacpp": api}, "llamacpp")

    def ask(self, path: str, body: dict[str, Any]) -> bytes:
        """One call, through the proxy."""
        fields = {"Content-Type": "application/json", "Authorization": f"Bearer {self.secret}"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), fields, method="POST"
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            content: bytes = answer.read()
        return content

    def counted(self) -> dict[str, int]:
        """What the server has counted itself."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        return {name: int(value) for name, value in re.findall(r"^llamacpp:(\w+_total) (\d+)$", text, re.MULTILINE)}

    async def ask_all(self) -> None:
        for path, body in [*CALLS, *FREE]:
            self.assertTrue(await deferToThread(self.ask, path, body), path)
        for _ in range(100):
            if len(self.records) == len(CALLS) + len(FREE):
                break
            await deferLater(reactor, 0.02)

    async def test_sums(self) -> None:
        """Of every call is known what it used, and together it is what the server says."""
        await self.ask_all()
        used = [record.usage for record in self.records if record.usage is not None]
        self.assertEqual((len(used), len(self.records)), (len(CALLS), len(CALLS) + len(FREE)))
        server = await deferToThread(self.counted)
        self.assertEqual(sum(each.output_tokens or 0 for each in used), server["tokens_predicted_total"])
        put_in = server["prompt_tokens_total"] + server["prompt_tokens_cached_total"]
        self.assertEqual(sum(each.input_tokens or 0 for each in used), put_in)
        cached = sum(each.cached_input_tokens or 0 for each in used)
        self.assertEqual(cached, server["prompt_tokens_cached_total"])
        unnamed = [record.path for record in self.records if record.usage and not record.usage.served_model]
        self.assertEqual(unnamed, [])

    if find_spec("xllamacpp") is None:
        skip = "llama.cpp's server is not installed: pip install xllamacpp"


class InjectedTests(LlamaCppTests):
    """The same where the usage of streams is asked for."""

    include_usage = "inject"

    async def test_taken_out(self) -> None:
        """The client of a stream gets no usage that it did not ask for, and the rest is a stream as it was."""
        content = await deferToThread(self.ask, *CALLS[1])
        self.assertNotIn(b'"usage":{', content)
        self.assertTrue(content.endswith(b"data: [DONE]\n\n"), content[-200:])
        self.assertIn(b'"usage":{', await deferToThread(self.ask, *CALLS[2]))
