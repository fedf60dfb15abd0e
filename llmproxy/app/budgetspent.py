"""The past of limits: what was used of them before a process began to count, as the ledger in the database has it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, succeed

from ..core.limits.scopes import counts, question_of
from ..core.limits.sliding import WINDOW
from ..core.limits.values import PICO
from ..core.reports import QUARTER, UsageQuestion
from ..management.atonce import ended

if TYPE_CHECKING:
    from ..core.limits.values import Rule
    from ..interfaces import IUsageReports
    from ..ledger.ledger import Ledger
    from ..limits.restored import Past

T = TypeVar("T")

_OWNERS = {"project": "projects", "token": "tokens", "person": "persons"}
"""What budgets are of, and the filter of it."""

ANSWERS_WITHIN = 5.0
"""Seconds after which a database is not waited for any longer."""

PAGE = 1000
MOST_PAGES = 100
"""Records that are read of the quarter of an hour in which a budget was set back; reports know whole ones only."""


class BudgetsSpent:
    """
    @param clock: its C{seconds} are since the epoch.
    @param reports: C{None} where no usage is kept, so that budgets begin with the process.
    @param ledger: passes on what waits first, of this process and of dead ones.
    """

    def __init__(self, clock: Any, reports: IUsageReports | None, ledger: Callable[[], Ledger | None]) -> None:
        self._clock = clock
        self._reports = reports
        self._ledger = ledger

    def spent(self, rule: Rule) -> Deferred[int]:
        """
        Money that was spent in the present window, in L{PICO}; 0 where no ledger keeps that of such a rule. Fails where
        it cannot be known now.
        """
        return succeed(0) if self._reports is None else self._found(self._sum(rule, self._reports))

    def spent_of(self, rules: Sequence[Rule]) -> Deferred[list[int]]:
        """The same of several; those of projects, tokens and people, whose windows begin alike are asked at once."""
        return succeed([0] * len(rules)) if self._reports is None else self._found(self._sums(rules, self._reports))

    def _found(self, asked: Coroutine[Any, Any, T]) -> Deferred[T]:
        found: Deferred[T] = Deferred()
        # What it waits for others wait for too: it goes on, and nobody waits for it any longer.
        asking = Deferred.fromCoroutine(asked)
        asking.addCallbacks(
            lambda amount: None if found.called else found.callback(amount),
            lambda reason: None if found.called else found.errback(reason),
        )
        return found.addTimeout(ANSWERS_WITHIN, self._clock)

    def used(self, rule: Rule) -> Deferred[Past]:
        """
        What was used of a rate in the last minute, in the order of time; nothing where no ledger keeps that of such a
        rule. Fails likewise.
        """
        return succeed(()) if self._reports is None else self._found(self._recent(rule, self._reports))

    async def _recent(self, rule: Rule, reports: IUsageReports) -> Past:
        since = self._clock.seconds() - WINDOW
        question = question_of(rule, since)
        if question is None:
            return ()
        await self._settled()
        found: list[tuple[float, int]] = []
        total, after = 0, None
        for _ in range(MOST_PAGES):
            # The latest come first: what is older than as much as there may be has passed before there is room again.
            page = await reports.records(question, PAGE, after)
            for entry in page.items:
                amount = _amount(rule, entry, question)
                if amount and entry.started_at >= since:
                    found.append((entry.started_at, amount))
                    total += amount
            after = page.after
            if after is None or total >= rule.limit:
                break
        return sorted(found)

    async def _settled(self) -> None:
        ledger = self._ledger()
        if ledger is not None:
            await ledger.adopt()
            await ledger.flush()

    async def _sum(self, rule: Rule, reports: IUsageReports) -> int:
        begin = rule.span(self._clock.seconds())[0]
        question = question_of(rule, begin or None)
        if question is None:
            return 0
        await self._settled()
        report = await reports.grouped(question)
        total = sum((row.sums.cost for row in report.rows if counts(rule, dict(row.keys))), Decimal(0))
        if begin % QUARTER:
            total -= await self._before(rule, begin, reports)
        return max(0, int(total * PICO))

    async def _sums(self, rules: Sequence[Rule], reports: IUsageReports) -> list[int]:
        found: dict[int, int] = {}
        alike: dict[tuple[str, float], dict[str, list[int]]] = {}
        for at, rule in enumerate(rules):
            begin = rule.span(self._clock.seconds())[0]
            owner = _owner(rule)
            if owner is None or begin % QUARTER:
                found[at] = await self._sum(rule, reports)
            else:
                alike.setdefault((owner[0], begin), {}).setdefault(owner[1], []).append(at)
        if alike:
            await self._settled()
        questions = [_of_owners(kind, tuple(of), begin or None) for (kind, begin), of in alike.items()]
        answers = await ended([reports.grouped(each) for each in questions])
        for ((kind, _), of), report in zip(alike.items(), answers, strict=True):
            costs = {row.keys[kind]: row.sums.cost for row in report.rows}
            for id, places in of.items():
                found |= dict.fromkeys(places, max(0, int(costs.get(id, Decimal(0)) * PICO)))
        return [found[at] for at in range(len(rules))]

    async def _before(self, rule: Rule, begin: float, reports: IUsageReports) -> Decimal:
        """Of the quarter of an hour that the budget begins in, what was spent before that."""
        question = question_of(rule, begin // QUARTER * QUARTER, begin)
        assert question is not None, "asked before"
        total, after = Decimal(0), None
        for _ in range(MOST_PAGES):
            page = await reports.records(question, PAGE, after)
            for entry in page.items:
                if entry.cost is not None and _is_of(rule, entry, question):
                    total += Decimal(entry.cost)
            after = page.after
            if after is None:
                break
        return total


def _owner(rule: Rule) -> tuple[str, str] | None:
    """The one project, token or person that all of a rule is of, as kind and id; C{None} where it is not so."""
    kind, _, id = rule.scope.partition(":")
    if kind not in _OWNERS or question_of(rule, None) != attrs.evolve(_of_owners(kind, (id,)), group_by=()):
        return None
    return kind, id


def _of_owners(kind: str, ids: tuple[str, ...], since: float | None = None) -> UsageQuestion:
    """What each of these projects, tokens or people has used."""
    filters: dict[str, Any] = {_OWNERS[kind]: ids}
    return attrs.evolve(UsageQuestion((kind,), since), **filters)


def _amount(rule: Rule, entry: Any, question: UsageQuestion) -> int:
    """What a record counts of a rate."""
    if not entry.counted or not _is_of(rule, entry, question):
        return 0
    return 1 if rule.kind == "requests" else (entry.input_tokens or 0) + (entry.output_tokens or 0)


def _is_of(rule: Rule, entry: Any, question: UsageQuestion) -> bool:
    return counts(rule, {name: _of(entry, name) for name in question.group_by})


def _of(entry: Any, group: str) -> str | None:
    if group.startswith("tag:"):
        return (entry.tags or {}).get(group.removeprefix("tag:"))
    found: str = getattr(entry, group)
    return found
