"""The management API as commands see it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import Message
from typing import Any

import click
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import Fault
from llmproxy.cli.http import Answer
from llmproxy.cli.management import Management, segment

from ..tables import row


class Scripted:
    """Answers what the test says, and remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str], bytes | None]] = []

    def ask(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
        self.asked.append((method, path, dict(fields), body))
        return self.answers.pop(0)


def answer(status: int = 200, body: Any = None, **fields: str) -> Answer:
    message = Message()
    for name, value in fields.items():
        message[name] = value
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Answer(status, message, content)  # type: ignore[arg-type]


def asked(*answers: Answer) -> tuple[Management, Scripted]:
    http = Scripted(*answers)
    return Management(http, "m-token"), http  # type: ignore[arg-type]


class ManagementTests(SynchronousTestCase):
    def test_requests(self) -> None:
        """The token goes in Authorization, a body as JSON, and parameters that were not given nowhere."""
        api, http = asked(answer(200, [1]), answer(201, {"id": "x"}), answer(204))
        self.assertEqual(api.get("/tokens", projectId="a b&c", limit=None), [1])
        self.assertEqual(api.post("/tokens", {"n": "ü"}, idempotency_key="k"), {"id": "x"})
        self.assertIsNone(api.delete("/tokens/x"))
        self.assertEqual(http.asked[0][:2], ("GET", "/manage/tokens?projectId=a+b%26c"))
        self.assertEqual(http.asked[1][3], b'{"n": "\\u00fc"}')
        self.assertEqual(http.asked[1][2]["idempotency-key"], "k")
        self.assertTrue(all(each[2]["Authorization"] == "Bearer m-token" for each in http.asked))

    def test_refusals(self) -> None:
        """The server's own sentence is what the user sees, whichever shape it has; never its control characters."""
        for body, words in (
            ({"error": "token not found", "code": "not_found"}, "token not found"),
            ({"error": "invalid name", "description": "expected 1 to 255"}, "invalid name: expected 1 to 255"),
            ({"type": "x", "title": "Not Found", "detail": "token not found"}, "Not Found: token not found"),
            ({"error": {"message": "no such key", "type": "x"}}, "no such key"),
            ({"error": "a\x1b[2Jb"}, "a\\x1b[2Jb"),
            ({}, "status 404"),
            (b"404 page not found", "the server answered with status 404"),
            ([1], "the server answered with status 404"),
        ):
            api, _ = asked(answer(404, body))
            with row(body):
                error = self.assertRaises(Fault, api.get, "/tokens/x")
            self.assertEqual((error.message, error.exit_code), (words, 3), (body, words))

    def test_redirect(self) -> None:
        """A token is not sent on to where some answer points."""
        api, http = asked(answer(302, None, Location="http://elsewhere.example/"))
        self.assertRaises(Fault, api.get, "/tokens")
        self.assertEqual(len(http.asked), 1)

    def test_no_json(self) -> None:
        """An address of something else is told as that, not as a traceback."""
        api, _ = asked(answer(200, b"<html>"))
        self.assertIn("is this the address", self.assertRaises(Fault, api.get, "/tokens").message)

    def test_pages(self) -> None:
        """A long list is read to its end."""
        link = '</manage/x>; rel="first", </manage/tokens?limit=2&cursor=c%2F1>; rel="next"'
        api, http = asked(answer(200, [1, 2], Link=link), answer(200, [3]))
        self.assertEqual(list(api.pages("/tokens", limit=2, projectId=None)), [[1, 2], [3]])
        self.assertEqual(http.asked[0][1], "/manage/tokens?limit=2")
        self.assertEqual(http.asked[1][1], "/manage/tokens?limit=2&cursor=c%2F1")

    def test_segment(self) -> None:
        """An id stays one segment of a path."""
        self.assertEqual(segment("a/b?c"), "a%2Fb%3Fc")
        for text in ("", ".", ".."):
            with row(text):
                self.assertRaises(click.UsageError, segment, text)
