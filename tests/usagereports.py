"""Usage in memory: what L{llmproxy.interfaces.IUsageReports} means, in the plainest way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.reportgroups import METADATA, PERIODS, TAG
from llmproxy.core.reportperiods import label, zone_of
from llmproxy.core.reports import SUMS, Key, UsageQuestion, UsageReport, UsageRow, UsageSums, report_of
from llmproxy.interfaces import IUsageReports
from llmproxy.message import Page

DAY = 86_400


@implementer(IUsageReports)
class MemoryReports:
    """
    @ivar asked: every question.
    @ivar names: of tokens that there are, or were.
    @ivar broken: what the next calls fail with, in their order; C{None} does not.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)
        self._sums: dict[str, UsageSums] = {}
        self.asked: list[UsageQuestion] = []
        self.broken: list[Exception | None] = []
        self.names: dict[str, str | None] = {}

    def grouped(self, question: UsageQuestion) -> Deferred[UsageReport]:
        self.asked.append(question)
        failing = self._failing()
        if failing is not None:
            return failing
        rows = [
            UsageRow({group: key_of(entry, group, question.tz) for group in question.group_by}, self._sums_of(entry))
            for entry in matching(self.entries, question.aligned())
        ]
        return succeed(report_of(question, rows))

    def records(self, question: UsageQuestion, limit: int, after: str | None = None) -> Deferred[Page[Entry]]:
        self.asked.append(question)
        if limit < 1:
            raise ValueError("limit: expected 1 or more")
        if after is not None and not after.isdecimal():
            raise ValueError("after: expected what the page before gave")
        failing = self._failing()
        if failing is not None:
            return failing
        found = sorted(matching(self.entries, question), key=lambda each: (each.ended_at, each.id), reverse=True)
        start = int(after or 0)
        end = start + limit
        return succeed(Page(found[start:end], str(end) if len(found) > end else None))

    def token_names(self, ids: Sequence[str]) -> Deferred[dict[str, str | None]]:
        return succeed({each: self.names[each] for each in ids if each in self.names})

    def person_names(self, ids: Sequence[str]) -> Deferred[dict[str, str | None]]:
        return self.token_names(ids)

    def _sums_of(self, entry: Entry) -> UsageSums:
        found = self._sums.get(entry.id)
        if found is None:
            found = self._sums[entry.id] = sums_of(entry)
        return found

    def _failing(self) -> Deferred | None:
        error = self.broken.pop(0) if self.broken else None
        if error is None:
            return None
        failed: Deferred = Deferred()
        failed.errback(error)
        return failed


def matching(entries: Iterable[Entry], question: UsageQuestion) -> list[Entry]:
    """Those that a question is about."""
    filters = (
        ("project_id", question.projects),
        ("token_id", question.tokens),
        ("api", question.apis),
        ("model", question.models),
        ("person_id", question.persons),
    )
    return [
        entry
        for entry in entries
        if entry.ended_at is not None
        and (question.since is None or entry.ended_at >= question.since)
        and (question.until is None or entry.ended_at < question.until)
        and all(not values or getattr(entry, name) in values for name, values in filters)
    ]


def key_of(entry: Entry, group: str, tz: str) -> Key:
    """The group that an exchange is in."""
    if group in PERIODS:
        assert entry.ended_at is not None
        return label(group, entry.ended_at, zone_of(tz))
    for kind, values in ((TAG, entry.tags), (METADATA, entry.metadata)):
        if group.startswith(kind):
            return values.get(group.removeprefix(kind))
    key: Key = getattr(entry, {each: f"{each}_id" for each in ("project", "token", "person")}.get(group, group))
    return key


def sums_of(entry: Entry) -> UsageSums:
    """What one exchange adds to every sum."""
    known = {name: getattr(entry, name) or 0 for name in SUMS if hasattr(entry, name)}
    counted = {
        "requests": 1,
        "errors": int(entry.status >= 400 or entry.ending != "complete"),
        "cost": Decimal(entry.cost or 0),
        "cost_saved": Decimal(entry.cost_saved or 0),
        "cache_hits": int(entry.cache == "hit"),
        **{name: int(getattr(entry, name)) for name in ("unknown", "estimated", "truncated")},
        "unpriced": int(_is_counted(entry) and entry.cost is None),
    }
    return UsageSums(**{**known, **counted})


def _is_counted(entry: Entry) -> bool:
    return any(each is not None for each in (entry.input_tokens, entry.output_tokens, entry.images, entry.seconds))


def an_entry(number: int, ended_at: float, **more: object) -> Entry:
    """An exchange that went well and cost a cent."""
    made = Entry(
        f"{number:032x}",
        ended_at - 1,
        ended_at,
        request_id=f"r-{number}",
        status=200,
        ending="complete",
        api="openai",
        endpoint="/v1/chat/completions",
        method="POST",
        model="gpt-4o",
        served_model="gpt-4o-2024-08-06",
        duration=1.0,
        attempts=1,
        counted=True,
        input_tokens=1000,
        cached_input_tokens=100,
        output_tokens=200,
        cost="0.01",
        raw=b'{"prompt_tokens":1000,"completion_tokens":200}',
    )
    return msgspec.structs.replace(made, **more)
