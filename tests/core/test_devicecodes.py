"""Tests for L{llmproxy.core.devicecodes}."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.devicecodes import (
    ALPHABET,
    device_code,
    hashed,
    is_same,
    read_refresh_token,
    refresh_token,
    typed,
    user_code,
)


class CodeTests(SynchronousTestCase):
    def test_user_code(self) -> None:
        """Letters that make no word, each as likely as any other: what would not be so is drawn again."""
        self.assertEqual(len(set(ALPHABET)), 20)
        self.assertEqual(set(ALPHABET) & set("AEIOUY"), set())
        drawn = iter([bytes([255, 0, 1, 2, 250, 19, 20, 39]), bytes(range(100, 108))])
        self.assertEqual(user_code(lambda count: next(drawn)), "BCDZ-BZBC")
        self.assertRegex(user_code(os.urandom), "^[B-Z]{4}-[B-Z]{4}$")

    def test_typed(self) -> None:
        """However people type it."""
        for text, expected in (
            ("BCDF-GHJK", "BCDF-GHJK"),
            ("bcdfghjk", "BCDF-GHJK"),
            (" bcdf ghjk\n", "BCDF-GHJK"),
            ("BCDF–GHJK", "BCDF-GHJK"),
            ("BCDF-GHJA", ""),
            ("BCDF-GHJ", ""),
            ("BCDF-GHJKL", ""),
            ("ßCDF-GHJK", ""),
            ("", ""),
            ("B" * 10_000, ""),
        ):
            self.assertEqual(typed(text), expected, text[:20])

    def test_device_code(self) -> None:
        """256 bits."""
        self.assertEqual(device_code(lambda count: b"\xff" * count), "_" * 42 + "8")
        self.assertNotEqual(device_code(os.urandom), device_code(os.urandom))


class RefreshTokenTests(SynchronousTestCase):
    def test_read(self) -> None:
        """What is read is what was given; the next one belongs to the same device."""
        first = refresh_token(os.urandom)
        read = read_refresh_token(first.text)
        self.assertEqual(read, first)
        assert read is not None
        following = read.renewed(os.urandom)
        self.assertEqual(following.selector_hash, first.selector_hash)
        self.assertFalse(is_same(following.secret_hash, first.secret_hash))
        self.assertTrue(is_same(read.secret_hash, first.secret_hash))
        self.assertNotIn(first.secret, repr(first))

    def test_none(self) -> None:
        good = refresh_token(os.urandom).text
        for text in (
            "",
            "llmr_",
            "llmr_a.b",
            good[:-1],
            good + "a",
            good.removeprefix("llmr_"),
            good.replace(".", ""),
            good[:-1] + "é",
            "sk-" + "A" * 22,
        ):
            self.assertIsNone(read_refresh_token(text), text)

    def test_hashed(self) -> None:
        """What is no text that can be encoded is hashed too."""
        self.assertEqual(len(hashed("\udc00")), 64)
