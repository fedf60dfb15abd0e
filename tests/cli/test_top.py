"""C{llmproxy top}, with a proxy in memory; tests/integration/test_top.py has a real one."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli import top
from llmproxy.cli.faults import Unreachable
from llmproxy.cli.http import parse_address
from llmproxy.cli.main import cli

from ..tables import row
from .test_top_screen import EXCHANGE, NUMBERS, UPSTREAM

ADDRESS = "http://127.0.0.1:8080"


def event(name: str, said: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(said)}\n\n".encode()


FEED = (
    b"retry: 5000\n\n:\n\n"
    + event("numbers", NUMBERS)
    + event("exchanges", {"total": 1, "exchanges": [EXCHANGE]})
    + event("upstreams", [UPSTREAM])
)


class Feed(io.RawIOBase):
    """An answer that gives what it has and then waits until the test ends."""

    def __init__(self, status: int, content: bytes, held: threading.Event | None) -> None:
        self.status, self.headers = status, Message()
        self._content, self._held = io.BytesIO(content), held

    def read(self, most: int = -1) -> bytes:
        return self._content.read(most)

    def readline(self, most: int | None = -1) -> bytes:
        line = self._content.readline()
        if not line and self._held is not None:
            self._held.wait(60)
        return line


class Proxy:
    def __init__(self, *answers: Feed | Exception) -> None:
        self.address = parse_address(ADDRESS)
        self.answers = list(answers)
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    @contextmanager
    def opened(
        self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None, quiet: float | None = None
    ) -> Iterator[Feed]:
        self.asked.append((path, fields))
        answer = self.answers.pop(0) if self.answers else Unreachable(f"{ADDRESS}: gone")
        if isinstance(answer, Exception):
            raise answer
        yield answer


class TopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.held = threading.Event()
        self.addCleanup(self.held.set)
        for name, value in (("LOOKED", 1.0), ("FIRST", 20.0), ("AGAIN", 0.05)):
            self.patch(top, name, value)

    def feed(self, content: bytes = FEED, status: int = 200, held: bool = True) -> Feed:
        return Feed(status, content, self.held if held else None)

    def top(self, *arguments: str, answers: tuple[Feed | Exception, ...]) -> Result:
        self.proxy = Proxy(*answers)
        env = {"MANAGEMENT_TOKEN": "management-token", "MANAGE_API_BASE_URL": ADDRESS, "TERM": "xterm"}
        return CliRunner().invoke(cli, ["top", *arguments], env=env, obj=lambda address, timeout: self.proxy)

    def test_once(self) -> None:
        """In a pipe it shows what there is and ends; one call of the API is made, with the token."""
        for arguments in ((), ("--once",)):
            with row(arguments):
                result = self.top(*arguments, answers=(self.feed(),))
                self.assertEqual(result.exit_code, 0, result.output)
                self.assertIn("running 2  streams 1", result.output)
                self.assertIn("POST /v1/chat/completions", result.output)
                self.assertNotIn("\x1b", result.output)
                (asked,) = self.proxy.asked
                self.assertEqual(asked[0], "/manage/live?events=numbers%2Cexchanges%2Cupstreams")
                self.assertEqual(asked[1]["Authorization"], "Bearer management-token")

    def test_json(self) -> None:
        result = self.top("--once", "--json", answers=(self.feed(),))
        said = json.loads(result.stdout)
        self.assertEqual((said["numbers"], said["running"], said["upstreams"]), (NUMBERS, 1, [UPSTREAM]))
        self.assertIsNone(said["error"])

    def test_refused(self) -> None:
        """Another role, or a token that is none: the proxy's words, and the status of a refusal."""
        body = json.dumps({"error": "Forbidden", "description": "this takes another role"}).encode()
        for status, code in ((403, 4), (401, 4), (404, 3)):
            result = self.top("--once", answers=(self.feed(body, status, False),))
            with row(status):
                self.assertEqual(result.exit_code, code, result.output)
                self.assertIn("Forbidden: this takes another role", result.output)

    def test_away(self) -> None:
        """A proxy that was never there is an error; one that goes away is asked again."""
        result = self.top("--once", answers=())
        self.assertEqual(result.exit_code, 5)
        self.assertIn("gone", result.output)
        self.patch(top, "LOOKED", 3.0)
        changed = event("numbers", {**NUMBERS, "in_flight": 77})
        result = self.top("--once", answers=(self.feed(held=False), Unreachable("away"), self.feed(changed)))
        self.assertIn("running 77", result.output)

    def test_silent(self) -> None:
        """One that says nothing is not waited for for ever."""
        self.patch(top, "FIRST", 0.1)
        result = self.top("--once", answers=(self.feed(b"retry: 5000\n\n"),))
        self.assertEqual(result.exit_code, 5)
        self.assertIn("it says nothing", result.output)

    def test_events(self) -> None:
        """As the standard has them: other fields, comments, several lines, ends of lines, nonsense."""
        text = (
            b"\xef\xbb\xbf: hello\r\n\r\nid: 4\r\nevent: a\r\ndata: [1,\r\ndata:2]\r\n\r\n"
            b"event: b\ndata: no json\n\ndata: 3\n\nevent: c\n\nevent: d\ndata: 4"
        )
        answer: Any = self.feed(text, held=False)
        self.assertEqual(list(top.events(answer)), [("a", [1, 2]), ("", 3)])
