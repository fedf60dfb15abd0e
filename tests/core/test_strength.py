"""Tests for L{llmproxy.core.strength}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.strength import bits_at_most, weakness

from ..tables import row

WEAK = [
    "abc",
    "a",
    "m" * 64,
    "abc" * 20,
    "0123456789abcdef",
    "changeme",
    "changeme-please-change-me",
    "my-secret-management-token",
    "supersecretpassword",
    "aaaaaaaaaaaaaaaab",
    "zyxwvutsrqponmlkjihgfedcba",
    "Tr0ub4dor&3",
]
STRONG = [
    "3f9c1e7ab4d2068f5e93c7a1b0d4f682",
    "q7Vt0cRz-LbN3wYx_Jd9K",
    "m4nagement-t0ken-long-enough",
    "correct horse battery staple".replace(" ", "-"),
]


class StrengthTests(SynchronousTestCase):
    def test_weak(self) -> None:
        """What a person types in a hurry is known as such, however long it is, and nothing of it is said."""
        for secret in WEAK:
            sentence = weakness("MANAGEMENT_TOKEN", secret)
            self.assertIn(f"MANAGEMENT_TOKEN is weak: {len(secret)} characters", sentence, secret)
            if len(secret) > 2:
                self.assertNotIn(secret, sentence)

    def test_how_weak(self) -> None:
        """An operator learns a number that they can judge."""
        self.assertIn("in about 676 attempts", weakness("X", "ab"))
        self.assertIn("in about 10^", weakness("X", "qhzvtpwx"))

    def test_strong(self) -> None:
        """What was drawn at random is not complained of."""
        self.assertEqual([secret for secret in STRONG if weakness("X", secret)], [])

    def test_repetitions(self) -> None:
        """Whatever is repeated, and where words then stand: across an end and a beginning, or after half of it."""
        rows = ("ey!qz7Hw#k", "ab" * 10 + "a", "rootpro", "K9-x", "t3st-t3st-t")
        for secret in rows:
            for times in (2, 3, 5):
                with row(self, secret, times):
                    self.assertLessEqual(bits_at_most(secret * times), bits_at_most(secret))

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40), st.integers(2, 5))
    def test_repeating_adds_nothing(self, secret: str, times: int) -> None:
        """A secret written several times is no stronger."""
        self.assertLessEqual(bits_at_most(secret * times), bits_at_most(secret))

    def test_empty(self) -> None:
        self.assertEqual(bits_at_most(""), 0.0)
