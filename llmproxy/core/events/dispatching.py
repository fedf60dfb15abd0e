"""Numbers of a dispatcher, and what they say of it: the reference's, and what operators want to know beside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from attrs import frozen

MOST_PENDING = 10_000
"""Events that were not acknowledged: beyond, the reference calls a dispatcher unhealthy."""

IDLE = 300.0
"""Seconds without an event, while some wait: likewise."""


@frozen
class DispatchReport:
    """
    One sink of a dispatcher.

    @ivar received: events that were read; C{delivered}, C{dead} and C{passed_over} of them are done with.
    @ivar dead: that became dead letters.
    @ivar passed_over: that the sink does not want.
    @ivar held: that were read, and that the sink has not.
    @ivar pending: that are in the stream and not acknowledged, those that were not read too; C{None} if unknown.
    @ivar length: entries of the stream; likewise.
    @ivar claimed: that were taken over from dead consumers.
    @ivar gone: that were trimmed from the stream before they could be delivered.
    @ivar failures: attempts to deliver that failed.
    @ivar source_error: why nothing can be read now; C{""} if something can.
    @ivar sink_error: what the last attempt to deliver failed with; C{""} if it did not.
    @ivar read_at: when something was read last, in seconds since the epoch; 0 for never.
    @ivar delivered_at: when the sink took something last; likewise.
    """

    name: str
    type: str = ""
    received: int = 0
    delivered: int = 0
    dead: int = 0
    passed_over: int = 0
    held: int = 0
    pending: int | None = None
    length: int | None = None
    claimed: int = 0
    gone: int = 0
    failures: int = 0
    batches: int = 0
    source_error: str = ""
    sink_error: str = ""
    read_at: float = 0.0
    delivered_at: float = 0.0

    @property
    def done(self) -> int:
        """Events that never come again."""
        return self.delivered + self.dead + self.passed_over


def health(reports: Sequence[DispatchReport], rate: float, started_at: float, now: float) -> dict[str, Any]:
    """
    The reference's health, of all sinks together, and of each.

    @param rate: events a second lately.
    """
    pending = [each.pending for each in reports if each.pending is not None]
    lengths = [each.length for each in reports if each.length is not None]
    last = max((each.read_at for each in reports), default=0.0)
    message = "; ".join(filter(None, (_unhealthy(each, started_at, now) for each in reports)))
    return {
        "healthy": not message,
        "status": "unhealthy" if message else "healthy",
        "message": message or "ok",
        "events_processed": sum(each.done for each in reports),
        "events_dropped": sum(each.dead for each in reports),
        "events_sent": sum(each.delivered for each in reports),
        "processing_rate": round(rate, 3),
        "lag_count": sum(pending),
        "stream_length": max(lengths, default=0),
        "last_processed_at": _time(last),
        "sinks": [_sink(each) for each in reports],
    }


def not_ready(reports: Sequence[DispatchReport]) -> list[str]:
    """Why events do not flow now, a sentence each; none where they do."""
    found = []
    for each in reports:
        if each.source_error:
            found.append(f"{each.name}: cannot read: {each.source_error}")
        if each.sink_error:
            found.append(f"{each.name}: cannot deliver: {each.sink_error}")
    return found


def _unhealthy(report: DispatchReport, started_at: float, now: float) -> str:
    if report.source_error:
        return f"{report.name}: cannot read: {report.source_error}"
    pending = report.pending or 0
    if pending > MOST_PENDING:
        return f"{report.name}: {pending} events wait, more than {MOST_PENDING}"
    idle = now - max(report.read_at, report.delivered_at, started_at)
    if pending and idle > IDLE:
        return f"{report.name}: nothing was processed for {idle:.0f} s, while {pending} events wait"
    return ""


def _sink(report: DispatchReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "type": report.type,
        "received": report.received,
        "delivered": report.delivered,
        "dead_letters": report.dead,
        "not_wanted": report.passed_over,
        "held": report.held,
        "pending": report.pending,
        "claimed": report.claimed,
        "trimmed": report.gone,
        "failures": report.failures,
        "error": report.source_error or report.sink_error,
    }


def _time(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat() if seconds else None
