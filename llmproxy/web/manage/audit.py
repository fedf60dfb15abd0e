"""C{/manage/audit}: who did what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from twisted.internet.defer import Deferred, DeferredLock

from ...core.audit.encoding import encode
from ...core.audit.record import OUTCOMES, microseconds
from ...core.audit.search import EXACT, AuditFilter
from ...errors import BadRequest, NotFound, Unavailable
from ..operations import Call, Operation, Routes
from .paging import link_next
from .responses import moment

if TYPE_CHECKING:
    from ...core.audit.chain import Linked
    from ...interfaces import IAuditTrail

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
"""Both as in the reference, which takes a larger one for this."""

MAX_PAGE = 1_000_000
MAX_LIMIT = 1000

_Text = Annotated[str, Meta(max_length=512)]
_Time = Annotated[str, Meta(max_length=64, description="RFC 3339, with its offset from UTC.")]


class Search(Struct, forbid_unknown_fields=True):
    """Exact values of fields, a text that stands somewhere, a span of time; by page, or by C{limit} and C{cursor}."""

    action: _Text | UnsetType = UNSET
    actor: _Text | UnsetType = UNSET
    client_ip: _Text | UnsetType = UNSET
    correlation_id: _Text | UnsetType = UNSET
    method: _Text | UnsetType = UNSET
    outcome: _Text | UnsetType = UNSET
    path: Annotated[str, Meta(max_length=2048)] | UnsetType = UNSET
    project_id: _Text | UnsetType = UNSET
    request_id: _Text | UnsetType = UNSET
    token_id: _Text | UnsetType = UNSET
    search: _Text | UnsetType = UNSET
    start_time: _Time | UnsetType = UNSET
    end_time: _Time | UnsetType = UNSET
    page: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 1
    page_size: Annotated[int, Meta(ge=1, le=MAX_PAGE, description=f"More than {MAX_PAGE_SIZE} is {MAX_PAGE_SIZE}.")] = (
        PAGE_SIZE
    )
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] | UnsetType = UNSET
    cursor: Annotated[str, Meta(max_length=2048, description="Of the link to the next page.")] | UnsetType = UNSET


class Event(Struct, omit_defaults=True):
    """
    C{metadata} is JSON within a text, as in the reference. C{chain}, C{seq} and C{hash} are its place in a chain.
    """

    id: str
    timestamp: datetime
    action: str
    actor: str
    outcome: str
    project_id: str = ""
    request_id: str = ""
    correlation_id: str = ""
    client_ip: str = ""
    method: str = ""
    path: str = ""
    user_agent: str = ""
    reason: str = ""
    token_id: str = ""
    metadata: str = ""
    chain: str = ""
    seq: int = 0
    hash: str = ""


class Pagination(Struct):
    """With C{limit} or C{cursor}, nothing is counted: C{next_cursor} asks for what follows."""

    has_next: bool
    has_prev: bool | UnsetType = UNSET
    page: int | UnsetType = UNSET
    page_size: int | UnsetType = UNSET
    total_count: int | UnsetType = UNSET
    total_pages: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    next_cursor: str | UnsetType = UNSET
    searched_until: Annotated[
        datetime | UnsetType,
        Meta(description="A search has looked back to here, however few it has found; next_cursor goes on."),
    ] = UNSET


class EventPage(Struct):
    events: list[Event]
    pagination: Pagination


class VerifiedView(Struct):
    """What came of reading all records in the database; llmproxy audit verify compares them with the file, too."""

    records: int
    problem_count: int
    problems: Annotated[list[str], Meta(description="The first of them.")]
    notes: list[str]


class AuditEvents:
    """
    @param trail: C{None} if records are not kept where they can be asked for.
    @param flush: fires when what was noted until now can be found.
    """

    def __init__(self, trail: IAuditTrail | None, flush: Callable[[], Deferred[Any]]) -> None:
        self._trail = trail
        self._flush = flush
        self._verifying = DeferredLock()

    def routes(self) -> Routes:
        return {
            "/audit": {
                b"GET": Operation(
                    self.list,
                    query=Search,
                    answer=EventPage,
                    needs="audit.read",
                    action="audit.list",
                    summary="List what was done and refused, the latest first.",
                    errors=(Unavailable,),
                    paged=True,
                ),
            },
            "/audit/verify": {
                b"POST": Operation(
                    self.verify,
                    answer=VerifiedView,
                    needs="audit.read",
                    action="audit.verify",
                    summary="Say whether anybody tampered with the records in the database.",
                    errors=(Unavailable,),
                ),
            },
            "/audit/{event_id}": {
                b"GET": Operation(
                    self.show,
                    answer=Event,
                    needs="audit.read",
                    action="audit.show",
                    summary="Show one event.",
                    errors=(NotFound, Unavailable),
                ),
            },
        }

    async def list(self, call: Call) -> EventPage:
        trail = self._there("audit events not available")
        wanted = filter_of(call.query)
        await self._flush()
        by_keyset = call.query.limit is not UNSET or call.query.cursor is not UNSET
        answer = await (self._keyset if by_keyset else self._numbered)(trail, call, wanted)
        call.details["events_count"] = len(answer.events)
        return answer

    async def show(self, call: Call) -> Event:
        trail = self._there("audit event not available")
        await self._flush()
        link = await trail.get(call.path["event_id"])
        call.details["audit_event_id"] = call.path["event_id"]
        if link is None:
            raise NotFound(message="audit event not found")
        return event(link)

    async def verify(self, call: Call) -> VerifiedView:
        trail = self._there("audit events not available")
        await self._flush()
        # Each reads all of the log: one at a time.
        report = await self._verifying.run(trail.verify)
        call.details["problems"] = report.problem_count
        problems = [f"{each.where}: {each.what}" for each in report.problems]
        return VerifiedView(report.records, report.problem_count, problems, list(report.notes))

    def _there(self, words: str) -> IAuditTrail:
        if self._trail is None:
            error = Unavailable("AUDIT_STORE_IN_DB is off", retry_after=3600)
            error.message = words
            raise error
        return self._trail

    async def _numbered(self, trail: IAuditTrail, call: Call, wanted: AuditFilter) -> EventPage:
        page, size = call.query.page, min(call.query.page_size, MAX_PAGE_SIZE)
        total = await trail.count(wanted)
        links = await trail.rows((page - 1) * size, size, wanted)
        pages = -(-total // size)
        call.details |= {"page": page, "page_size": size, "total_count": total}
        counted = Pagination(page < pages, page > 1, page, size, total, pages)
        return EventPage([event(link) for link in links], counted)

    async def _keyset(self, trail: IAuditTrail, call: Call, wanted: AuditFilter) -> EventPage:
        query: Search = call.query
        limit = MAX_PAGE_SIZE if query.limit is UNSET else query.limit
        try:
            asking = trail.page(limit, query.cursor or None, wanted)
        except ValueError:
            raise BadRequest("expected the one of the link to the next page", message="invalid cursor") from None
        found = await asking
        link_next(call, found.after)
        after = UNSET if found.after is None else found.after
        until = UNSET if found.looked_back_to is None else moment(found.looked_back_to)
        counted = Pagination(found.after is not None, limit=limit, next_cursor=after, searched_until=until)
        return EventPage([event(link) for link in found.items], counted)


def filter_of(query: Search) -> AuditFilter:
    """
    @raise BadRequest: a time is none, or an outcome that there is not.
    """
    given = {name: value for name in (*EXACT, "search") if (value := getattr(query, name)) is not UNSET}
    if given.get("outcome", "success") not in OUTCOMES:
        raise BadRequest(f"expected one of {', '.join(OUTCOMES)}", message="invalid outcome")
    start, end = _moment("start_time", query.start_time), _moment("end_time", query.end_time)
    return AuditFilter(**given, start_time=start, end_time=end)


def event(link: Linked) -> Event:
    record = link.record
    texts = {name: getattr(record, name) for name in Event.__struct_fields__ if hasattr(record, name)}
    texts["timestamp"] = moment(record.timestamp / 1_000_000)
    metadata = encode(dict(record.details)).decode("ascii") if record.details else ""
    return Event(**texts, metadata=metadata, chain=link.chain, seq=link.seq, hash=link.hash)


def _moment(name: str, text: str | UnsetType) -> int | None:
    if text is UNSET:
        return None
    try:
        # A plus sign that was not escaped has become a space.
        return microseconds(text.replace(" ", "+"))
    except (ValueError, OverflowError):
        words = "expected RFC 3339 with an offset from UTC, such as 2026-01-31T12:00:00Z"
        raise BadRequest(words, message=f"invalid {name}") from None
