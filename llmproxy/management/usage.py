"""Rules of usage: what may be asked, and the reports, records and forecasts that answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from ..core import forecast as forecasts
from ..core.reportgroups import groups_of
from ..core.reportperiods import moment_of, zone_of
from ..core.reports import MOST_ROWS, UsageQuestion, UsageReport
from ..errors import BadRequest, NotFound, Unavailable
from ..interfaces import IUsageLatency
from .atonce import all_of
from .names import project_names
from .usageanswers import Names, plain, plain_forecast

if TYPE_CHECKING:
    from ..core.ledger.entry import Entry
    from ..interfaces import IProjectStore, ITokenStore, IUsageReports
    from ..message import Page

MOST_VALUES = 100
"""Of one filter."""


@frozen
class UsageParameters:
    """What is asked, as it was written; C{""} is not given. Lists have commas."""

    group_by: str = ""
    since: str = ""
    until: str = ""
    project_id: str = ""
    token_id: str = ""
    api: str = ""
    model: str = ""
    tz: str = ""
    top: int | None = None
    person_id: str = ""


def question_of(asked: UsageParameters, now: float) -> UsageQuestion:
    """
    @param now: seconds since the epoch.
    @raise BadRequest: something of it cannot be understood; the words say what, and what is expected.
    """
    zone = _read("tz", lambda: zone_of(asked.tz or "UTC"))
    since = _read("from", lambda: moment_of(asked.since, now, zone)) if asked.since else None
    until = _read("to", lambda: moment_of(asked.until, now, zone)) if asked.until else None
    if since is not None and until is not None and until < since:
        raise BadRequest(f"to: {asked.until!r} is before from, {asked.since!r}", message="invalid query")
    if asked.top is not None and not 1 <= asked.top <= MOST_ROWS:
        raise BadRequest(f"top: expected 1 to {MOST_ROWS}", message="invalid query")
    return UsageQuestion(
        _read("group_by", lambda: groups_of(asked.group_by)),
        since,
        until,
        _values("project_id", asked.project_id),
        _values("token_id", asked.token_id),
        _values("api", asked.api),
        _values("model", asked.model),
        asked.tz or "UTC",
        asked.top,
        _values("person_id", asked.person_id),
    )


def _read(name: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ValueError as error:
        raise BadRequest(f"{name}: {error}", message="invalid query") from None


def _values(name: str, text: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(value for part in text.split(",") if (value := part.strip())))
    if len(values) > MOST_VALUES:
        raise BadRequest(f"{name}: {len(values)} values, at most {MOST_VALUES} at a time", message="invalid query")
    return values


class UsageRules:
    """
    @param seconds: the time, since the epoch.
    @param reports: C{None} if no usage is kept where it can be asked for.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        projects: IProjectStore,
        tokens: ITokenStore,
        reports: IUsageReports | None,
    ) -> None:
        self._seconds = seconds
        self._projects = projects
        self._tokens = tokens
        self._reports = reports

    @property
    def is_kept(self) -> bool:
        """Whether any usage is kept."""
        return self._reports is not None

    def question(self, asked: UsageParameters, **fixed: Any) -> UsageQuestion:
        """
        See L{question_of}.

        @param fixed: filters that are not the asker's to choose, as they are.
        """
        return attrs.evolve(question_of(asked, self._seconds()), **fixed)

    async def report(
        self, question: UsageQuestion, *, with_forecast: bool = False, with_latency: bool = False
    ) -> dict[str, Any]:
        """
        A report as it is answered: C{from}, C{to}, C{tz}, C{data}, C{totals}, C{more}, and C{forecast} and C{latency}
        where they are asked for.

        @raise Unavailable: no usage is kept, or it cannot be asked for now.
        """
        reports = self._there()
        # All are asked at once: what they read is read together where a page asks.
        asking: list[Coroutine[Any, Any, Any]] = [self._shown(reports, question)]
        if with_forecast:
            asking.append(self._forecast(reports, question))
        if with_latency:
            asking.append(self._latency(reports, question))
        answer, *more = await all_of(asking)
        if with_forecast:
            answer["forecast"] = plain_forecast(more[0])
        if with_latency:
            answer["latency"] = None if more[-1] is None else attrs.asdict(more[-1])
        return dict(answer)

    async def _shown(self, reports: IUsageReports, question: UsageQuestion) -> dict[str, Any]:
        found = await reports.grouped(question)
        return plain(question, found, await self._names(question, found))

    async def _latency(self, reports: IUsageReports, question: UsageQuestion) -> Any:
        return await reports.latency(question) if IUsageLatency.providedBy(reports) else None

    async def sums(self, question: UsageQuestion) -> UsageReport:
        """
        A report as values.

        @raise Unavailable: likewise.
        """
        return await self._there().grouped(question)

    async def records(self, question: UsageQuestion, limit: int, after: str | None) -> Page[Entry]:
        """
        Single records; see L{IUsageReports.records}.

        @raise BadRequest: C{after} is none that a page gave out.
        @raise Unavailable: likewise.
        """
        reports = self._there()
        try:
            asking = reports.records(question, limit, after)
        except ValueError:
            raise BadRequest("expected the one of the link to the next page", message="invalid cursor") from None
        page: Page[Entry] = await asking
        return page

    async def of_project(self, project_id: str) -> str:
        """
        @raise NotFound: there is no such project.
        """
        if await self._projects.get(project_id) is None:
            raise NotFound(message="project not found")
        return project_id

    async def of_token(self, token_id: str) -> str:
        """
        @raise NotFound: there is no such token, and was none: one that was removed has left what it has used.
        """
        if await self._tokens.get(token_id) is None and token_id not in await self._there().token_names([token_id]):
            raise NotFound(message="token not found")
        return token_id

    def _there(self) -> IUsageReports:
        if self._reports is None:
            raise Unavailable("no usage is kept: ledger is off in the configuration", retry_after=3600)
        return self._reports

    async def _forecast(self, reports: IUsageReports, question: UsageQuestion) -> forecasts.Forecast:
        now, zone = self._seconds(), zone_of(question.tz)
        since = forecasts.since(now, zone)
        asked = attrs.evolve(question, group_by=("day",), since=since, until=None, top=None)
        found = await reports.grouped(asked)
        return forecasts.forecast({str(row.keys["day"]): row.sums.cost for row in found.rows}, now, zone)

    async def _names(self, question: UsageQuestion, report: UsageReport) -> Names:
        names: Names = {}
        if "project" in question.group_by:
            found = await project_names(_ids(report, "project"), self._projects)
            names["project"] = dict(found.items())
        if "token" in question.group_by:
            names["token"] = dict((await self._there().token_names(sorted(_ids(report, "token")))).items())
        if "person" in question.group_by:
            names["person"] = dict((await self._there().person_names(sorted(_ids(report, "person")))).items())
        return names


def _ids(report: UsageReport, group: str) -> set[str]:
    return {key for row in report.rows if isinstance(key := row.keys[group], str)}
