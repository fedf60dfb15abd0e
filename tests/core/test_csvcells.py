"""Cells of CSV."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.csvcells import harmless, lines_of

from ..tables import row


class CellTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What begins as a formula is quoted, numbers are not, and nothing is an empty cell."""
        for value, cell in (
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("＝1", "'＝1"),
            ("-", "'-"),
            ("-1", "-1"),
            ("+1.5", "+1.5"),
            ("-1e-7", "-1e-7"),
            ("-1\n", "'-1\n"),
            ("a=b", "a=b"),
            ("", ""),
            (None, ""),
            (-5, -5),
            (0.5, 0.5),
        ):
            with row(self, value):
                self.assertEqual(harmless(value), cell)

    def test_lines(self) -> None:
        """What would part cells or lines is in quotes, and only that."""
        rows = [["a", 1, 0.5, None, True], ["a,b", 'say "x"', "x\r\ny", "x\ny", " \0"]]
        self.assertEqual(lines_of(rows), 'a,1,0.5,,True\r\n"a,b","say ""x""","x\r\ny","x\ny", \ufffd\r\n')

    @given(st.lists(st.text(), min_size=2, max_size=4))
    def test_no_formula(self, cells: list[str]) -> None:
        """Whatever is in a row, a reader gets it back, and no cell of it begins as a formula."""
        (read,) = csv.reader(io.StringIO(lines_of([cells]), newline=""))
        said = [cell.replace("\0", "\ufffd").removeprefix("'") for cell in cells]
        self.assertEqual([cell.removeprefix("'") for cell in read], said)
        self.assertEqual([cell for cell in read if cell[:1] in tuple("=@\t\r\n")], [])
