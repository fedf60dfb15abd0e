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


def event_of_record(record: Record, new_id: Callable[[], str] = new_event_id, content: Content | None = None) -> Event:
    """
    @param record: of an exchange that has ended, masked.
    @param new_id: for one that the ledger has not.
    @param content: what was said in it, where that is kept.
    """
    usage, said, part_of, trace = record.usage or UNKNOWN, record.attribution, record.part_of, record.trace
    return Event(
        id=record.entry_id or new_id(),
        schema_version=SCHEMA_VERSION,
        kind=EXCHANGE,
        time=datetime.fromtimestamp(record.started_at, timezone.utc),
        request_id=record.request_id,
        part_of="" if part_of is None else part_of.request_id,
        client=record.client,
        user_agent=record.user_agent,
        method=record.method,
        path=record.path,
        api=record.api,
        endpoint=record.endpoint,
        project_id=record.project_id,
        token_id=record.token_id,
        status=record.status,
        ended=record.ended,
        error_code=record.error_code,
        cause=record.cause,
        duration_ms=milliseconds(record.duration),
        first_byte_ms=_or_none(record.first_byte),
        upstream_first_byte_ms=_or_none(record.upstream_first_byte),
        first_token_ms=_or_none(record.first_token),
        streamed_for_ms=_or_none(record.streamed_for),
        bytes_in=record.bytes_in,
        bytes_out=record.bytes_out,
        attempts=record.attempts,
        upstream=record.upstream,
        provider=record.provider,
        upstream_status=record.upstream_status,
        upstream_request_id=record.upstream_request_id,
        cache=record.cache,
        streamed=record.streamed,
        model=record.model,
        upstream_model=record.served,
        served_model=usage.served_model,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        audio_input_tokens=usage.audio_input_tokens,
        audio_output_tokens=usage.audio_output_tokens,
        images=usage.images,
        seconds=usage.seconds,
        estimated=record.estimated,
        truncated=record.truncated,
        usage=usage.raw,  # type: ignore[arg-type]
        saved=None if record.saved is None else _counts(record.saved),
        cost=None if record.cost is None else written(record.cost),
        cost_saved=None if record.cost_saved is None else written(record.cost_saved),
        price_book=record.book,
        counted=record.counted,
        user="" if said is None else said.user,
        session="" if said is None else said.session,
        program="" if said is None else said.program,
        tags=_NO_WORDS if said is None else said.tags,  # type: ignore[arg-type]
        metadata=_NO_WORDS if said is None else said.metadata,  # type: ignore[arg-type]
        response_id=record.response_id,
        scheme=record.scheme,
        http_version=record.version,
        trace_id="" if trace is None else trace.trace_id,
        span_id="" if trace is None else trace.span_id,
        parent_span_id="" if trace is None else trace.parent_id,
        trace_sampled=None if trace is None else trace.sampled,
        trace_state="" if trace is None else trace.state,
        attempts_made=None if record.calls is None else [_attempt(call, record) for call in record.calls],
        details=record.details,
        content=content,
    )


def _attempt(call: Call, record: Record) -> AttemptMade:
    start, trace = record.started_at, call.trace
    ended = record.started_at + record.duration if call.ended is None else call.ended
    # What a call to upstream was made for may have left before this exchange took over what it brings.
    own = record.trace is not None and (trace.trace_id, trace.span_id) == (record.trace.trace_id, record.trace.span_id)
    return AttemptMade(
        api=call.api,
        upstream=call.upstream,
        provider=call.provider,
        model=call.model,
        start_ms=round((call.began - start) * 1000, 3),
        duration_ms=milliseconds(max(0.0, ended - call.began)),
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
