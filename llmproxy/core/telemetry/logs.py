"""Log records of events, with the trace that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ..events.event import EXCHANGE
from .spans import Attributes, made_id, nanoseconds, server_attributes

if TYPE_CHECKING:
    from ..events.event import Event

INFO, WARN, ERROR = 9, 13, 17
"""Severity numbers of OpenTelemetry's data model for logs."""

TEXTS = {INFO: "INFO", WARN: "WARN", ERROR: "ERROR"}


@frozen
class LogValue:
    """
    One log record.

    @ivar time: nanoseconds since the epoch.
    @ivar name: what happened; C{""} for what has no name of its own.
    @ivar trace_id: C{""} for none, as is C{span_id}.
    """

    time: int
    severity: int
    body: str
    name: str
    trace_id: str
    span_id: str
    sampled: bool
    attributes: Attributes = field(repr=False)


def log_of(event: Event, *, traced: bool) -> LogValue:
    """
    The log record of an event: the line of an exchange, or what else happened.

    @param traced: spans are exported too, so that an exchange that nobody traced has ids all the same.
    """
    time = nanoseconds(event.time)
    if event.kind != EXCHANGE:
        return LogValue(time, _severity_of_kind(event), event.kind, event.kind, "", "", False, _details(event))
    trace_id, span_id = event.trace_id, event.span_id or event.parent_span_id
    if traced and not trace_id:
        trace_id, span_id = made_id(event.id, "trace")[:32], made_id(event.id, "span")[:16]
    attributes = server_attributes(event)
    attributes["llmproxy.duration"] = event.duration_ms / 1000
    sampled = bool(trace_id) and event.trace_sampled is not False
    return LogValue(time, _severity(event), _line(event), "", trace_id, span_id, sampled, attributes)


def _line(event: Event) -> str:
    what = event.error_code or event.ended
    what = f"{what}({event.cause})" if event.cause else what
    return f"{event.method} {event.path} {event.status} {what} {event.duration_ms:.1f}ms"


def _severity(event: Event) -> int:
    """That of the access log: L{llmproxy.sinks.accesslog.level_of}."""
    if event.status >= 500 or event.ended in ("upstream_failed", "timeout", "failed"):
        return ERROR
    return INFO if event.ended == "complete" and event.status < 400 else WARN


def _severity_of_kind(event: Event) -> int:
    """What was refused, failed, or is used up is of more interest than the rest."""
    words = str((event.details or {}).get("outcome", ""))
    if words in ("denied", "failure", "error") or event.kind.startswith("budget."):
        return WARN
    return WARN if event.kind.startswith("upstream.") and not event.kind.endswith(("recovered", "closed")) else INFO


def _details(event: Event) -> Attributes:
    found: Attributes = {
        name: value
        for name, value in (
            ("llmproxy.event_id", event.id),
            ("llmproxy.api", event.api),
            ("llmproxy.project_id", event.project_id),
            ("llmproxy.token_id", event.token_id),
            ("llmproxy.person_id", event.person_id),
            ("llmproxy.upstream", event.upstream),
            ("llmproxy.request_id", event.request_id),
        )
        if value
    }
    for name, value in (event.details or {}).items():
        if value is not None:
            found[f"llmproxy.{name}"] = value if isinstance(value, str | bool | int | float) else str(value)
    return found
