"""Tests for L{llmproxy.bench.asking}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.asking import address, chat, field_of, streamed, token_of, with_token

from ..tables import row

ADDRESSES = [
    ("http://h", None, "http://h/v1/chat/completions"),
    ("http://h/", None, "http://h/v1/chat/completions"),
    ("http://h:9/v1/messages", None, "http://h:9/v1/messages"),
    ("https://h/openai", "/v1/x", "https://h/openai/v1/x"),
    ("https://h/openai/", "/v1/x", "https://h/openai/v1/x"),
    ("http://h?key=1", None, "http://h/v1/chat/completions?key=1"),
    ("http://[::1]:8080", "/", "http://[::1]:8080/"),
]

WRONG = [
    "h:8080",
    "ftp://h",
    "http://",
    "http://user:pass@h",
    "http://h/#x",
    "http://h/a b",
    "http://h:99999/",
    "http://h:0/",
    "http://h/\r\nX: y",
    "http://h/ü",
]


class AddressTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A URL without a path asks for chat completions; a path that is said is added to what the URL has."""
        for url, path, whole in ADDRESSES:
            self.assertEqual(address(url, path), whole, (url, path, whole))

    def test_wrong(self) -> None:
        """What cannot be asked, or would hold a secret, is refused before anything starts."""
        for url in WRONG:
            with row(url):
                self.assertRaises(ValueError, address, url)

    def test_no_secret_in_the_message(self) -> None:
        """A refused URL is told without its query and without its password."""
        for url in ("ftp://h?key=s3cret", "http://user:s3cret@h"):
            with row(url):
                error = self.assertRaises(ValueError, address, url)
            self.assertNotIn("s3cret", str(error))


class FieldTests(SynchronousTestCase):
    def test_field(self) -> None:
        """A field is a name and a value."""
        self.assertEqual(field_of("X-A:  b: c "), ("X-A", "b: c"))
        self.assertEqual(field_of("X-A:"), ("X-A", ""))

    def test_wrong(self) -> None:
        """Neither a broken field nor one that decides on the framing."""
        for line in ("", "x", "a b: c", ": c", "A: b\r\nC: d", "Host: x", "content-length: 3", "A: \u20ac"):
            with row(line):
                self.assertRaises(ValueError, field_of, line)

    def test_no_secret_in_the_message(self) -> None:
        """A refused field does not show its value, which may be a token."""
        error = self.assertRaises(ValueError, field_of, "x api key: s3cret")
        self.assertNotIn("s3cret", str(error))

    def test_token(self) -> None:
        """It is sent as Bearer, or where a field has a place for it; without one no such field is sent."""
        self.assertEqual(with_token([("A", "b")], "t"), (("A", "b"), ("Authorization", "Bearer t")))
        self.assertEqual(with_token([("x-api-key", "{token}")], "t"), (("x-api-key", "t"),))
        self.assertEqual(with_token([("x-api-key", "{token}"), ("A", "b")], None), (("A", "b"),))

    def test_token_of_a_file(self) -> None:
        """The line end of a file is none of the token; more than one word is none."""
        self.assertEqual(token_of(" sk-x\n"), "sk-x")
        for text in ("", "\n", "two words", "sk\x00", "sk-\u20ac"):
            with row(text):
                error = self.assertRaises(ValueError, token_of, text)
            self.assertNotIn("words", str(error))


class BodyTests(SynchronousTestCase):
    def test_stream(self) -> None:
        """The same request, asking for a stream."""
        asked = streamed(chat("m"))
        assert asked is not None
        self.assertEqual(json.loads(asked), {**json.loads(chat("m")), "stream": True})

    def test_not_json(self) -> None:
        """Other bodies cannot be made to ask for one."""
        for body in (b"", b"[]", b"x", b"\xff"):
            self.assertIsNone(streamed(body), body)
