"""Long texts in pieces, and texts that are data."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redaction.texts import LEAST_DATA, PIECE, data_in, pieces
from tests.tables import row


class PieceTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Together they are the text, and none is long."""
        for text in ("", "a", "word " * 20_000, "x" * 100_000, "1 2 3 " * 20_000, '{"a":"b"},' * 10_000, " " * 50_000):
            with row(text[:10]):
                found = list(pieces(text))
                self.assertEqual("".join(found), text)
                self.assertLessEqual(max(map(len, found)), 2 * PIECE)

    def test_nothing_is_cut(self) -> None:
        """What belongs together is in one piece: numbers with blanks, and what follows C{Bearer}."""
        for part in ("4111 1111 1111 1111", "Bearer abcdefgh", "basic QUJDREVGR0g=", "+49 171 1234567", "a@b.example"):
            for shift in range(0, 40, 3):
                text = "w" * shift + (" some words, and " + part + " then") * 3000
                with row(part, shift):
                    self.assertEqual(sum(piece.count(part) for piece in pieces(text)), 3000)


class DataTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Data is said by its kind and size; a text is none, however long."""
        data = "QUJD" * 1000
        for text, said in (
            (f"data:image/png;base64,{data}", "[image/png, 3000 bytes, left out]"),
            (f"data:audio/wav;codecs=x;base64,{data}", "[audio/wav, 3000 bytes, left out]"),
            (data, "[base64, 3000 bytes, left out]"),
            ("data:image/png;base64,QUJD", None),
            ("QUJD" * 100, None),
            ("a word " * 1000, None),
            ("x" * LEAST_DATA + " and more", None),
            ("", None),
        ):
            with row(text[:30]):
                self.assertEqual(data_in(text), said)
