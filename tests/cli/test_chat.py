"""C{llmproxy chat}: where it asks, with which token, and what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.http import Address
from llmproxy.cli.main import cli

from .talking import Api, Response, refusal, stream

_VARIABLES = (
    "PROXY_URL",
    "PROXY_TOKEN",
    "MODEL",
    "SYSTEM_PROMPT",
    "TEMPERATURE",
    "MAX_TOKENS",
    "USE_STREAMING",
    "VERBOSE",
)


class ChatCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.mkdir(directory := self.mktemp())
        os.chdir(directory)
        self.addresses: list[Address] = []
        self.api = Api()

    def chat(
        self,
        *arguments: str,
        answer: Response | None = None,
        input: str = "",
        command: tuple[str, ...] = ("chat",),
        **env: Any,
    ) -> Result:
        self.api = Api(answer or stream("Hel", "lo"))

        def opened(address: Address, timeout: float) -> Api:
            self.addresses.append(address)
            return self.api

        clean = dict.fromkeys(_VARIABLES) | {"PROXY_TOKEN": "sk-token"}
        return CliRunner().invoke(cli, [*command, *arguments], input=input, env=clean | env, obj=opened)

    def test_one_question(self) -> None:
        """An answer on stdout and nothing else, for pipes."""
        for result in (self.chat("hi"), self.chat(input="hi\n")):
            self.assertEqual((result.exit_code, result.stdout, result.stderr), (0, "Hello\n", ""), result)
            self.assertEqual(self.api.asked[0][2]["messages"], [{"role": "user", "content": "hi"}], result)
        self.assertEqual(self.chat(input=" ").exit_code, 2)

    def test_refused(self) -> None:
        """A refusal is on stderr, and the status says which kind."""
        result = self.chat("hi", answer=refusal(401, error="Token expired"))
        self.assertEqual((result.exit_code, result.stdout, result.stderr), (4, "", "Error: Token expired\n"))

    def test_variables_of_the_reference(self) -> None:
        """The reference's variables and flags mean what they meant there, under its name too."""
        env = {"PROXY_URL": "http://127.0.0.1:9", "MODEL": "m", "SYSTEM_PROMPT": "s", "TEMPERATURE": "0.2"}
        self.chat("hi", command=("openai", "chat"), MAX_TOKENS="7", USE_STREAMING="false", **env)
        body = self.api.asked[0][2]
        self.assertEqual((body["model"], body["temperature"], body["max_tokens"], body["stream"]), ("m", 0.2, 7, False))
        self.assertEqual((body["messages"][0]["content"], self.addresses[0].port), ("s", 9))
        self.chat("hi", "--max-tokens", "0", "--model", "n")
        self.assertEqual((self.api.asked[0][2]["model"], "max_tokens" in self.api.asked[0][2]), ("n", False))

    def test_other_apis(self) -> None:
        """Another API of the proxy, in its own shape."""
        event = b'data: {"type":"content_block_delta","delta":{"text":"Hi"}}\n\n'
        answer = Response(200, "text/event-stream", event)
        result = self.chat("hi", "--api", "anthropic", "--dialect", "anthropic", answer=answer)
        self.assertEqual((result.stdout, self.api.asked[0][0]), ("Hi\n", "/anthropic/v1/messages"))

    def test_tokens(self) -> None:
        """From a file, a variable, or what quickstart kept; as an option with a warning that does not repeat it."""
        Path("token.txt").write_text("sk-file\n")
        os.mkdir("llmproxy-data")
        Path("llmproxy-data/token").write_text("sk-kept\n")
        Path("llmproxy-data/address").write_text("http://127.0.0.1:4711\n")
        for arguments, env, token in (
            (("--token-file", "token.txt"), {}, "sk-file"),
            ((), {}, "sk-token"),
            ((), {"PROXY_TOKEN": None}, "sk-kept"),
            (("--token", "sk-canary"), {}, "sk-canary"),
        ):
            result = self.chat("hi", *arguments, **env)
            self.assertEqual(self.api.asked[0][1]["Authorization"], f"Bearer {token}", (arguments, env, token))
            self.assertNotIn("canary", result.output)
        self.assertIn("everybody on this machine", result.stderr)
        self.assertEqual(self.addresses[0].port, 4711)

    def test_no_token(self) -> None:
        """Without a token nothing is asked; one that lies about is not sent to another machine."""
        self.assertEqual(self.chat("hi", PROXY_TOKEN=None).exit_code, 2)
        os.mkdir("llmproxy-data")
        Path("llmproxy-data/token").write_text("sk-kept\n")
        self.assertEqual(self.chat("hi", "--proxy", "https://far.example", PROXY_TOKEN=None).exit_code, 2)
        self.assertEqual(self.chat("hi", "--proxy", "nope").exit_code, 2)
        self.assertEqual(self.chat("hi", PROXY_TOKEN="a\u00e9").exit_code, 1)
        self.assertEqual(self.api.asked, [])

    def test_in_clear(self) -> None:
        self.assertIn("without encryption", self.chat("hi", "--proxy", "http://far.example").stderr)
