"""Tests for L{llmproxy.app.tokenizer}."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app import tokenizer
from llmproxy.app.tokenizer import Tokenizer, available, directory, missing


class TokenizerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.patch(os, "environ", {**os.environ, "TIKTOKEN_CACHE_DIR": self.directory})

    def test_directory(self) -> None:
        """Where tiktoken itself looks."""
        self.assertEqual(directory(), self.directory)
        self.patch(os, "environ", {"DATA_GYM_CACHE_DIR": "/x"})
        self.assertEqual(directory(), "/x")
        self.patch(os, "environ", {})
        self.assertEqual(os.path.basename(directory()), "data-gym-cache")

    def test_missing(self) -> None:
        """Where nothing can be counted, it is said why, and what to do."""
        why = missing()
        self.assertIn("TIKTOKEN_CACHE_DIR" if find_spec("tiktoken") else "pip install", why)
        # What tiktoken would throw away and fetch anew is none.
        for name in ("o200k_base", "cl100k_base"):
            with open(os.path.join(self.directory, tokenizer._file(name)), "wb") as file:
                file.write(b"aGk= 0\n")
        self.assertEqual((available(), bool(missing())), ([], True))
        self.assertEqual(len(os.listdir(self.directory)), 2)

    def test_nothing_fetched(self) -> None:
        """An encoding that is not here, or has gone, is not asked for anywhere."""
        import tiktoken.load

        def fetch(place: str) -> bytes:
            raise AssertionError(f"{place} is fetched")

        self.patch(tiktoken.load, "read_file", fetch)
        self.assertRaises(LookupError, Tokenizer().count, "text", "gpt-4o")

    def test_counts(self) -> None:
        """By the encoding of the model, the newest for one that is not known, or the one that is here."""
        from tiktoken import Encoding

        def of_letters(name: str) -> Any:
            ranks = {bytes([each]): each for each in range(256)}
            if name == "cl100k_base":
                ranks[b"aa"] = 256
            return Encoding(name, pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={})

        counts = Tokenizer()
        counts._encodings = {name: of_letters(name) for name in ("o200k_base", "cl100k_base")}
        for model, expected in (("gpt-4o", 4), ("openai/gpt-4", 2), ("claude-x", 4), ("", 4)):
            self.assertEqual(counts.count("aaaa", model), expected, model)
        self.assertEqual(counts.count("<|endoftext|>", "gpt-4o"), 13)
        self.assertEqual(counts.count("a" * 250_000, "gpt-4o"), 250_000)
        del counts._encodings["o200k_base"]
        self.assertEqual(counts.count("aaaa", "gpt-4o"), 2)

    if find_spec("tiktoken") is None:
        test_nothing_fetched.skip = test_counts.skip = "tiktoken is not installed (extra test)"  # type: ignore[attr-defined]
