"""Sizes, spans and modes as people read them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.doctor.words import mode_words, size_words, span_words

from ...tables import row


class WordsTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        for size, words in (
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536 * 1024**2, "1.5 GiB"),
            (300 * 1024**2, "300 MiB"),
            (5000 * 1024**4, "5000 TiB"),
        ):
            with row(size):
                self.assertEqual(size_words(size), words)

    def test_spans(self) -> None:
        for seconds, words in ((0.25, "250 ms"), (1.0, "1 s"), (90, "1.5 min"), (5400, "1.5 h"), (-172800, "-2 d")):
            with row(seconds):
                self.assertEqual(span_words(seconds), words)

    def test_modes(self) -> None:
        self.assertEqual([mode_words(0o600), mode_words(0o100644), mode_words(0o7)], ["0600", "0644", "0007"])
