"""Single values."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import rules
from llmproxy.origin import CredentialPlace, Origin

from ..properties import examples
from ..tables import row


class BaseUrlTests(SynchronousTestCase):
    def test_origins(self) -> None:
        """Requests go to the host and port that are written, below the path that is written."""
        table = {
            "https://api.openai.com": (Origin("https", "api.openai.com", 443, b"api.openai.com"), b""),
            "https://API.openai.com/": (Origin("https", "api.openai.com", 443, b"api.openai.com"), b""),
            "https://api.groq.com/openai/": (Origin("https", "api.groq.com", 443, b"api.groq.com"), b"/openai"),
            "http://vllm:8000/v1": (Origin("http", "vllm", 8000, b"vllm:8000"), b"/v1"),
            "http://[::1]:81": (Origin("http", "::1", 81, b"[::1]:81"), b""),
            "https://h:443/a%2Fb": (Origin("https", "h", 443, b"h"), b"/a%2Fb"),
        }
        for text, expected in table.items():
            self.assertEqual(rules.base_url(text), expected, text)

    def test_refused(self) -> None:
        """What is no address of an API is told when the file is read, not at the first request."""
        for text in (
            "api.openai.com",
            "ftp://host",
            "https://",
            "https:///v1",
            "https://host:0",
            "https://host:99999",
            "https://host:port",
            "https://host:",
            "https://host/a b",
            "https://host/a\n",
            "https://höst",
            "https://host/%zz",
            "https://host/<v1>",
            "https://-host",
            "https://[::1",
        ):
            with row(text):
                self.assertRaises(ValueError, rules.base_url, text)

    def test_no_secret_in_the_sentence(self) -> None:
        """A key that was written into the address is refused and not repeated."""
        for text in ("https://user:s3cret@host", "https://host/v1?key=s3cret", "https://host/#s3cret"):
            with row(text):
                error = self.assertRaises(ValueError, rules.base_url, text)
            self.assertNotIn("s3cret", str(error))

    @given(st.text(max_size=40))
    @settings(max_examples=examples(100), deadline=None)
    def test_no_other_exception(self, text: str) -> None:
        """Whatever stands there, the answer is an address or a sentence."""
        try:
            rules.base_url(text)
        except ValueError as error:
            self.assertTrue(str(error))


class NameTests(SynchronousTestCase):
    def test_names_are_segments(self) -> None:
        """An API is served at /<name>/, so its name is one segment and not one of the proxy's own."""
        self.assertEqual(rules.api_name("open-ai_v1.2", frozenset()), "open-ai_v1.2")
        for text in ("", "a/b", "..", ".hidden", "a b", "ä", "a?", "x" * 65):
            with row(text):
                self.assertRaises(ValueError, rules.api_name, text, frozenset())
        error = self.assertRaises(ValueError, rules.api_name, "manage", frozenset({"manage", "live"}))
        self.assertIn("reserved: live, manage", str(error))


class PolicyValueTests(SynchronousTestCase):
    def test_accepted(self) -> None:
        """Everything that the reference's files have is accepted."""
        self.assertEqual(rules.method("get"), "GET")
        self.assertEqual(rules.header_name("X-Team"), "X-Team")
        for path in ("/v1/chat/completions", "/v1/models/gemini-pro:generateContent", "/v1/files/*/content"):
            self.assertEqual(rules.endpoint(path), path, path)
        for origin in ("https://www.example.com", "http://localhost:4000", "*", "null"):
            self.assertEqual(rules.allowed_origin(origin), origin, origin)

    def test_refused(self) -> None:
        """An entry that could never match is an error."""
        for text in ("", "v1", "https://host/v1", "/v1?x=1", "/v1 ", "/v1#a"):
            with row(text):
                self.assertRaises(ValueError, rules.endpoint, text)
        for text in ("TRACE", "track", "Connect"):
            with row(text):
                self.assertRaises(ValueError, rules.method, text)
        for text in ("", "GE T", "GET,POST", "GÉT"):
            with row(text):
                self.assertRaises(ValueError, rules.method, text)
            with row(text):
                self.assertRaises(ValueError, rules.header_name, text)
        for text in ("", "example.com", "https://example.com/", "https://u@example.com", "https://a b", "https://h:x"):
            with row(text):
                self.assertRaises(ValueError, rules.allowed_origin, text)
        self.assertRaises(ValueError, rules.dialect, "klingon")
        self.assertRaises(ValueError, rules.forwarded_fields, "yes")


class AuthTests(SynchronousTestCase):
    def test_short_names(self) -> None:
        """The well-known places have a word each."""
        self.assertEqual(rules.auth("bearer"), CredentialPlace("header", b"Authorization", b"Bearer "))
        self.assertEqual(rules.auth("x-goog-api-key"), CredentialPlace("header", b"x-goog-api-key", b""))
        self.assertRaises(ValueError, rules.auth, "Bearer sk-s3cret")

    def test_places(self) -> None:
        """Any field or query parameter can hold the key."""
        self.assertEqual(
            rules.credential_place("X-Key", None, "Token "), CredentialPlace("header", b"X-Key", b"Token ")
        )
        self.assertEqual(rules.credential_place(None, "key", None), CredentialPlace("query", b"key", b""))

    def test_refused(self) -> None:
        """Two places, none, or a line break in one are mistakes."""
        table = [
            (None, None, None),
            ("a", "b", None),
            ("", None, None),
            ("a b", None, None),
            (None, "k", "p"),
            ("a", None, "\r\n"),
        ]
        for header, query, prefix in table:
            with row(header):
                self.assertRaises(ValueError, rules.credential_place, header, query, prefix)
