"""
Spans of an exchange: one for the exchange, and one for each upstream that was asked.

Their ids are those under which the exchange was passed on; where it was not traced they are made of the event's id, so
that an event that is delivered twice makes the same spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from ..events.event import AttemptMade
from .conventions import Semconv, named, operation_of
from .messages import spoken

if TYPE_CHECKING:
    from ..events.event import Event

Value = str | bool | int | float | Sequence[str]
"""Of an attribute."""

Attributes = dict[str, Value]

METHODS = frozenset("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY".split())
"""Those that C{http.request.method} knows; others are C{_OTHER}."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_FAULTS = frozenset({"upstream_failed", "timeout", "failed", "shutdown", "revoked"})
"""Endings that are errors of ours or of those behind us, whatever status the client has got."""


@frozen
class SpanValue:
    """
    One span. Times are nanoseconds since the epoch.

    @ivar kind: C{server}, C{client} or C{internal}.
    @ivar parent_id: C{""} for none.
    @ivar remote: the parent is a span of somebody else.
    @ivar state: the C{tracestate} of the caller.
    @ivar error: it ended in an error.
    @ivar why: what the error was, where its attributes do not say so.
    """

    name: str
    kind: Literal["server", "client", "internal"]
    trace_id: str
    span_id: str
    parent_id: str
    remote: bool
    state: str
    start: int
    end: int
    attributes: Attributes = field(repr=False)
    error: bool = False
    why: str = ""


def is_kept(event: Event) -> bool:
    """Whether the sampler, or the caller where nothing sampled, has its spans kept."""
    return event.trace_sampled is not False


def spans_of(event: Event, semconv: Semconv) -> list[SpanValue]:
    """
    The span of an exchange, and those of its calls.

    @param event: of an exchange.
    """
    start = nanoseconds(event.time)
    trace_id = event.trace_id or made_id(event.id, "trace")[:32]
    span_id = event.span_id or made_id(event.id, "span")[:16]
    background = is_background(event)
    parent_id = event.span_id if background else event.parent_span_id
    if background:
        span_id = made_id(event.id, "span")[:16]
    error, why = failure_of(event)
    found = [
        SpanValue(
            name_of(event),
            "internal" if background else "server",
            trace_id,
            span_id,
            parent_id,
            bool(parent_id) and not background,
            event.trace_state,
            start,
            start + duration(event.duration_ms),
            server_attributes(event),
            error,
            why,
        )
    ]
    calls = calls_of(event)
    for number, call in enumerate(calls):
        began = start + duration(call.start_ms)
        found.append(
            SpanValue(
                call_name(event, call),
                "client",
                call.trace_id or trace_id,
                call.span_id or made_id(event.id, f"call {number}")[:16],
                call.parent_span_id or span_id,
                False,
                event.trace_state,
                began,
                began + duration(call.duration_ms),
                call_attributes(event, call, semconv, number, answers=number == answering(calls)),
                bool(error_type(call)),
            )
        )
    return found


def is_background(event: Event) -> bool:
    """Whether no client waited for it: what is stored was asked for anew."""
    return bool(event.details) and "background" in (event.details or {})


def calls_of(event: Event) -> Sequence[AttemptMade]:
    """
    The calls that were made for an exchange. Where they were not noted one by one, the one that answered is known by
    what the exchange says of it, and those before it by their durations alone.
    """
    if event.attempts_made is not None or not event.attempts:
        return event.attempts_made or ()
    head = event.upstream_first_byte_ms
    tried = (event.details or {}).get("tried")
    found, at = [], 0.0
    for each in tried[:-1] if isinstance(tried, list) and len(tried) > 1 else ():
        if isinstance(each, Mapping):
            took = _number(each.get("took"))
            found.append(
                AttemptMade(
                    api=event.api,
                    upstream=str(each.get("upstream", "")),
                    provider=event.provider,
                    start_ms=at,
                    duration_ms=took,
                    status=int(_number(each.get("status"))),
                    cause=str(each.get("cause", "")),
                )
            )
            at += took
    whole = AttemptMade(
        api=event.api,
        upstream=event.upstream,
        provider=event.provider,
        model=event.upstream_model,
        start_ms=at,
        duration_ms=max(0.0, event.duration_ms - at),
        head_ms=None if head is None else max(0.0, head - at),
        status=event.upstream_status,
        cause=event.cause,
        request_id=event.upstream_request_id,
    )
    return (*found, whole)


def answering(calls: Sequence[AttemptMade]) -> int:
    """Which call the exchange's usage and answer are of: the last that answered and was not given up, or the last."""
    whole = [number for number, call in enumerate(calls) if call.status and call.cause != "cancelled"]
    return whole[-1] if whole else len(calls) - 1


# -- names


def name_of(event: Event) -> str:
    """The name of the exchange's span: few, whatever clients ask for."""
    if is_background(event):
        return "cache revalidation"
    method = event.method if event.method in METHODS else "HTTP"
    return f"{method} {event.endpoint}" if event.endpoint else method


def call_name(event: Event, call: AttemptMade) -> str:
    operation = operation_of(event.method, event.path)
    if not operation:
        return event.method if event.method in METHODS else "HTTP"
    model = call.model or event.model
    return f"{operation} {model}" if model else operation


# -- attributes


def server_attributes(event: Event) -> Attributes:
    """What is said of an exchange; what is not known is left out."""
    found: Attributes = http_attributes(event)
    status = event.status
    words: Mapping[str, Value | None] = {
        "url.path": event.path,
        "url.scheme": event.scheme,
        "http.route": event.endpoint,
        "network.protocol.name": "http" if event.http_version else "",
        "network.protocol.version": event.http_version,
        "client.address": event.client,
        "user_agent.original": event.user_agent,
        "http.response.status_code": status,
        "http.request.body.size": event.bytes_in,
        "http.response.body.size": event.bytes_out,
        "error.type": server_error_type(event),
        "user.id": event.user,
        "session.id": event.session,
        "llmproxy.request_id": event.request_id,
        "llmproxy.event_id": event.id,
        "llmproxy.api": event.api,
        "llmproxy.project_id": event.project_id,
        "llmproxy.token_id": event.token_id,
        "llmproxy.person_id": event.person_id,
        "llmproxy.ended": event.ended,
        "llmproxy.error_code": event.error_code,
        "llmproxy.cause": event.cause,
        "llmproxy.cache": event.cache,
        "llmproxy.upstream": event.upstream,
        "llmproxy.program": event.program,
        "llmproxy.attempts": event.attempts,
        "llmproxy.model": event.model,
    }
    found.update({name: value for name, value in words.items() if value})
    if event.cost_saved is not None:
        found["llmproxy.cost_saved"] = _number(event.cost_saved)
    if event.first_byte_ms is not None:
        found["llmproxy.first_byte"] = event.first_byte_ms / 1000
    for name, detail in (event.details or {}).items():
        if isinstance(detail, str | int | float):
            found.setdefault(f"llmproxy.{name}", detail)
    found.update({f"llmproxy.tag.{name}": value for name, value in event.tags.items()})
    found.update({f"llmproxy.metadata.{name}": value for name, value in event.metadata.items()})
    return found


def http_attributes(event: Event) -> Attributes:
    """The method, as the conventions have it."""
    if event.method in METHODS:
        return {"http.request.method": event.method}
    return {"http.request.method": "_OTHER", "http.request.method_original": event.method} if event.method else {}


def call_attributes(event: Event, call: AttemptMade, semconv: Semconv, number: int, *, answers: bool) -> Attributes:
    """
    What is said of a call.

    @param number: of the call, from 0.
    @param answers: what the exchange has used and said is of this one.
    """
    found = http_attributes(event)
    operation = operation_of(event.method, event.path)
    if operation:
        found["gen_ai.operation.name"] = operation
        found.update(named(semconv, call.provider, call.host))
    found.update(
        {
            name: value
            for name, value in (
                ("server.address", call.host),
                ("server.port", call.port),
                ("http.response.status_code", call.status),
                ("http.request.resend_count", number),
                ("error.type", error_type(call)),
                ("llmproxy.api", call.api),
                ("llmproxy.upstream", call.upstream),
                ("llmproxy.upstream_request_id", call.request_id),
                ("gen_ai.request.model", (call.model or event.model) if operation else ""),
            )
            if value
        }
    )
    if call.head_ms is not None:
        found["llmproxy.first_byte"] = call.head_ms / 1000
    if answers and operation:
        found.update(_answer(event, semconv, operation))
    return found


def _answer(event: Event, semconv: Semconv, operation: str) -> Attributes:
    """What is known of the one answer that counts, and what was said, where that was kept."""
    found: Attributes = {
        name: value
        for name, value in (
            ("gen_ai.response.model", event.served_model),
            ("gen_ai.response.id", event.response_id),
            ("gen_ai.conversation.id", event.session),
        )
        if value
    }
    if event.streamed:
        found["gen_ai.request.stream"] = True
        if event.first_token_ms is not None and semconv != "legacy":
            found["gen_ai.response.time_to_first_chunk"] = event.first_token_ms / 1000
    # A response that is fetched again has used nothing anew.
    if operation != "fetch_response":
        found.update(_usage(event, semconv))
    if event.content is not None:
        found.update(spoken(event.content))
    return found


def _usage(event: Event, semconv: Semconv) -> Attributes:
    """What was counted; nothing for what was not, which is never 0."""
    write = "gen_ai.usage.cache_write.input_tokens"
    counts: list[tuple[str, int | None]] = [
        ("gen_ai.usage.input_tokens", event.input_tokens),
        ("gen_ai.usage.output_tokens", event.output_tokens),
        ("gen_ai.usage.cache_read.input_tokens", event.cached_input_tokens),
        ("gen_ai.usage.reasoning.output_tokens", event.reasoning_tokens),
    ]
    if semconv != "legacy":
        counts += [
            (write, event.cache_write_tokens),
            ("gen_ai.usage.audio.input_tokens", event.audio_input_tokens),
            ("gen_ai.usage.audio.output_tokens", event.audio_output_tokens),
        ]
    if semconv != "latest":
        counts.append(("gen_ai.usage.cache_creation.input_tokens", event.cache_write_tokens))
    found: Attributes = {name: value for name, value in counts if value is not None}
    if event.estimated:
        found["llmproxy.usage_estimated"] = True
    if event.truncated:
        found["llmproxy.usage_truncated"] = True
    if event.cost is not None:
        found["llmproxy.cost"] = _number(event.cost)
    return found


# -- errors


def error_type(call: AttemptMade) -> str:
    """C{error.type} of a call; C{""} if it did not fail."""
    return str(call.status) if call.status >= 400 else call.cause


def server_error_type(event: Event) -> str:
    """C{error.type} of an exchange. A request that was refused is no error of a server's."""
    if event.status >= 500:
        return str(event.status)
    if event.ended in _FAULTS:
        return event.cause or event.ended
    return event.ended if event.ended == "client_left" else ""


def failure_of(event: Event) -> tuple[bool, str]:
    """Whether the span of an exchange has failed, and why, where its status does not say so."""
    if event.status >= 500:
        return True, ""
    if event.ended in _FAULTS:
        return True, f"{event.ended}: {event.cause or event.error_code}".rstrip(": ")
    return False, ""


# -- values


def nanoseconds(moment: datetime) -> int:
    """Since the epoch, exactly: a float of so many digits would not be."""
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def duration(milliseconds: float) -> int:
    """Nanoseconds, to the microsecond, as events have them."""
    return round(milliseconds * 1000) * 1000


def made_id(event_id: str, part: str) -> str:
    """64 hexadecimal digits that are the same whenever they are made, and no other's."""
    return sha256(f"llmproxy {part} {event_id}".encode()).hexdigest()


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
