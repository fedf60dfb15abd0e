"""Parts that an application brings, in place of the proxy's own or beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..composition import Placed, after
from ..errors import ConfigError
from ..middleware.projectguard import ProjectGuard

if TYPE_CHECKING:
    from twisted.logger import Logger

    from ..cache.stats import CacheStatsAggregator
    from ..interfaces import IAuditLogger, IProjectActiveChecker, IProjectStore, IRecordSink, ITokenValidator
    from ..sinks.metrics import ProxyMetrics
    from .settings import Settings


@frozen(eq=False)
class OwnParts:
    """What L{llmproxy.app.proxy.TransparentProxy} takes, under the same names; C{None} is the proxy's own."""

    token_validator: ITokenValidator | None = None
    project_store: IProjectStore | None = None
    project_active_checker: IProjectActiveChecker | None = None
    audit_logger: IAuditLogger | None = None
    logger: Logger | None = None
    middlewares: Sequence[Placed] = ()
    record_sinks: Sequence[IRecordSink] = ()
    upstream_client: Any = None
    metrics: ProxyMetrics | None = None
    cache_stats_aggregator: CacheStatsAggregator | None = None

    def placed(self, audit: IAuditLogger | None) -> list[Placed]:
        """
        All that stands in the chain beside the standard middlewares.

        @param audit: where is noted whom the checker did not let in.
        """
        checker = self.project_active_checker
        return [*([] if checker is None else [after("authenticate", ProjectGuard(checker, audit))]), *self.middlewares]

    def check(self, settings: Settings) -> None:
        """
        @raise ConfigError: something is missing, or given twice.
        """
        problems = list(self._wrong(settings))
        if problems:
            raise ConfigError(*problems)

    def _wrong(self, settings: Settings) -> list[str]:
        problems = []
        if not settings.database_url:
            if self.token_validator is None or self.project_store is None:
                problems.append("database_url: give one, or a token_validator and a project_store")
            if settings.management_token:
                problems.append("management_token: management needs a database, give a database_url")
            if settings.audit is not None:
                problems.append("audit: the audit log needs a database, give a database_url or an audit_logger")
        if self.audit_logger is not None and settings.audit is not None:
            problems.append("audit: there is an audit_logger, which takes the place of the audit log")
        return problems
