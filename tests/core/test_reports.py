"""Questions about usage, and the reports that answer them."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import MOST_ROWS, SUMS, UsageQuestion, UsageRow, UsageSums, money, report_of

from ..tables import row


def made(cost: str, **keys: str | int | None) -> UsageRow:
    return UsageRow(keys, UsageSums(requests=1, cost=Decimal(cost)))


def priced(model: str, api: str, each: int) -> UsageRow:
    """A row whose every sum is C{each}, in units of 10^-12 where it is money."""
    sums = {name: Decimal(each).scaleb(-12) if "cost" in name else each for name in SUMS}
    return UsageRow({"model": model, "api": api}, UsageSums(**sums))  # type: ignore[arg-type]


def keys(question: UsageQuestion, *rows: UsageRow) -> list[tuple[object, ...]]:
    return [tuple(row.keys.values()) for row in report_of(question, rows).rows]


class QuestionTests(SynchronousTestCase):
    def test_whole_quarters(self) -> None:
        """A span is widened to whole quarters of an hour, and one that has no end stays so."""
        asked = UsageQuestion(since=901.0, until=1800.1).aligned()
        self.assertEqual((asked.since, asked.until), (900.0, 2700.0))
        self.assertEqual(UsageQuestion(since=900.0, until=1800.0).aligned(), UsageQuestion(since=900.0, until=1800.0))
        self.assertEqual(UsageQuestion().aligned(), UsageQuestion())


class MoneyTests(SynchronousTestCase):
    def test_texts(self) -> None:
        """An amount is a decimal number, exact, without an exponent, and without zeros that say nothing."""
        for amount, text in (
            ("0", "0"),
            ("0E-12", "0"),
            ("1E-12", "0.000000000001"),
            ("0.000150000000", "0.00015"),
            ("100", "100"),
            ("1E+2", "100"),
            ("12345678901234567890123456789.123456789012", "12345678901234567890123456789.123456789012"),
        ):
            with row(self, amount):
                self.assertEqual(money(Decimal(amount)), text)


class ReportTests(SynchronousTestCase):
    def test_most_cost_first(self) -> None:
        """Without periods, what costs most is first; of equal cost, what comes first in the alphabet."""
        asked = UsageQuestion(("model",))
        rows = (made("0", model="c"), made("2", model="b"), made("10", model="a"), made("0", model=None))
        self.assertEqual(keys(asked, *rows, made("0", model="b2")), [("a",), ("b",), ("b2",), ("c",), (None,)])

    def test_periods_in_their_order(self) -> None:
        """With a period it decides, wherever it stands, and within it the cost."""
        asked = UsageQuestion(("model", "day"))
        rows = (made("9", model="a", day="2026-01-02"), made("1", model="a", day="2026-01-01"))
        self.assertEqual(
            keys(asked, *rows, made("3", model="b", day="2026-01-01")),
            [("b", "2026-01-01"), ("a", "2026-01-01"), ("a", "2026-01-02")],
        )

    def test_top(self) -> None:
        """The most costly are shown, the totals are of all, and how many were left out is said."""
        report = report_of(UsageQuestion(("model",), top=1), [made("1", model="a"), made("2", model="b")])
        self.assertEqual([row.keys for row in report.rows], [{"model": "b"}])
        self.assertEqual((report.totals.cost, report.totals.requests, report.more), (Decimal(3), 2, 1))

    def test_bounded(self) -> None:
        """A group with more values than anybody reads does not make a report without end."""
        report = report_of(UsageQuestion(("session",)), (made("0", session=str(at)) for at in range(MOST_ROWS + 3)))
        self.assertEqual((len(report.rows), report.more, report.totals.requests), (MOST_ROWS, 3, MOST_ROWS + 3))

    def test_not_known(self) -> None:
        """No name and an empty one are one row, which is last among its equals."""
        self.assertEqual(keys(UsageQuestion(("user",)), made("0", user=""), made("0", user=None)), [(None,)])

    def test_nothing_grouped(self) -> None:
        """Without groups there is one row, the same as the totals; of nothing there is none."""
        report = report_of(UsageQuestion(), [made("0.1"), made("0.2")])
        self.assertEqual(report.rows, [UsageRow({}, report.totals)])
        self.assertEqual(report.totals.cost, Decimal("0.3"))
        self.assertEqual(report_of(UsageQuestion(), []).rows, [])

    @given(
        drawn=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 10**15))),
        groups=st.sampled_from([(), ("model",), ("api", "model")]),
    )
    def test_nothing_is_lost(self, drawn: list[tuple[str, str, int]], groups: tuple[str, ...]) -> None:
        """The rows add up to the totals, exactly, however they are grouped."""
        report = report_of(UsageQuestion(groups), [priced(*each) for each in drawn])
        total = UsageSums()
        for each in report.rows:
            total.add(each.sums)
        self.assertEqual(total, report.totals)
        self.assertEqual(total.cost, Decimal(sum(each for *_, each in drawn)).scaleb(-12))
