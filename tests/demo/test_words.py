"""What the demo upstream says."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.demo.words import embedding, last_user_text, pieces, text_of

from ..properties import examples


class WordsTests(SynchronousTestCase):
    @given(st.text(max_size=50))
    @settings(max_examples=examples(50), deadline=None)
    def test_pieces_are_the_whole(self, text: str) -> None:
        """A stream says the same as the plain answer, to the character."""
        self.assertEqual("".join(pieces(text)), text)

    def test_anything_is_a_message(self) -> None:
        """Whatever a caller sends for content, there is an answer."""
        for content in (None, 5, {}, [1, None, {"text": 2}]):
            self.assertEqual(text_of(content).strip(), "", content)
        self.assertEqual(
            last_user_text([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, 5]), "a"
        )
        self.assertEqual(last_user_text(None), "")

    def test_embeddings_are_exact_floats(self) -> None:
        """Packed as 32 bit floats nothing is lost."""
        vector = embedding("x", 32)
        self.assertEqual(list(struct.unpack("<32f", struct.pack("<32f", *vector))), vector)
        self.assertTrue(all(-1 <= number <= 1 for number in vector))
