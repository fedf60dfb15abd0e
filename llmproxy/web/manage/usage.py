"""C{/manage/usage}: sums of what was used, and single records."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from ...core.csvcells import lines_of
from ...core.reports import MOST_ROWS, UsageQuestion
from ...errors import BadRequest, Unavailable
from ...management.usage import UsageParameters, UsageRules
from ...management.usageanswers import RECORD, cell, plain_record
from ..operations import Call, Operation, Routes
from ..streamed import Streamed
from .paging import MAX_PAGE, link_next
from .usageviews import UsageRecordView, UsageReport

if TYPE_CHECKING:
    from ...core.ledger.entry import Entry

PIECE = 100
"""Records of one piece of a streamed answer: nobody else waits longer than some milliseconds while they are written."""

JSONL, CSV = "application/jsonl", "text/csv"
"""Both in UTF-8; of the latter the first line has the names of the columns."""

_List = Annotated[str, Meta(max_length=8192, description="Several are separated by commas.")]
_Time = Annotated[
    str, Meta(max_length=64, description="RFC 3339, a day, a month, or how long ago: 90m, 24h, 7d, 2w, 1mo, 1y.")
]
_Zone = Annotated[str, Meta(max_length=64, description="The time zone that days begin in, of the IANA database.")]


class Span(Struct, forbid_unknown_fields=True):
    since: _Time = field(default="", name="from")
    until: _Time = field(default="", name="to")
    api: _List = ""
    model: _List = ""
    tz: _Zone = "UTC"


class TokenUsageFilter(Span, forbid_unknown_fields=True):
    """The parameters of a report on one token."""

    group_by: Annotated[
        str,
        Meta(
            max_length=1024,
            description="hour, day, week, month, project, token, api, model, served_model, "
            "endpoint, status, user, session, program, person, tag:NAME, metadata.NAME; several are separated by "
            "commas.",
        ),
    ] = ""
    top: Annotated[int, Meta(ge=1, le=MOST_ROWS, description="Only the rows that cost most.")] | UnsetType = UNSET
    forecast: Annotated[bool, Meta(description="Also what this month will cost at this rate.")] = False
    latency: Annotated[bool, Meta(description="Also how long answers took.")] = False


class ProjectUsageFilter(TokenUsageFilter, forbid_unknown_fields=True):
    """The parameters of a report on one project."""

    token_id: _List = ""
    person_id: _List = ""


class UsageFilter(ProjectUsageFilter, forbid_unknown_fields=True):
    """The parameters of a report."""

    project_id: _List = ""


class RecordFilter(Span, forbid_unknown_fields=True):
    """The parameters of a list of records."""

    token_id: _List = ""
    project_id: _List = ""
    person_id: _List = ""
    format: Annotated[
        Literal["json", "jsonl", "csv"],
        Meta(description="jsonl and csv are all records from the cursor on, at most limit if that is given."),
    ] = "json"
    limit: Annotated[int, Meta(ge=1, le=2**53 - 1, description=f"Of json at most {MAX_PAGE}.")] | UnsetType = UNSET
    cursor: Annotated[str, Meta(max_length=2048, description="Of the link to the next page.")] = ""


class UsageRoutes:
    """What can be asked of usage."""

    def __init__(self, rules: UsageRules) -> None:
        self._rules = rules

    def routes(self) -> Routes:
        return {
            "/usage": {b"GET": _report(self.report, UsageFilter, "usage.read", "Sum up usage and cost, by groups.")},
            "/projects/{project_id}/usage": {
                b"GET": _report(
                    self.of_project, ProjectUsageFilter, "usage.project", "Sum up the usage and cost of a project."
                )
            },
            "/tokens/{token_id}/usage": {
                b"GET": _report(self.of_token, TokenUsageFilter, "usage.token", "Sum up the usage and cost of a token.")
            },
            "/usage/records": {
                b"GET": Operation(
                    self.records,
                    query=RecordFilter,
                    answer=list[UsageRecordView],  # type: ignore[valid-type]
                    paged=True,
                    streams=(JSONL, CSV),
                    needs="usage.read",
                    action="usage.records",
                    summary="List single exchanges, those that ended last first.",
                    errors=(Unavailable,),
                ),
            },
        }

    async def report(self, call: Call) -> dict[str, Any]:
        return await self._report(call, call.query.token_id, call.query.project_id, call.query.person_id)

    async def of_project(self, call: Call) -> dict[str, Any]:
        project_id = call.path["project_id"]
        await self._rules.of_project(project_id)
        return await self._report(call, call.query.token_id, "", call.query.person_id, projects=(project_id,))

    async def of_token(self, call: Call) -> dict[str, Any]:
        token_id = call.path["token_id"]
        await self._rules.of_token(token_id)
        return await self._report(call, tokens=(token_id,))

    async def records(self, call: Call) -> list[dict[str, Any]] | Streamed:
        query: RecordFilter = call.query
        question = self._rules.question(_asked(query, query.token_id, query.project_id, query.person_id))
        if query.format != "json":
            return await self._streamed(question, query)
        limit = MAX_PAGE if query.limit is UNSET else query.limit
        if limit > MAX_PAGE:
            raise BadRequest(f"limit: at most {MAX_PAGE}; jsonl and csv have no limit", message="invalid query")
        page = await self._rules.records(question, limit, query.cursor or None)
        link_next(call, page.after)
        call.details["record_count"] = len(page.items)
        return [plain_record(entry) for entry in page.items]

    async def _report(
        self, call: Call, token_id: str = "", project_id: str = "", person_id: str = "", **fixed: tuple[str, ...]
    ) -> dict[str, Any]:
        query: TokenUsageFilter = call.query
        question = self._rules.question(report_asked(query, token_id, project_id, person_id), **fixed)
        return await self._rules.report(question, with_forecast=query.forecast, with_latency=query.latency)

    async def _streamed(self, question: UsageQuestion, query: RecordFilter) -> Streamed:
        limit = None if query.limit is UNSET else query.limit
        # What is wrong shows at the first page, before the answer has begun.
        first = await self._rules.records(question, min(PIECE, limit or PIECE), query.cursor or None)

        async def pieces() -> AsyncGenerator[bytes, None]:
            page, count = first, 0
            if query.format == "csv":
                yield lines_of([RECORD]).encode()
            while True:
                count += len(page.items)
                yield written(page.items, query.format)
                wanted = PIECE if limit is None else min(PIECE, limit - count)
                if page.after is None or not wanted:
                    return
                page = await self._rules.records(question, wanted, page.after)

        kind = CSV if query.format == "csv" else JSONL
        return Streamed(kind.encode(), f"usage.{query.format}", pieces)


def written(entries: Iterable[Entry], form: str) -> bytes:
    """The lines of records, C{csv} or C{jsonl}."""
    shown = [plain_record(entry) for entry in entries]
    if form == "csv":
        return lines_of([cell(record[name]) for name in RECORD] for record in shown).encode()
    return b"".join(msgspec.json.encode(record) + b"\n" for record in shown)


def _report(respond: Callable[[Call], Any], query: type[Struct], action: str, summary: str) -> Operation:
    return Operation(
        respond,
        query=query,
        answer=UsageReport,
        needs="usage.read",
        action=action,
        summary=summary,
        errors=(Unavailable,),
    )


def report_asked(
    query: TokenUsageFilter, token_id: str = "", project_id: str = "", person_id: str = ""
) -> UsageParameters:
    """What the parameters of a report ask."""
    top = None if query.top is UNSET else query.top
    return _asked(query, token_id, project_id, person_id, query.group_by, top)


def _asked(
    query: Span, token_id: str, project_id: str, person_id: str, group_by: str = "", top: int | None = None
) -> UsageParameters:
    return UsageParameters(
        group_by, query.since, query.until, project_id, token_id, query.api, query.model, query.tz, top, person_id
    )
