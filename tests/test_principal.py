"""Tests for L{llmproxy.principal}."""

from __future__ import annotations

from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.principal import Principal, Project, Token

PROJECT = Project("p", "search", {"a": ("sk-canary",)})
TOKEN = Token("t", "hash-canary", "sk-…", "p", None)


class PrincipalTests(SynchronousTestCase):
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
