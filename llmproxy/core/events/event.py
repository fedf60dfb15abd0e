"""
Events: what is said of an exchange that has ended, and of what else happened, to whom it concerns outside.

This is schema 1. A field is added under the same version; one that is renamed, or means something else, is another
version. Readers ignore fields that they do not know. C{docs/events.md} describes each.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec

SCHEMA_VERSION = 1

NO_TIME = datetime.fromtimestamp(0, timezone.utc)
"""Of events of the reference, which say none."""

EXCHANGE = "exchange"
"""The kind of an event that tells of an exchange."""


class Content(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """
    What was said in an exchange, where somebody decided that it is kept.

    @ivar request_headers: those that were chosen, by their name in lower case.
    @ivar response_headers: likewise.
    @ivar request_body: JSON where it is JSON, else text; C{None} for none, or where it was left out.
    @ivar response_body: likewise; of a stream, what a plain call would have answered.
    @ivar request_truncated: there was more of it than is kept.
    @ivar response_truncated: likewise.
    @ivar request_omitted: why its body is not here: C{binary}, C{undecodable}, C{too_large}...; C{""} where it is.
    @ivar response_omitted: likewise.
    @ivar merged: the answer was a stream, and its parts are put together here.
    """

    request_headers: dict[str, list[str]] = {}
    response_headers: dict[str, list[str]] = {}
    request_body: Any = None
    response_body: Any = None
    request_truncated: bool = False
    response_truncated: bool = False
    request_omitted: str = ""
    response_omitted: str = ""
    merged: bool = False


class AttemptMade(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """
    One attempt of an exchange at an upstream.

    @ivar api: that it is of.
    @ivar upstream: its name.
    @ivar provider: whose it is.
    @ivar model: what it was asked for, where it has another name for it; else C{""}.
    @ivar start_ms: milliseconds from the start of the exchange.
    @ivar duration_ms: until its answer had come whole, or was given up.
    @ivar head_ms: until the head of its answer had come; C{None} where none did.
    @ivar status: what it answered; 0 for nothing.
    @ivar cause: why it answered nothing, or not to the end; see L{llmproxy.record.Call}.
    @ivar request_id: the id that upstream gave the request.
    @ivar span_id: under which it was passed on, 16 hexadecimal digits; C{""} for none.
    @ivar trace_id: of the trace that it belongs to, where that is not the exchange's: it was made for another one,
        which left; C{parent_span_id} is what is above it there.
    @ivar host: where it went, without a port; C{""} if unknown.
    @ivar port: likewise; 0 if unknown.
    """

    api: str = ""
    upstream: str = ""
    provider: str = ""
    model: str = ""
    start_ms: float = 0.0
    duration_ms: float = 0.0
    head_ms: float | None = None
    status: int = 0
    cause: str = ""
    request_id: str = ""
    span_id: str = ""
    trace_id: str = ""
    parent_span_id: str = ""
    host: str = ""
    port: int = 0


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    One event. What has its default is not written: no number where nothing was counted, no text where nothing is known.

    Names and units are those of the access log: milliseconds, bytes, USD as a decimal text.

    @ivar id: unique; the same whenever this event is sent again, so that a receiver can tell.
    @ivar schema_version: L{SCHEMA_VERSION}.
    @ivar kind: C{exchange}, or what else happened: C{audit.project.create}, C{budget.soft}, C{upstream.ejected}...
    @ivar time: when it began, in UTC; of what has no duration, when it was.
    @ivar part_of: the request id of the exchange that this call to upstream was made for.
    @ivar usage: the provider's own object of what was used.
    @ivar saved: what an answer of the cache had used when it came: counts by their names here.
    @ivar price_book: the version of the prices that C{cost} is made with.
    @ivar response_id: the id that the provider gave its answer, where it is traced.
    @ivar scheme: C{http} or C{https}, as the client asked, where it is traced; C{http_version} likewise.
    @ivar trace_id: of the trace that it belongs to, 32 hexadecimal digits; C{""} for none.
    @ivar span_id: of the exchange itself, 16 of them; C{""} for none.
    @ivar parent_span_id: what the client said is above; C{""} for none.
    @ivar trace_sampled: whether its spans are kept; C{None} where it has no trace.
    @ivar trace_state: the client's C{tracestate}; C{""} for none.
    @ivar attempts_made: one by one, where they were noted.
    @ivar details: what belongs to this kind alone; of an exchange, what layers added.
    @ivar content: where the API has it captured.
    @ivar person_id: whose token it was, where somebody got it by signing in.
    """

    id: str
    schema_version: int = 0
    kind: str = ""
    time: datetime = NO_TIME
    request_id: str = ""
    part_of: str = ""
    client: str = ""
    user_agent: str = ""
    method: str = ""
    path: str = ""
    api: str = ""
    endpoint: str = ""
    project_id: str = ""
    token_id: str = ""
    status: int = 0
    ended: str = ""
    error_code: str = ""
    cause: str = ""
    duration_ms: float = 0.0
    first_byte_ms: float | None = None
    upstream_first_byte_ms: float | None = None
    first_token_ms: float | None = None
    streamed_for_ms: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    attempts: int = 0
    upstream: str = ""
    provider: str = ""
    upstream_status: int = 0
    upstream_request_id: str = ""
    cache: str = ""
    streamed: bool = False
    model: str = ""
    upstream_model: str = ""
    served_model: str = ""
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    images: int | None = None
    seconds: float | None = None
    estimated: bool = False
    truncated: bool = False
    usage: dict[str, Any] | None = None
    saved: dict[str, Any] | None = None
    cost: str | None = None
    cost_saved: str | None = None
    price_book: str = ""
    counted: bool = False
    user: str = ""
    session: str = ""
    program: str = ""
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    response_id: str = ""
    scheme: str = ""
    http_version: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_sampled: bool | None = None
    trace_state: str = ""
    attempts_made: list[AttemptMade] | None = None
    details: dict[str, Any] | None = None
    content: Content | None = None
    person_id: str = ""
