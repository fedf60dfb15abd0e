"""Plans of reports. That they are exact is in tests/contracts/usagereports.py."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import UsageQuestion
from llmproxy.core.rollups import DAY, LONG, QUARTER, WIDTHS
from llmproxy.core.usageplan import MOST_SPANS, Scan, TooMany, bounds, filters_of, plan, scan, spans_of, value_of

from ..tables import row

D = WIDTHS[DAY]
AT = 20_000 * D


def asked(*groups: str, **more: Any) -> UsageQuestion:
    return UsageQuestion(groups, **more).aligned()


class SpanTests(SynchronousTestCase):
    def test_periods(self) -> None:
        """What is kept apart: the finest period, and days where weeks and months are asked for."""
        for groups, expected in (
            ((), [(AT, AT + 60 * D)]),
            (("project",), [(AT, AT + 60 * D)]),
            (("week", "month"), [(AT + n * D, AT + (n + 1) * D) for n in range(60)]),
            (("day", "month"), [(AT + n * D, AT + (n + 1) * D) for n in range(60)]),
        ):
            with row(groups):
                found = spans_of(asked(*groups, since=float(AT), until=AT + 60.0 * D), AT, AT + 90 * D)
                self.assertEqual(found, expected)

    def test_bounds(self) -> None:
        """There is nothing before the first record and behind the last; open ends are those of long spans."""
        wide = WIDTHS[LONG]
        for question, expected in (
            (asked(), (AT // wide * wide, (AT + D) // wide * wide + wide)),
            (asked("hour"), (AT, AT + D + 900)),
            (asked("hour", since=AT - 5.0 * D, until=AT + 9.0 * D), (AT, AT + D + 900)),
            (asked(since=AT + 100.0), (AT, (AT + D) // wide * wide + wide)),
            (asked(since=AT + 500.0 * D), (AT + 500 * D, AT + 500 * D)),
        ):
            with row(question):
                self.assertEqual(bounds(question, AT, AT + D), expected)

    def test_too_many(self) -> None:
        """So many hours that nobody looks at them are refused."""
        with self.assertRaisesRegex(TooMany, "ask for a shorter time"):
            spans_of(asked("hour"), 0, (MOST_SPANS + 1) * 3600)
        self.assertEqual(len(spans_of(asked("hour"), 0, MOST_SPANS * 3600 - 900)), MOST_SPANS)


class PlanTests(SynchronousTestCase):
    def planned(self, *groups: str, kept_since: float = 0.0, days: int = 10, offset: int = 0, **more: Any) -> Any:
        begin = AT + offset
        return plan(asked(*groups, **more), [(begin, begin + days * D)], kept_since)

    def test_sources(self) -> None:
        """The smallest cubes that can answer, and single records where none can."""
        for groups, more, cubes in (
            ((), {}, {11}),
            (("project",), {}, {1}),
            (("project",), {"models": ("m",)}, {7}),
            (("token", "model"), {}, {12}),
            (("token", "status"), {}, {8}),
            (("user",), {}, {9}),
            (("user", "project"), {}, {9}),
            (("tag:team", "model"), {}, {10}),
            (("user", "token"), {}, set()),
            (("user", "session"), {}, set()),
            (("user",), {"tokens": ("t",)}, set()),
        ):
            with row(groups, more):
                made = self.planned(*groups, **more)
                self.assertEqual({each.cube for each in made.sums}, cubes)
                self.assertEqual(made.scans, [] if cubes else [Scan(0, AT, AT + 10 * D, 1)])

    def test_mixed(self) -> None:
        """Where roll-ups of values begin between hours, single records are the rest, added or taken away."""
        made = self.planned("user", offset=1800)
        self.assertEqual({(each.until - each.since, each.sign) for each in made.scans}, {(1800, -1), (1800, 1)})
        self.assertEqual(self.planned("user", offset=3600).scans, [])

    def test_gone(self) -> None:
        """Where those are gone, the span is of whole hours, or days."""
        for groups, begin in ((("user",), AT), (("user", "model"), AT), (("project",), AT + 1800)):
            with row(groups):
                made = self.planned(*groups, offset=1800, kept_since=AT + 99 * D)
                self.assertEqual((made.scans, made.spans[0][0]), ([], begin))

    def test_quarters(self) -> None:
        """How much is read of the level that has as many rows as there are records."""
        self.assertEqual(self.planned("token", "model").quarters, 0)
        self.assertEqual(self.planned("token", "model", offset=2700).quarters, 6)
        self.assertEqual(scan(asked("token"), [(AT, AT + D)]).scans, [Scan(0, AT, AT + D, 1)])
        self.assertEqual({each.level for each in self.planned("day").sums} & {QUARTER}, set())


class NameTests(SynchronousTestCase):
    def test_values(self) -> None:
        """Kinds of values, with their names."""
        for group, expected in (
            ("user", ("user", "")),
            ("tag:team", ("tag", "team")),
            ("metadata.a.b", ("metadata", "a.b")),
            ("model", None),
            ("day", None),
        ):
            with row(group):
                self.assertEqual(value_of(group), expected)

    def test_filters(self) -> None:
        """Only those that are given."""
        self.assertEqual(filters_of(asked(tokens=("t",), apis=("a", "b"))), {"token_id": ("t",), "api": ("a", "b")})
