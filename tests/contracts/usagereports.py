"""What reports of usage answer, whatever the database: the same as adding up each record."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.reports import UsageQuestion, UsageReport
from llmproxy.core.usagesums import MICRO
from llmproxy.errors import BadRequest
from llmproxy.interfaces import IUsageLatency, IUsageReports
from llmproxy.store import usagereport
from llmproxy.store.database import Database
from llmproxy.store.endedtokens import EndedTokens
from llmproxy.store.together import begun_together
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usagerecords import UsageRecords

from ..properties import SHARE, examples
from ..store.databases import NOW, clock_at, project, token
from ..tables import row
from ..usagereports import MemoryReports, an_entry
from .usagerecords import some_entries

DAY = 86_400.0
PLAIN = ("project", "token", "api", "model", "served_model", "endpoint", "status")
PERIODS = ("hour", "day", "week", "month")
VALUES = (
    "user",
    "session",
    "program",
    "person",
    "tag:team",
    "tag:feature",
    "metadata.job",
    "metadata.none",
)
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
ODD_ZONES = ("Pacific/Chatham", "Pacific/Apia", "America/St_Johns", "Pacific/Kiritimati", "Africa/Casablanca")


def known(entries: list[Entry]) -> list[Entry]:
    """Entries of the same models that were answered."""
    return [msgspec.structs.replace(each, id=f"k{at}", status=200) for at, each in enumerate(entries[:60])]


def spread() -> list[Entry]:
    """Many in a few days, when the clocks change in Berlin too, and some in a year."""
    dense = some_entries(21, 250, 4 * DAY)
    sparse = [
        msgspec.structs.replace(each, id=f"s{at}", ended_at=NOW + (each.ended_at or 0) % DAY + at * 2.5 * DAY)
        for at, each in enumerate(some_entries(22, 140))
    ]
    return [*known(dense), *dense, *sparse]


def questions(seed: int, count: int, moments: list[float]) -> Iterator[UsageQuestion]:
    """Of every kind."""
    chance = random.Random(seed)
    for _ in range(count):
        groups = chance.sample(PLAIN, chance.choice((0, 0, 1, 1, 2, 3)))
        groups += chance.sample(PERIODS, chance.choice((0, 0, 1, 1, 2)))
        groups += chance.sample(VALUES, chance.choice((0, 0, 0, 1, 1, 2)))
        chance.shuffle(groups)
        begin, end = sorted(chance.sample(moments, 2))
        if "hour" in groups:
            end = min(end, begin + 20 * DAY)
        yield UsageQuestion(
            tuple(groups),
            chance.choice((None, begin, begin)) if "hour" not in groups else begin,
            chance.choice((None, end, end)) if "hour" not in groups else end,
            projects=chance.choice(((), (), ("p1",), ("p0", "p2"), ("nobody",))),
            tokens=chance.choice(((), (), (), ("t11",), ("t01", "t20"))),
            apis=chance.choice(((), (), ("openai",))),
            models=chance.choice(((), (), ("gpt-4o", "claude"))),
            tz=chance.choice((*ZONES, *ODD_ZONES)),
            top=chance.choice((None, None, 1, 3)),
            persons=chance.choice(((), (), (), ("o1",), ("o0", "o2"), ("nobody",))),
        )


BESIDE = ("", "project", "token", "model", "day") if SHARE >= 1 else ("", "day")
"""What each group is looked at beside."""


class UsageReportsContract:
    """Mixed into a test case that says how to C{open} a database."""

    COUNT = examples(120)
    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.reports = UsageReports(self.database)

    def settle(self, entries: list[Entry]) -> MemoryReports:
        self.done(UsageRecords(self.clock, self.database).settle(entries))
        return MemoryReports(entries)

    def compared(self, model: MemoryReports, question: UsageQuestion) -> UsageReport:
        with row(question):
            report: UsageReport = self.done(self.reports.grouped(question))
            expected = self.done(model.grouped(question))
            assert report.totals == expected.totals, (report.totals, expected.totals)
            assert report.rows == expected.rows, (report.rows, expected.rows)
            assert report == expected
        return report

    def test_interface(self) -> None:
        assert verifyObject(IUsageReports, self.reports)

    def test_any_question(self) -> None:
        """Whatever is asked, in whatever time zone, is the sum of the single records."""
        entries = spread()
        model = self.settle(entries)
        moments = [each.ended_at for each in entries if each.ended_at is not None]
        for question in questions(5, self.COUNT, [*moments, min(moments) - 9 * DAY, max(moments) + 40 * DAY]):
            self.compared(model, question)

    def test_at_once(self) -> None:
        """Several questions that are asked at once, as a page does, are answered as each by itself."""
        entries = spread()
        self.settle(entries)
        moments = [each.ended_at for each in entries if each.ended_at is not None]
        some = list(questions(6, examples(40), moments))
        some += [attrs.evolve(each, top=3) for each in some[:20]]
        alike = [UsageQuestion((group,), NOW, top=3) for group in (*PLAIN, "person", "user")]
        for asked in (some, [*alike, UsageQuestion(("day",), NOW)], [UsageQuestion(("day",), NOW), *alike]):
            begun = begun_together(lambda asked=asked: [self.reports.grouped(each) for each in asked])  # type: ignore[misc]
            for question, answer in zip(asked, begun, strict=True):
                assert self.done(answer) == self.done(self.reports.grouped(question)), question

    def test_without_totals(self) -> None:
        """Who looks at no totals gets the same rows, but for those that are in no group."""
        self.settle(spread())
        for group in (*PLAIN, *VALUES):
            question = UsageQuestion((group,), NOW, top=50)
            rows = self.done(self.reports.grouped(question)).rows
            found = self.done(self.reports.grouped(attrs.evolve(question, totals=False))).rows
            wanted = [[row for row in each if row.keys[group] is not None] for each in (rows, found)]
            assert wanted[0] == wanted[1], group

    def test_each_group(self) -> None:
        """Each group alone, and beside a project, a token, a model and a day."""
        model = self.settle(spread())
        for group in (*PLAIN, *PERIODS, *VALUES):
            for other in BESIDE:
                groups = tuple(dict.fromkeys(each for each in (group, other) if each))
                self.compared(model, UsageQuestion(groups, NOW, NOW + 30 * DAY, tz="Asia/Kolkata"))

    def test_each_group_of_people(self) -> None:
        """The same of some people alone: what is somebody else's, or nobody's, is in no sum."""
        model = self.settle(spread())
        for group in (*PLAIN, *PERIODS, *VALUES):
            for other in ("", "model", "day"):
                groups = tuple(dict.fromkeys(each for each in (group, other) if each))
                question = UsageQuestion(groups, NOW, NOW + 30 * DAY, persons=("o1", "o2"))
                assert self.compared(model, question).totals.requests, question

    def test_nothing(self) -> None:
        """Where nothing was used, nothing is reported."""
        for question in (UsageQuestion(), UsageQuestion(("day", "user"), NOW), UsageQuestion(("project",), None, 0.0)):
            self.compared(MemoryReports(), question)
        model = self.settle(some_entries(1, 5))
        for question in (UsageQuestion(("day",), NOW + 900 * DAY), UsageQuestion(("user",), None, NOW - 900 * DAY)):
            self.compared(model, question)

    def test_clocks_change(self) -> None:
        """An hour that comes twice, one that is left out, and a change by half an hour."""
        for zone, moment in (
            ("Europe/Berlin", 1_698_541_200.0),  # 2023-10-29 01:00 UTC: three o'clock is two again.
            ("Europe/Berlin", 1_711_846_800.0),
            ("Australia/Lord_Howe", 1_696_087_800.0 + 900),
            ("Australia/Lord_Howe", 1_712_415_600.0),
        ):
            database = self.open()
            self.database, self.reports = database, UsageReports(database)
            model = self.settle([an_entry(n + 30, moment + n * 450.0) for n in range(-30, 30)])
            for groups in (("hour",), ("day",), ("day", "hour"), ("week", "month")):
                self.compared(model, UsageQuestion(groups, moment - 30 * 450.0, moment + 30 * 450.0, tz=zone))

    def test_other(self) -> None:
        """Models that nobody answered for are one row, alone and beside whatever else."""
        wrong = [an_entry(n, NOW, model=f"made-up-{n}", served_model="", status=404, user="anna") for n in range(5)]
        self.settle([*wrong, an_entry(9, NOW)])
        for groups in (
            ("model",),
            ("model", "user"),
            ("model", "user", "session"),
            ("served_model", "program", "user"),
        ):
            with row(groups):
                report = self.done(self.reports.grouped(UsageQuestion(groups)))
                found = {(each.keys[groups[0]], each.sums.requests) for each in report.rows}
                expected = {("other", 5)} if groups[0] == "model" else {(None, 5)}
                assert found - {("gpt-4o", 1), ("gpt-4o-2024-08-06", 1)} == expected, found
        report = self.done(self.reports.grouped(UsageQuestion(("project",), models=("made-up-1",))))
        assert report.rows == [], report
        found = self.done(self.reports.records(UsageQuestion(models=("made-up-1",)), 10))
        assert [each.model for each in found.items] == ["made-up-1"]

    def test_many_rows(self) -> None:
        """Of more rows than are shown the others are counted, and are in the totals."""
        entries = [an_entry(n, NOW + n, token_id=f"t{n:03}", cost=f"{n % 7}", user=f"u{n}") for n in range(40)]
        model = self.settle(entries)
        for groups in (("token",), ("user",), ("token", "user"), ("hour", "token"), ("session",)):
            for top in (1, 3, 39, 40, 41, None):
                self.compared(model, UsageQuestion(groups, top=top))

    def test_single_records_are_bounded(self) -> None:
        """What would take too long is refused, with words that say what to do; a shorter time is answered."""
        model = self.settle(some_entries(8, 300, 2 * DAY))
        self.patch(usagereport, "MOST_SCANNED", 100)  # type: ignore[attr-defined]
        self.patch(usagereport, "MOST_SUMS", 100)  # type: ignore[attr-defined]
        for groups in (("user", "session"), ("hour", "token", "model"), ("user", "token")):
            with row(groups):
                asking = self.reports.grouped(UsageQuestion(groups))
                error = self.failureResultOf(asking, BadRequest).value  # type: ignore[attr-defined]
                assert "ask for a shorter time" in str(error), error
                self.compared(model, UsageQuestion(groups, NOW, NOW + 0.5 * DAY))
        self.compared(model, UsageQuestion(("hour", "token", "model"), NOW, tokens=("t00",)))

    def test_pages(self) -> None:
        """Single records in pages, the latest first, each once; equal moments are in the order of ids."""
        entries = [*spread()[:80], *(an_entry(n, NOW + 5, id=f"same{n}") for n in range(9))]
        model = self.settle(entries)
        for question in (
            UsageQuestion(),
            UsageQuestion(since=NOW + 5, until=NOW + 2 * DAY + 0.5),
            UsageQuestion(projects=("p0", "p1"), models=("gpt-4o",), apis=("local",)),
            UsageQuestion(tokens=("t00",), since=entries[3].ended_at),
        ):
            with row(question):
                expected = self.done(model.records(question, 1000)).items
                found: list[Entry] = []
                after = None
                while True:
                    page = self.done(self.reports.records(question, 7, after))
                    found += page.items
                    if page.after is None:
                        break
                    after = page.after
                assert [each.id for each in found] == [each.id for each in expected]
                rounded = [msgspec.structs.replace(each, started_at=0.0, ended_at=0.0) for each in found]
                assert rounded == [msgspec.structs.replace(each, started_at=0.0, ended_at=0.0) for each in expected]

    def test_after(self) -> None:
        """A place that no page gave out is refused at once, and so is a page of nothing."""
        for limit, after in ((0, None), (5, "x"), (5, "WzFd"), (5, "")):
            with row(limit, after):
                try:
                    self.reports.records(UsageQuestion(), limit, after)
                except ValueError:
                    continue
                raise AssertionError("it was taken")

    def test_names(self) -> None:
        """Tokens have their names, those that were removed too, and their usage stays."""
        self.done(self.database.projects.create(project("p1")))
        for token_id, name in (("t1", "ci"), ("t2", "old ci"), ("t3", None)):
            self.done(self.database.tokens.create(token(token_id, name=name, expires_at=NOW - 5 * DAY)))
        self.settle([an_entry(n, NOW, project_id="p1", token_id=f"t{n}") for n in range(1, 5)])
        self.done(Deferred.fromCoroutine(EndedTokens(self.clock, self.database, DAY).clear()))
        self.done(self.database.tokens.create(token("t4", name="new")))
        names = self.done(self.reports.token_names([f"t{n}" for n in range(700)]))
        assert names == {"t1": "ci", "t2": "old ci", "t3": None, "t4": "new"}, names
        assert len(self.done(self.reports.grouped(UsageQuestion(("token",)))).rows) == 4
        assert self.done(self.reports.token_names([])) == {}

    def test_odd_names(self) -> None:
        """Whatever callers name, and call it, is found as it is; nothing of it is part of a statement or a path."""
        names = (
            'te"am',
            "te\\am",
            "tëam 東京",
            "a.b",
            "a[0]",
            "$",
            "%(x)s %s",
            ":x",
            "it's",
            "--",
            "-1_%",
            "*",
            "KEY",
            "key",
        )
        entries = [
            an_entry(at, NOW + at, metadata={name: f"{name}!", "same": "x"}, tags={name: "%"}, token_id="t1", user=name)
            for at, name in enumerate(names)
        ]
        model = self.settle(entries)
        for name in names:
            for kind in ("metadata.", "tag:"):
                self.compared(model, UsageQuestion((kind + name,)))
                self.compared(model, UsageQuestion((kind + name, "user")))
                self.compared(model, UsageQuestion((kind + name,), tokens=("t1",)))
        self.compared(model, UsageQuestion(("user",), models=("gpt-4o", "%s", ":x", "it's")))

    def test_future(self) -> None:
        """One record of a machine whose clock is years ahead makes no report impossible, and is in one of its time."""
        ahead = an_entry(1, NOW + 9000 * DAY)
        model = self.settle([ahead, an_entry(2, NOW), an_entry(3, NOW + 0.5 * DAY)])
        self.reports = UsageReports(self.database, self.clock.seconds)
        model.entries.remove(ahead)
        for groups in (("hour",), ("day", "user")):
            self.compared(model, UsageQuestion(groups))
        model.entries = [ahead]
        self.compared(model, UsageQuestion(("day",), NOW + 8999 * DAY, NOW + 9001 * DAY))

    def test_shown_at_once(self) -> None:
        """What was settled is in the next report."""
        records = UsageRecords(self.clock, self.database)
        for number in range(1, 4):
            self.done(records.settle([an_entry(number, NOW + number)]))
            assert self.done(self.reports.grouped(UsageQuestion(("day",)))).totals.requests == number

    def test_exact_moments(self) -> None:
        """A span includes its begin and not its end, to the microsecond for single records."""
        moments = [NOW, NOW + 1 / MICRO, NOW + 2 / MICRO]
        self.settle([an_entry(number, moment) for number, moment in enumerate(moments)])
        page = self.done(self.reports.records(attrs.evolve(UsageQuestion(), since=moments[1], until=moments[2]), 9))
        assert [each.id for each in page.items] == [f"{1:032x}"], page

    def test_latency(self) -> None:
        """
        How long the answers of a span took, of all, of a project and of a token; of many a part is looked at, and those
        of another span are not.
        """
        assert verifyObject(IUsageLatency, self.reports)
        entries = [
            an_entry(
                at,
                NOW + at * 20.0,
                duration=5.0 if at % 10 == 9 else 1.0,
                first_token=0.25 if at % 2 else None,
                project_id=f"p{at % 2}",
                token_id="slow" if at % 10 == 9 else "quick",
            )
            for at in range(600)
        ]
        self.settle([*entries, an_entry(1000, NOW - 50 * DAY, duration=90.0)])

        def found(since: float = NOW, until: float | None = NOW + 20_000, **more: Any) -> tuple[Any, ...]:
            question = UsageQuestion((), since, until, **more)
            return attrs.astuple(self.done(self.reports.latency(question)))

        assert found() == (1.0, 5.0, 0.25, 0.25, 600)
        assert found(projects=("p0",)) == (1.0, 1.0, None, None, 300)
        assert found(tokens=("slow",)) == (5.0, 5.0, 0.25, 0.25, 60)
        assert found(NOW + 30 * DAY, NOW + 31 * DAY) == (None, None, None, None, 0)
        # In a year of which they are in one part the last hundred of this part stand for it.
        self.reports = UsageReports(self.database, lambda: NOW + 13_000)
        p50, p95, *_, sampled = found(NOW - 300 * DAY, None)
        assert (p50, p95, sampled) == (1.0, 5.0, 101), (p50, p95, sampled)
        assert self.done(self.reports.latency(UsageQuestion((), models=("gpt-4o",)))) is None
        assert self.done(self.reports.latency(UsageQuestion((), projects=("p0", "p1")))) is None
