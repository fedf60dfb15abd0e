"""Tests for L{llmproxy.core.inspection.charset}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.charset import check_utf8
from llmproxy.core.inspection.steps import SLICE, finish
from llmproxy.errors import BadRequest

from ...tables import row


class CheckUtf8Tests(SynchronousTestCase):
    def test_characters_across_slices(self) -> None:
        """It makes no difference where a slice ends."""
        for before in range(5):
            for character in ("é", "€", "😀"):
                body = b"x" * before + character.encode() * (2 * SLICE // len(character.encode()))
                finish(check_utf8(body))
                with row(before, character):
                    self.assertRaises(BadRequest, finish, check_utf8(body[:-1]))

    def test_malformed(self) -> None:
        """The first byte that is wrong is named."""
        for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc3(", b"\x80"):
            for before in (0, SLICE - 1, SLICE):
                with row(bad, before):
                    error = self.assertRaises(BadRequest, finish, check_utf8(b"x" * before + bad + b"yyy"))
                self.assertIn(f"(byte {before})", error.description)
        finish(check_utf8(b""))
