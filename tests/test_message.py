"""Tests for L{llmproxy.message}."""

from __future__ import annotations

from copy import copy

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import ApiRequest, ApiResponse, Principal, Project, Record, Token

PROJECT = Project("p", "search", {"a": ("sk-canary",)})
TOKEN = Token("t", "hash-canary", "sk-…", "p", None)


class MessageTests(SynchronousTestCase):
    def test_order_of_the_chain(self) -> None:
        """Who reads what no layer has decided yet is told at once."""
        record = Record("r", "GET", "/", "127.0.0.1", 0.0)
        request = ApiRequest(b"GET", b"/", [], None, record)
        self.assertRaises(AttributeError, lambda: request.route)
        self.assertRaises(AttributeError, lambda: request.principal)
        self.assertEqual((request.route_if_found, request.principal_if_known), (None, None))
        request.principal = principal = Principal(TOKEN, PROJECT)
        self.assertIs(request.principal_if_known, principal)

    def test_copied(self) -> None:
        """A copy has what its original has, set or not, and changes for itself."""
        request = ApiRequest(b"GET", b"/", [], None, Record("r", "GET", "/", "127.0.0.1", 0.0), model="m")
        request.key = "sk-one"
        other = copy(request)
        self.assertEqual((other.model, other.key, other.record), ("m", "sk-one", request.record))
        self.assertIsNone(other.route_if_found)
        other.key = "sk-two"
        self.assertEqual(request.key, "sk-one")

    def test_trailers_are_of_one(self) -> None:
        """Two responses share nothing that can be changed."""
        one, other = ApiResponse(200, b"OK", []), ApiResponse(200, b"OK", [])
        one.trailers.append((b"a", b"b"))
        self.assertEqual(list(other.trailers), [])
