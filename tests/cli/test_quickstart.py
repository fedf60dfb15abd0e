"""What C{llmproxy quickstart} prints and serves; tests/integration/test_start.py starts it."""

from __future__ import annotations

import ast
import json
import shlex

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.quickstart import _apis, _endpoint, _with_advice, instructions
from llmproxy.errors import ConfigError

SECRET = "sk-ISdW_WmPWqHUsNdeZrRM1A"


class InstructionsTests(SynchronousTestCase):
    def parts(self, real: bool) -> tuple[str, str]:
        """The curl line and the example for the SDK."""
        told = instructions("http://127.0.0.1:8080", SECRET, "http://127.0.0.1:9", "./data", real)
        curl = told.partition("With curl:\n\n")[2].partition("\n\nWith")[0]
        return curl, told.partition("openai):\n\n")[2].partition("\n\nManagement")[0]

    def test_curl(self) -> None:
        """The line can be pasted: a shell takes it apart as it is meant, and the body is JSON."""
        words = shlex.split(self.parts(real=False)[0].replace("\\\n", " "))
        self.assertEqual(words[:3], ["curl", "-N", "http://127.0.0.1:8080/v1/chat/completions"])
        self.assertIn(f"Authorization: Bearer {SECRET}", words)
        body = json.loads(words[words.index("-d") + 1])
        self.assertEqual((body["model"], body["stream"]), ("demo", True))

    def test_sdk(self) -> None:
        """The example is Python of five lines, with the address and the token in it."""
        example = self.parts(real=True)[1]
        ast.parse(example)
        self.assertEqual(len([line for line in example.splitlines() if line]), 5)
        self.assertIn('base_url="http://127.0.0.1:8080/v1"', example)
        self.assertIn(SECRET, example)
        self.assertIn('model="gpt-4o-mini"', example)

    def test_key_of_openai_is_not_told(self) -> None:
        """What goes to the terminal is the withering token; where the real key goes is the project's matter."""
        told = instructions("http://127.0.0.1:8080", SECRET, "https://api.openai.com", "./data", True)
        self.assertIn("https://api.openai.com", told)
        self.assertNotIn("demo", told)


class QuickstartTests(SynchronousTestCase):
    def test_real(self) -> None:
        """With a key of OpenAI's that is the only API, since a project has one key."""
        config = _apis("https://api.openai.com", demo=False)
        self.assertEqual((list(config.apis), config.default_api), (["openai"], "openai"))

    def test_demo(self) -> None:
        """Without one the demo answers in Anthropic's shape too, with the key where Anthropic's SDK puts it."""
        config = _apis("http://127.0.0.1:9", demo=True)
        self.assertEqual(list(config.apis), ["openai", "anthropic"])
        self.assertEqual(config.apis["anthropic"].auth.name, b"x-api-key")
        config.validate()

    def test_addresses(self) -> None:
        """An IPv6 address gets its brackets; what is no address is an error that names the option."""
        self.assertEqual(_endpoint("::1", 8080), "tcp6:8080:interface=\\:\\:1")
        self.assertEqual(_endpoint("127.0.0.1", 0), "tcp:0:interface=127.0.0.1")
        self.assertIn("--host: ", str(self.assertRaises(ConfigError, _endpoint, "example.com", 1)))

    def test_a_port_in_use(self) -> None:
        """Who cannot have a port is told how to ask for another; other errors stay as they are."""
        told = _with_advice(ConfigError("tcp:8080: cannot listen: in use"), 8080)
        self.assertIn("llmproxy quickstart --port 8081", told.problems[-1])
        self.assertEqual(_with_advice(ConfigError("else"), 8080).problems, ("else",))
