"""Interfaces between the parts of llmproxy."""

from __future__ import annotations

from .caches import ICacheStatsStore, ICacheStore, Select
from .downstream import IConnectedProtocol, IDownstream, IServerChannel
from .exchanges import (
    IDirectory,
    IMiddleware,
    IProjectActiveChecker,
    IQuota,
    IRevocations,
    ITokenValidator,
    IUpstreamResponse,
    Responder,
)
from .ledger import ILedger, IOwedUses, IUsageRecords
from .limits import IBudgetLeases, ILimitStore
from .records import IAuditLogger, IAuditSink, IAuditTrail, IHealthCheck, IRecordSink
from .stores import (
    IAdminStore,
    IIdempotencyStore,
    IProjectNames,
    IProjectStore,
    ISessionStore,
    ITokenStore,
    IUsageLatency,
    IUsageReports,
)

__all__ = [
    "IAdminStore",
    "IAuditLogger",
    "IAuditSink",
    "IAuditTrail",
    "IBudgetLeases",
    "ICacheStatsStore",
    "ICacheStore",
    "IConnectedProtocol",
    "IDirectory",
    "IDownstream",
    "IHealthCheck",
    "IIdempotencyStore",
    "ILedger",
    "ILimitStore",
    "IMiddleware",
    "IOwedUses",
    "IProjectActiveChecker",
    "IProjectNames",
    "IProjectStore",
    "IQuota",
    "IRecordSink",
    "IRevocations",
    "IServerChannel",
    "ISessionStore",
    "ITokenStore",
    "ITokenValidator",
    "IUpstreamResponse",
    "IUsageLatency",
    "IUsageRecords",
    "IUsageReports",
    "Responder",
    "Select",
]
