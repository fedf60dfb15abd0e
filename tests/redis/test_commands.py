"""Commands as Redis reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.content import Pieces
from llmproxy.redis.commands import command

from ..cache.fakeredis import parse


class CommandTests(SynchronousTestCase):
    @given(st.lists(st.binary(), min_size=1))
    def test_command(self, words: list[bytes]) -> None:
        """Whatever is in a response, Redis reads what was meant."""
        self.assertEqual(parse(command(*words)), (words, b""))

    @given(st.lists(st.lists(st.binary(min_size=1)), min_size=1))
    def test_command_of_pieces(self, words: list[list[bytes]]) -> None:
        """Content in pieces is one word."""
        self.assertEqual(parse(command(*map(Pieces, words))), ([b"".join(word) for word in words], b""))
