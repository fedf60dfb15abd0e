"""The event of a record: all that is remembered of an exchange, for those outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from itertools import count
from os import urandom
from typing import TYPE_CHECKING, Any

from ...usage import UNKNOWN, Usage
from ..prices import written
from .event import EXCHANGE, SCHEMA_VERSION, AttemptMade, Content, Event

if TYPE_CHECKING:
    from ...record import Call, Record

_NO_WORDS: dict[str, str] = {}

_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "images",
    "seconds",
)


class EventIds:
    """
    Ids that no other process gives: a random beginning, and a number.

    @param beginning: of them, C{None} for a random one. A process that is forked needs another.
    """

    def __init__(self, beginning: str | None = None) -> None:
        self._beginning = urandom(10).hex() if beginning is None else beginning
        self._numbers = count(1)

    def __call__(self) -> str:
        return f"{self._beginning}{next(self._numbers):012x}"


new_event_id = EventIds()

_moment, _UTC = datetime.fromtimestamp, timezone.utc


def event_of_record(record: Record, new_id: Callable[[], str] = new_event_id, content: Content | None = None) -> Event:
    """
    @param record: of an exchange that has ended, masked.
    @param new_id: for one that the ledger has not.
    @param content: what was said in it, where that is kept.
    """
    usage, said, part_of, trace = record.usage or UNKNOWN, record.attribution, record.part_of, record.trace
    first, upstream_first = record.first_byte, record.upstream_first_byte
    # By position, in the order of the fields: by name it takes more than twice as long, for every exchange.
    return Event(
        record.entry_id or new_id(),
        SCHEMA_VERSION,
        EXCHANGE,
        _moment(record.started_at, _UTC),
        record.request_id,
        "" if part_of is None else part_of.request_id,
        record.client,
        record.user_agent,
        record.method,
        record.path,
        record.api,
        record.endpoint,
        record.project_id,
        record.token_id,
        record.status,
        record.ended,
        record.error_code,
        record.cause,
        int(record.duration * 1_000_000 + 0.5) / 1000,
        None if first is None else int(first * 1_000_000 + 0.5) / 1000,
        None if upstream_first is None else int(upstream_first * 1_000_000 + 0.5) / 1000,
        _or_none(record.first_token),
        _or_none(record.streamed_for),
        record.bytes_in,
        record.bytes_out,
        record.attempts,
        record.upstream,
        record.provider,
        record.upstream_status,
        record.upstream_request_id,
        record.cache,
        record.streamed,
        record.model,
        record.served,
        usage.served_model,
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        usage.images,
        usage.seconds,
        record.estimated,
        record.truncated,
        usage.raw,  # type: ignore[arg-type]
        None if record.saved is None else _counts(record.saved),
        None if record.cost is None else written(record.cost),
        None if record.cost_saved is None else written(record.cost_saved),
        record.book,
        record.counted,
        "" if said is None else said.user,
        "" if said is None else said.session,
        "" if said is None else said.program,
        _NO_WORDS if said is None else said.tags,  # type: ignore[arg-type]
        _NO_WORDS if said is None else said.metadata,  # type: ignore[arg-type]
        record.response_id,
        record.scheme,
        record.version,
        "" if trace is None else trace.trace_id,
        "" if trace is None else trace.span_id,
        "" if trace is None else trace.parent_id,
        None if trace is None else trace.sampled,
        "" if trace is None else trace.state,
        None if record.calls is None else [_attempt(call, record) for call in record.calls],
        record.details,
        content,
        record.person_id,
    )


def _attempt(call: Call, record: Record) -> AttemptMade:
    start, trace = record.started_at, call.trace
    began = round((call.began - start) * 1000, 3)
    # The exchange is timed from a moment later than it is dated, and no call outlives it.
    took = rest = max(0.0, round(milliseconds(record.duration) - began, 3))
    if call.ended is not None:
        took = min(milliseconds(max(0.0, call.ended - call.began)), rest)
    # What a call to upstream was made for may have left before this exchange took over what it brings.
    own = record.trace is not None and (trace.trace_id, trace.span_id) == (record.trace.trace_id, record.trace.span_id)
    return AttemptMade(
        api=call.api,
        upstream=call.upstream,
        provider=call.provider,
        model=call.model,
        start_ms=began,
        duration_ms=took,
        head_ms=None if call.head is None else milliseconds(call.head - call.began),
        status=call.status,
        cause=call.cause,
        request_id=call.request_id,
        span_id=call.span_id,
        trace_id="" if own else trace.trace_id,
        parent_span_id="" if own else trace.span_id,
        host=call.address,
        port=call.port,
    )


def milliseconds(seconds: float) -> float:
    """To the microsecond."""
    return int(seconds * 1_000_000 + 0.5) / 1000


def _or_none(seconds: float | None) -> float | None:
    return None if seconds is None else int(seconds * 1_000_000 + 0.5) / 1000


def _counts(usage: Usage) -> dict[str, Any]:
    return {name: value for name in _COUNTS if (value := getattr(usage, name)) is not None}
