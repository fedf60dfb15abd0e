"""Search terms of the audit trail."""

from __future__ import annotations

from attrs import frozen

EXACT = (
    "action",
    "actor",
    "client_ip",
    "correlation_id",
    "method",
    "outcome",
    "path",
    "project_id",
    "request_id",
    "token_id",
)
"""Fields that are asked for as they are."""

SEARCHED = ("request_id", "correlation_id", "client_ip", "action", "actor", "method", "path", "reason", "metadata")
"""Columns that a search looks in."""


@frozen
class AuditFilter:
    """
    Everything that is not C{None} must hold.

    @ivar search: stands somewhere in one of L{SEARCHED}, as it is; the case of letters does not matter.
    @ivar start_time: not before this, microseconds since the epoch.
    @ivar end_time: not after this.
    """

    action: str | None = None
    actor: str | None = None
    client_ip: str | None = None
    correlation_id: str | None = None
    method: str | None = None
    outcome: str | None = None
    path: str | None = None
    project_id: str | None = None
    request_id: str | None = None
    token_id: str | None = None
    search: str | None = None
    start_time: int | None = None
    end_time: int | None = None
