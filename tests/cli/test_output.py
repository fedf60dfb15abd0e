"""What commands print."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.output import Output, Progress, moment, printable, text_of

from ..tables import row


def printed(say: Any) -> str:
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        say()
    return stdout.getvalue()


class NarrowTerminal(io.StringIO):
    """One of so few columns that not even the numbers of a table have room."""

    def isatty(self) -> bool:
        return True


class OutputTests(SynchronousTestCase):
    def test_numbers_are_whole(self) -> None:
        """A part of a number is another number: in a terminal, too, none is cut, however narrow it is."""
        stdout = NarrowTerminal()
        numbers = [f"{at},000,000,000,000.00" for at in range(1, 9)]
        heads, cells = ("Model", *("Input" for _ in numbers)), ("x" * 50, *numbers)
        with contextlib.redirect_stdout(stdout):
            Output().table([], heads, [cells], footer=cells, numbers=range(1, 9))
        for number in numbers:
            with row(self, number):
                self.assertEqual(stdout.getvalue().count(number), 2)

    def test_table(self) -> None:
        """In a pipe every row is one line and nothing of it is cut, however long it is."""
        long = "x" * 300
        text = printed(lambda: Output().table([], ("ID", "Name"), [("1", long), ("2", "[red]y")]))
        lines = text.splitlines()
        self.assertEqual(lines[0].split(), ["ID", "Name"])
        self.assertEqual(lines[-2].split(), ["1", long])
        self.assertEqual(lines[-1].split(), ["2", "[red]y"])

    def test_nothing(self) -> None:
        """An empty list is a sentence to people and an empty list to scripts."""
        self.assertEqual(printed(lambda: Output().table([], ("ID",), [], "There are none.")), "There are none.\n")
        self.assertEqual(printed(lambda: Output(True).table([], ("ID",), [], "There are none.")), "[]\n")

    def test_fields(self) -> None:
        """One thing is a line a field."""
        text = printed(lambda: Output().fields({}, [("ID", "1"), ("API Key", None)]))
        self.assertEqual(text, "ID       1\nAPI Key  -\n")

    def test_json(self) -> None:
        """Scripts get the server's value, and no sentence that they would have to skip."""
        value = {"id": "ü", "n": 1}
        for print_it in (
            lambda: Output(True).table(value, ("ID",), []),
            lambda: Output(True).fields(value, [("ID", 1)]),
            lambda: Output(True).say("done", value),
        ):
            self.assertEqual(json.loads(printed(print_it)), value, print_it)
        self.assertEqual(printed(lambda: Output(True).say("done")), "")


class TextTests(SynchronousTestCase):
    def test_terminal(self) -> None:
        """A name cannot move the cursor, change colours or break the line."""
        self.assertEqual(printable("a\x1b[31mb\nc\u202ed"), "a\\x1b[31mb\\nc\\u202ed")
        self.assertEqual(printable("grüße 東京"), "grüße 東京")
        self.assertEqual(text_of({"a\x1b": ["b\x07", 1]}), "a\\x1b=b\\x07, 1")

    def test_cells(self) -> None:
        for value, text in ((None, "-"), ("", "-"), (True, "yes"), (False, "no"), (0, "0"), ([], "")):
            self.assertEqual(text_of(value), text, (value, text))

    def test_moments(self) -> None:
        """Times are shown in UTC, whatever offset they came with."""
        self.assertEqual(moment("2026-01-01T01:00:00.25+02:00"), "2025-12-31 23:00:00Z")
        self.assertEqual(moment("2026-01-01T01:00:00Z"), "2026-01-01 01:00:00Z")
        self.assertEqual((moment(None), moment("soon\x1b")), ("-", "soon\\x1b"))


class ProgressTests(SynchronousTestCase):
    def test_no_terminal(self) -> None:
        """Where nobody looks, no bar is drawn."""
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr), Progress("copying", 3) as advance:
            advance(1)
        self.assertEqual(stderr.getvalue(), "")

    def test_terminal(self) -> None:
        """Where somebody looks, the bar says what is done and how far it is."""

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        stderr = Terminal()
        with contextlib.redirect_stderr(stderr), Progress("copying", 3) as advance:
            advance(3)
        self.assertIn("copying", stderr.getvalue())
        self.assertIn("3/3", stderr.getvalue())
