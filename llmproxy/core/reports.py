"""Reports of usage: the question, and the sums that answer it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs
from attrs import define, field, frozen

from .reportgroups import PERIODS

QUARTER = 900.0
"""Seconds. Sums are kept by the quarter hour, which every offset from UTC that is in use is a multiple of."""

MOST_ROWS = 10_000
"""Rows of one report; beyond them those that cost least are left out, and counted in L{UsageReport.more}."""

Key = str | int | None
"""What a group is: an id, a name, a period as L{llmproxy.core.reportperiods.label} writes it, a status; C{None} where
it is not known."""


@frozen
class UsageQuestion:
    """
    What of usage is asked for. Each filter that is not empty must hold: one of its values is the record's.

    @ivar group_by: names of groups, see L{llmproxy.core.reportgroups}, each once; the first is the coarsest.
    @ivar since: seconds since the epoch, included; C{None} from the first record on.
    @ivar until: likewise, not included; C{None} for up to now.
    @ivar projects: ids, as are C{tokens}.
    @ivar models: those that were asked for.
    @ivar persons: ids of people who sign in.
    @ivar totals: whether anybody looks at the totals, and at what is in no group; else both may be missing.
    @ivar tz: the name of the time zone (IANA) that periods begin in.
    @ivar top: how many rows, those that cost most; C{None} for all, up to L{MOST_ROWS}.
    """

    group_by: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    projects: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    apis: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tz: str = "UTC"
    top: int | None = None
    persons: tuple[str, ...] = ()
    totals: bool = True

    def aligned(self) -> UsageQuestion:
        """The same, its span widened to whole quarters of an hour: what a report covers."""
        since = None if self.since is None else self.since // QUARTER * QUARTER
        until = None if self.until is None else -(-self.until // QUARTER) * QUARTER
        return attrs.evolve(self, since=since, until=until)


@define
class UsageSums:
    """
    Sums over exchanges. Of tokens, pictures and seconds what is known is added up; C{unknown} says how much is not.

    @ivar requests: exchanges whose caller was known, answered by upstream or the cache, or refused by the proxy.
    @ivar errors: those of them with a status of 400 or more, or that did not come to their end.
    @ivar seconds: of audio.
    @ivar cost: USD, exact.
    @ivar cache_hits: answered from the cache.
    @ivar cost_saved: USD that those did not cost again.
    @ivar unknown: exchanges whose answer was looked at and said nothing of its usage.
    @ivar estimated: those whose usage is in part our own estimate.
    @ivar truncated: those whose answer was cut, and whose usage is what was seen until then.
    @ivar unpriced: those whose usage is known, and what it costs is not.
    """

    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    images: int = 0
    seconds: float = 0.0
    cost: Decimal = Decimal(0)
    cache_hits: int = 0
    cost_saved: Decimal = Decimal(0)
    unknown: int = 0
    estimated: int = 0
    truncated: int = 0
    unpriced: int = 0

    def add(self, other: UsageSums) -> None:
        """Add another's to these."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


SUMS: tuple[str, ...] = tuple(each.name for each in attrs.fields(UsageSums))
"""The names of the sums, in the order of a report."""


@frozen
class UsageRow:
    """
    @ivar keys: by the names of C{group_by}; empty where nothing is grouped.
    """

    keys: Mapping[str, Key]
    sums: UsageSums


@frozen
class UsageReport:
    """
    @ivar rows: with periods first, in their order; else those that cost most first.
    @ivar totals: of everything that was asked for, the rows that are left out included.
    @ivar since: what the sums cover, see L{UsageQuestion.aligned}; C{None} as there.
    @ivar more: rows that were left out.
    """

    rows: list[UsageRow]
    totals: UsageSums = field(factory=UsageSums)
    since: float | None = None
    until: float | None = None
    more: int = 0


def money(amount: Decimal) -> str:
    """USD as a decimal number without exponent and idle zeros: exact, and the same text for the same amount."""
    text = format(amount, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def report_of(question: UsageQuestion, rows: Iterable[UsageRow]) -> UsageReport:
    """
    The report that rows in any order make. Rows with equal keys are added up; C{""} as a key is C{None}.

    @param rows: grouped at least as finely as is asked for: keys that are not asked for are left out.
    """
    totals = UsageSums()
    found: dict[tuple[Key, ...], UsageSums] = {}
    for row in rows:
        key = tuple(None if row.keys[name] == "" else row.keys[name] for name in question.group_by)
        found.setdefault(key, UsageSums()).add(row.sums)
        totals.add(row.sums)
    return arranged(question, found, totals)


def arranged(question: UsageQuestion, found: Mapping[tuple[Key, ...], UsageSums], totals: UsageSums) -> UsageReport:
    """
    The report of sums that are by the keys of C{group_by}, C{None} for what is not known.

    @param totals: of all of them.
    """
    question = question.aligned()
    groups = question.group_by
    ordered = sorted(found.items(), key=lambda pair: (_most_first(pair[1]), _order(pair[0])))
    shown = ordered[: question.top or MOST_ROWS]
    if question.top is None:
        periods = [at for at, name in enumerate(groups) if name in PERIODS]
        # The sort is stable: within a period the most costly stays first.
        shown.sort(key=lambda pair: _order(tuple(pair[0][at] for at in periods)))
    made = [UsageRow(dict(zip(groups, key, strict=True)), sums) for key, sums in shown]
    return UsageReport(made, totals, question.since, question.until, len(ordered) - len(made))


def _most_first(sums: UsageSums) -> tuple[Decimal | int, ...]:
    return -sums.cost, -(sums.input_tokens + sums.output_tokens), -sums.requests


def _order(key: tuple[Key, ...]) -> tuple[tuple[bool, int, str], ...]:
    """What is not known is last."""
    return tuple((part is None, part if isinstance(part, int) else 0, str(part)) for part in key)
