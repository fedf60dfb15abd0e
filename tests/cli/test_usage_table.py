"""Usage for people."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.output import Output
from llmproxy.cli.usage_table import BAR, bars_of, has_room, record_row, show_report, usd, without_room
from llmproxy.core.reports import UsageQuestion
from llmproxy.management.usageanswers import plain, plain_record

from ..tables import row
from ..usagereports import MemoryReports, an_entry

TERMINAL = """\
Usage from the first record to now, UTC
Model       Requests   Input   Output      Cost
──────────────────────────────────────────────────────────────────
a                  1   1,000      200     $8.00   ████████████████
b                  1   1,000      200     $4.00   ████████
c                  1   1,000      200   $0.2500   ▌
\\x1b[31me          1   1,000      200     $0.00
d                  1   1,000      200     $0.00
Total              5   5,000    1,000    $12.25
"""


class MoneyTests(SynchronousTestCase):
    def test_rounded(self) -> None:
        """Dollars and cents from a dollar on, four places below; what is smaller is not shown as nothing."""
        for text, shown in (
            ("0", "$0.00"),
            ("0.000000000001", "<$0.0001"),
            ("0.0001", "$0.0001"),
            ("0.01234", "$0.0123"),
            ("0.99995", "$1.0000"),
            ("1", "$1.00"),
            ("2.675", "$2.68"),
            ("2.665", "$2.66"),
            ("1234567.891", "$1,234,567.89"),
        ):
            with row(self, text):
                self.assertEqual(usd(text), shown)


class BarTests(SynchronousTestCase):
    def test_lengths(self) -> None:
        """The longest is whole, the others are parts of it, to an eighth of a character."""
        self.assertEqual(bars_of([16, 8, 1, 0.5, 0], "utf-8"), ["█" * BAR, "█" * 8, "█", "▌", " "])
        self.assertEqual(bars_of([0, 0], "utf-8"), [" ", " "])
        self.assertEqual(bars_of([], "utf-8"), [])

    def test_ascii(self) -> None:
        """A terminal without blocks has signs."""
        self.assertEqual(bars_of([2, 1], "ascii"), ["#" * BAR, "#" * 8])

    def test_room(self) -> None:
        """A terminal that is too narrow for both has the numbers."""
        for columns, fits in ((0, False), (31, False), (32, True), (200, True)):
            with row(self, columns):
                self.assertEqual(has_room(("Model", "Cost"), [("a", "$1.00"), ("b", None)], columns), fits)
                self.assertFalse(has_room(("M" * 200,), [], columns))

    def test_left_out(self) -> None:
        """A narrow terminal has fewer sums, never a part of a number."""
        sums = {"requests": 8, "errors": 6, "input_tokens": 9, "reasoning_tokens": 9, "output_tokens": 9, "cost": 9}
        everything = 16 + sum(sums.values()) + 3 * 7
        for columns, left_out in (
            (0, set()),
            (everything, set()),
            (everything - 1, {"reasoning_tokens"}),
            (everything - 13, {"reasoning_tokens", "errors"}),
            (1, {"reasoning_tokens", "errors"}),
        ):
            with row(self, columns):
                self.assertEqual(without_room([16], sums, columns), left_out)


class TableTests(SynchronousTestCase):
    def shown(self, costs: dict[str, str | None], bars: bool, groups: tuple[str, ...] = ("model",), **more: Any) -> str:
        entries = [
            an_entry(at, 0.0, model=model, cost=cost, cached_input_tokens=None, **more)
            for at, (model, cost) in enumerate(costs.items())
        ]
        question = UsageQuestion(groups)
        report = plain(question, self.successResultOf(MemoryReports(entries).grouped(question)))
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(stdout):
            show_report(Output(), report, ",".join(groups), bars=bars)
            stdout.flush()
        text: str = stdout.buffer.getvalue().decode()  # type: ignore[attr-defined]
        return text

    def test_bars(self) -> None:
        """In a terminal each row has a bar, as long as its cost; a name from elsewhere does not drive it."""
        text = self.shown({"a": "8", "b": "4", "c": "0.25", "d": "0", "\x1b[31me": "0"}, True)
        self.assertEqual("".join(f"{line.rstrip()}\n" for line in text.splitlines()), TERMINAL)

    def test_plain(self) -> None:
        """In a pipe there is none."""
        self.assertNotIn("█", self.shown({"a": "8"}, False))

    def test_without_prices(self) -> None:
        """Where nothing has a price, tokens decide how long a bar is."""
        text = self.shown({"a": "0", "b": "0"}, True)
        self.assertEqual(text.count("█" * BAR), 2)
        self.assertNotIn("llmproxy prices check", text)

    def test_unpriced(self) -> None:
        """What has no price is no part of the cost, which is said; a price of 0 is one."""
        text = self.shown({"a": None, "b": "0.1", "c": "0"}, False)
        self.assertIn("1 of 3 answers have no price, their cost is not in the sums: llmproxy prices check", text)

    def test_all_columns(self) -> None:
        """A sum that is there has its column."""
        text = self.shown({"a": "1"}, False, images=3, seconds=1.25, reasoning_tokens=7, cost_saved="0.5", cache="hit")
        for head in ("Images", "Seconds", "Reasoning", "Saved", "Hits"):
            self.assertIn(head, text)
        self.assertIn("$0.5000", text)

    def test_no_groups(self) -> None:
        """Without groups there is one row, which is the total."""
        lines = self.shown({"a": "1", "b": "1"}, False, ()).splitlines()
        self.assertEqual(lines[-1].split(), ["2", "2,000", "400", "$2.00"])


class RecordTests(SynchronousTestCase):
    def test_row(self) -> None:
        """What is not known is not 0."""
        shown = record_row(plain_record(an_entry(1, 0.0, cost=None, output_tokens=None, served_model="")))
        self.assertEqual(shown[3:8], ["gpt-4o", 200, "1,000", "-", None])
