"""What the parts of llmproxy require of each other."""

from __future__ import annotations

from .caches import ICacheStatsStore, ICacheStore, Select
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
from .records import IAuditLogger, IAuditSink, IAuditTrail, IHealthCheck, IRecordSink
from .stores import IAdminStore, IIdempotencyStore, IProjectStore, ITokenStore

__all__ = [
    "IAdminStore",
    "IAuditLogger",
    "IAuditSink",
    "IAuditTrail",
    "ICacheStatsStore",
    "ICacheStore",
    "IDirectory",
    "IHealthCheck",
    "IIdempotencyStore",
    "IMiddleware",
    "IProjectActiveChecker",
    "IProjectStore",
    "IQuota",
    "IRecordSink",
    "IRevocations",
    "ITokenStore",
    "ITokenValidator",
    "IUpstreamResponse",
    "Responder",
    "Select",
]
