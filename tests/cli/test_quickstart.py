"""What C{llmproxy quickstart} prints and serves; tests/integration/test_start.py starts it."""

from __future__ import annotations

import ast
import json
import os
import shlex
from contextlib import redirect_stderr
from io import StringIO
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.cli.datadirectory import DataDirectory
from llmproxy.cli.quickstart import (
    DAYS,
    FirstAnswer,
    Quickstart,
    _with_advice,
    instructions,
    usage_command,
)
from llmproxy.errors import ConfigError
from llmproxy.interfaces import IRecordSink
from llmproxy.management.projects import ProjectRules, ProjectUpdate
from llmproxy.management.state import KnownApis, State
from llmproxy.management.tokens import TokenRules
from llmproxy.message import Principal
from llmproxy.record import Record
from llmproxy.store.directory import Directory

from ..store.databases import clock_at, opened
from ..tables import row
from .test_output import printed

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
        """The example is Python of six lines, with the address and the token in it; it asks what was used."""
        example = self.parts(real=True)[1]
        ast.parse(example)
        self.assertEqual(len([line for line in example.splitlines() if line]), 6)
        self.assertIn('"include_usage": True', example)
        self.assertIn('base_url="http://127.0.0.1:8080/v1"', example)
        self.assertIn(SECRET, example)
        self.assertIn('model="gpt-4o-mini"', example)

    def test_key_of_openai_is_not_told(self) -> None:
        """What goes to the terminal is the withering token; where the real key goes is the project's matter."""
        told = instructions("http://127.0.0.1:8080", SECRET, "https://api.openai.com", "./data", True)
        self.assertIn("https://api.openai.com", told)
        self.assertNotIn("demo", told)

    def test_usage(self) -> None:
        """Where usage is shown is said at the start, and once more when the first request has been answered."""
        for data, said in (("./llmproxy-data", "llmproxy usage"), ("/tmp/a b", "llmproxy usage --data '/tmp/a b'")):
            with row(self, data):
                told = instructions("http://127.0.0.1:8080", SECRET, "https://api.openai.com", data, True)
                self.assertIn(f"answered: {said}\n", told)
                self.assertEqual(usage_command(data), said)
                sink = FirstAnswer(data)
                verifyObject(IRecordSink, sink)
                refused = Record("r", "GET", "/v1", "", 0.0, token_id="t", status=429)
                unknown = Record("r", "GET", "/v1", "", 0.0, status=200)
                answered = Record("r", "POST", "/v1", "", 0.0, token_id="t", status=200)
                self.assertEqual(printed(lambda sink=sink: sink.record_batch([refused, unknown])), "")
                self.assertIn(f": {said}\n", printed(lambda sink=sink: sink.record_batch([refused, answered])))
                self.assertEqual(printed(lambda sink=sink: sink.record_batch([answered])), "")

    def test_a_port_in_use(self) -> None:
        """Who cannot have a port is told how to ask for another; other errors stay as they are."""
        told = _with_advice(ConfigError("tcp:8080: cannot listen: in use"), 8080)
        self.assertIn("llmproxy quickstart --port 8081", told.problems[-1])
        self.assertEqual(_with_advice(ConfigError("else"), 8080).problems, ("else",))


class TokenTests(SynchronousTestCase):
    """The first project and its token, over several starts."""

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.data = DataDirectory(self.mktemp())
        self.data.make()
        self.state = State(self.clock.seconds, self.database.projects, self.database.tokens)

    def started(self, key: str = "sk-one") -> Principal:
        """What the token that is given out opens."""
        table = SimpleNamespace(apis=[SimpleNamespace(name="openai")])
        names = {"apis": ["openai"], "listed": ["openai"], "default_api": "openai"}
        generations = SimpleNamespace(current=SimpleNamespace(table=table), **names)
        foundation = SimpleNamespace(management=self.state)
        service: Any = SimpleNamespace(proxy=SimpleNamespace(foundation=foundation, generations=generations))
        starting = Quickstart(self.clock, self.data, "127.0.0.1", 0, key)
        secret = self.successResultOf(Deferred.fromCoroutine(starting._token(service, key)))
        directory = Directory(self.clock, self.database.tokens, self.database.projects)
        principal: Principal = self.successResultOf(directory.load(secret.encode()))
        return principal

    def test_kept(self) -> None:
        """The next start goes on with the same token, and with the key that is set then."""
        first, second = self.started(), self.started("sk-two")
        self.assertEqual((first.project.name, first.project.api_keys), ("quickstart", {"openai": ("sk-one",)}))
        self.assertEqual((second.token.id, second.project.api_keys), (first.token.id, {"openai": ("sk-two",)}))
        self.assertEqual(self.started("sk-two").project.version, second.project.version)

    def test_over(self) -> None:
        """In the place of a token that has ended, by itself or by somebody, there is another of the same project."""
        first = self.started()
        self.clock.advance(DAYS * 86_400)
        second = self.started()
        self.successResultOf(Deferred.fromCoroutine(TokenRules(self.state).revoke(second.token.id)))
        third = self.started()
        self.assertEqual(len({each.token.id for each in (first, second, third)}), 3)
        self.assertEqual({each.project.id for each in (second, third)}, {first.project.id})
        self.assertTrue(third.token.is_active)

    def test_lost(self) -> None:
        """Without the file of the token there is another one of the project that there is."""
        first = self.started()
        os.unlink(self.data.file("token"))
        self.assertEqual(self.started().project.id, first.project.id)

    def test_key_that_is_shown(self) -> None:
        """A key as it is shown somewhere is refused before anything is made."""
        directory = self.mktemp()
        starting = Quickstart(self.clock, DataDirectory(directory), "127.0.0.1", 0, "sk-canary...wxyz")
        failure = self.failureResultOf(Deferred.fromCoroutine(starting.start()), ConfigError)
        self.assertIn("OPENAI_API_KEY: ", str(failure.value))
        self.assertNotIn("canary", str(failure.value))
        self.assertFalse(os.path.exists(directory))

    def test_project_that_is_not_active(self) -> None:
        """The proxy starts, so that the project can be activated; what is wrong is said, and nothing is issued."""
        first = self.started()
        rules = ProjectRules(self.state, KnownApis(("openai",), "openai"))
        changing = rules.change(first.project.id, ProjectUpdate(is_active=False, revoke_tokens=True))
        self.successResultOf(Deferred.fromCoroutine(changing))
        said = StringIO()
        with redirect_stderr(said):
            self.assertRaises(self.failureException, self.started)
        self.assertIn("llmproxy project activate quickstart", said.getvalue())
        self.assertEqual(len(self.successResultOf(self.database.tokens.list())), 1)
