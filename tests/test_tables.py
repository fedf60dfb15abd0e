"""Rows of tables that name themselves when they fail."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .tables import row


class RowTests(SynchronousTestCase):
    def test_names_the_row(self) -> None:
        """Of a table with one wrong row, that one is named, and what was compared."""

        def check() -> None:
            for number, expected in [(1, 1), (2, 3), (3, 3)]:
                with row("number", number):
                    self.assertEqual(number, expected)

        error = self.assertRaises(self.failureException, check)
        self.assertTrue(str(error).startswith("row 'number', 2: "), error)
        self.assertIn("3", str(error))

    def test_errors_pass(self) -> None:
        """What is no failed assertion stays what it is."""

        def check() -> None:
            with row(1):
                raise KeyError("x")

        self.assertEqual(self.assertRaises(KeyError, check).args, ("x",))
