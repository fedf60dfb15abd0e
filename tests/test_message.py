"""Tests for L{llmproxy.message}."""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import ApiRequest, ApiResponse, Principal, Project, Record, Token

PROJECT = Project("p", "search", {"a": ("sk-canary",)})
TOKEN = Token("t", "hash-canary", "sk-…", "p", None)


class MessageTests(SynchronousTestCase):
    def test_one_key(self) -> None:
        """A key that is given as a text is one key, and not its letters."""
        made = Project("p", "search", {"a": "sk-one", "b": ("sk-one", "sk-two")})
        self.assertEqual(made.api_keys, {"a": ("sk-one",), "b": ("sk-one", "sk-two")})

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
        self.assertEqual((request.route_if_found, request.principal_if_known), (None, None))
        request.principal = principal = Principal(TOKEN, PROJECT)
        self.assertIs(request.principal_if_known, principal)

    def test_trailers_are_of_one(self) -> None:
        """Two responses share nothing that can be changed."""
        one, other = ApiResponse(200, b"OK", []), ApiResponse(200, b"OK", [])
        one.trailers.append((b"a", b"b"))
        self.assertEqual(list(other.trailers), [])
