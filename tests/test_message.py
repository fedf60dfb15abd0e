"""Tests for L{llmproxy.message}."""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import ApiRequest, ApiResponse, Origin, Principal, Project, Record, Token, cache_space

PROJECT = Project("p", "search", {"a": ("sk-canary",)})
TOKEN = Token("t", "hash-canary", "sk-…", "p", None)


class MessageTests(SynchronousTestCase):
    def test_secrets_are_not_shown(self) -> None:
        """A value that ends up in a log or a traceback shows neither the upstream key nor the hash of a token."""
        for value in (PROJECT, TOKEN, Principal(TOKEN, PROJECT)):
            self.assertNotIn("canary", repr(value))

    def test_principals_are_replaced(self) -> None:
        """Whoever holds a principal holds what was true when it was made."""
        self.assertRaises(FrozenInstanceError, setattr, PROJECT, "is_active", False)
        self.assertTrue(PROJECT.is_active)
        self.assertFalse(evolve(PROJECT, is_active=False).is_active)

    def test_order_of_the_chain(self) -> None:
        """Who reads what no layer has decided yet is told at once."""
        record = Record("r", "GET", "/", "127.0.0.1", 0.0)
        request = ApiRequest(b"GET", b"/", [], None, record)
        self.assertRaises(AttributeError, lambda: request.route)
        self.assertRaises(AttributeError, lambda: request.principal)

    def test_trailers_are_of_one(self) -> None:
        """Two responses share nothing that can be changed."""
        one, other = ApiResponse(200, b"OK", []), ApiResponse(200, b"OK", [])
        one.trailers.append((b"a", b"b"))
        self.assertEqual(list(other.trailers), [])


class SpaceTests(SynchronousTestCase):
    def test_where_it_leads(self) -> None:
        """Answers are of one space only where the name, every place and every model behind a name are the same."""
        here = Origin("https", "a.example", 443, b"a.example")
        places = {
            "same": ("x", [(here, b"")], {}),
            "name": ("y", [(here, b"")], {}),
            "scheme": ("x", [(Origin("http", "a.example", 443, b"a.example:443"), b"")], {}),
            "host": ("x", [(Origin("https", "b.example", 443, b"b.example"), b"")], {}),
            "port": ("x", [(Origin("https", "a.example", 444, b"a.example:444"), b"")], {}),
            "prefix": ("x", [(here, b"/v1")], {}),
            "two": ("x", [(here, b""), (here, b"/v1")], {}),
            "models": ("x", [(here, b"")], {"gpt": "llama"}),
            "other models": ("x", [(here, b"")], {"gpt": "qwen"}),
            "turned": ("x", [(here, b"")], {"llama": "gpt"}),
            "name of a name": ("x", [(here, b"")], {"gpt": "", "llama": ""}),
        }
        spaces = {cache_space(*parts) for parts in places.values()}
        self.assertEqual(len(spaces), len(places))

    def test_order_says_nothing(self) -> None:
        """The same upstreams and models written in another order, or in other letters, are the same."""
        one, other = (Origin("https", f"{name}.example", 443, b"") for name in "ab")
        upper = Origin("https", "A.EXAMPLE", 443, b"")
        self.assertEqual(
            cache_space("x", [(one, b""), (other, b"/v1")]), cache_space("x", [(other, b"/v1"), (upper, b"")])
        )
        self.assertEqual(cache_space("x", [], {"a": "b", "c": "d"}), cache_space("x", [], {"c": "d", "a": "b"}))
