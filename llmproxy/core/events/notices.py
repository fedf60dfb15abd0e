"""
The events of what is no exchange: what was done or refused, budgets, upstreams, the configuration.

Their kinds are C{audit.} with the action of the audit record, C{budget.soft}, C{budget.warning} and
C{budget.exhausted}, C{upstream.ejected}, C{upstream.unwell}, C{upstream.recovered}, C{upstream.drained},
C{upstream.undrained}, C{upstream.circuit_open} and C{upstream.circuit_closed}, C{config.started} and
C{config.reloaded}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..limits.refusals import amount
from .event import SCHEMA_VERSION, Event
from .ofrecord import new_event_id

if TYPE_CHECKING:
    from ..audit.record import AuditRecord
    from ..circuits import CircuitState
    from ..limits.verdicts import Crossed
    from ..upstreamreports import UpstreamReport

_SHARES = {0: "soft", 100: "exhausted"}


def notice(kind: str, now: float, new_id: Callable[[], str] = new_event_id, **values: Any) -> Event:
    """@param now: seconds since the epoch."""
    when = datetime.fromtimestamp(now, timezone.utc)
    return Event(id=new_id(), schema_version=SCHEMA_VERSION, kind=kind, time=when, **values)


def event_of_audit(record: AuditRecord) -> Event:
    """Of an audit record, which is masked and bounded already; it has the record's own id."""
    details = {
        "actor": record.actor,
        "outcome": record.outcome,
        "reason": record.reason,
        "correlation_id": record.correlation_id,
        **record.details,
    }
    return notice(
        f"audit.{record.action}",
        record.timestamp / 1_000_000,
        lambda: record.id,
        request_id=record.request_id,
        client=record.client_ip,
        user_agent=record.user_agent,
        method=record.method,
        path=record.path,
        project_id=record.project_id,
        token_id=record.token_id,
        details={name: value for name, value in details.items() if value not in ("", None)},
    )


def event_of_budget(crossed: Crossed, now: float) -> Event:
    """Of a budget of which a share was passed: amounts as they are shown to people, of money in USD."""
    rule = crossed.rule
    owner = rule.scope.partition("|")[0]
    kind, _, id = owner.partition(":")
    return notice(
        f"budget.{_SHARES.get(crossed.share, 'warning')}",
        now,
        project_id=id if kind == "project" else "",
        token_id=id if kind == "token" else "",
        details={
            "share": crossed.share,
            "used": amount(rule.kind, crossed.used),
            "limit": amount(rule.kind, rule.limit),
            "limit_of": rule.source,
            "per": rule.per,
            "window": rule.window,
        },
    )


def events_of_upstreams(
    before: Mapping[tuple[str, str], UpstreamReport], after: Iterable[UpstreamReport], now: float
) -> list[Event]:
    """What has happened to upstreams between two looks, those that were left out and came back in between too."""
    found: list[Event] = []
    for report in after:
        former = before.get((report.api, report.upstream))
        if former is None:
            continue
        kinds = _happened(former, report)
        details = {"url": report.url, "failed": report.failed, "for_seconds": round(report.ejected_for, 1)}
        found += [notice(kind, now, api=report.api, upstream=report.upstream, details=details) for kind in kinds]
    return found


def _happened(before: UpstreamReport, after: UpstreamReport) -> list[str]:
    kinds = []
    if after.ejections > before.ejections:
        kinds.append("upstream.ejected")
    if after.unwell and not before.unwell:
        kinds.append("upstream.unwell")
    was_out = bool(before.ejected or before.unwell or after.ejections > before.ejections)
    if was_out and not (after.ejected or after.unwell):
        kinds.append("upstream.recovered")
    if after.drained != before.drained:
        kinds.append("upstream.drained" if after.drained else "upstream.undrained")
    return kinds


def events_of_circuits(
    before: Mapping[tuple[str, str, str], CircuitState], after: Iterable[CircuitState], now: float
) -> list[Event]:
    """Circuits that have opened or closed between two looks."""
    open_now = {key_of(each): each for each in after if each.state != "closed"}
    found = []
    for key, each in open_now.items():
        if key not in before:
            found.append(_of_circuit("upstream.circuit_open", each, now))
    for key, each in before.items():
        if key not in open_now:
            found.append(_of_circuit("upstream.circuit_closed", each, now))
    return found


def key_of(state: CircuitState) -> tuple[str, str, str]:
    """What distinguishes a circuit."""
    return state.api, state.project, state.model


def _of_circuit(kind: str, state: CircuitState, now: float) -> Event:
    details = {"failures": state.failures, "reason": state.reason, "retry_after": round(state.retry_after, 1)}
    return notice(kind, now, api=state.api, project_id=state.project, model=state.model, details=details)
