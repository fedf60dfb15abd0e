"""Parts that an application brings, in place of the proxy's own or beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

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


METHODS: Final[dict[str, tuple[str, ...]]] = {
    "token_validator": ("validate_token", "validate_token_with_tracking"),
    "project_store": ("get",),
    "project_active_checker": ("is_project_active",),
    "audit_logger": ("log",),
    "logger": ("error", "failure"),
    "upstream_client": ("request",),
    "cache_stats_aggregator": ("start", "stop", "record_batch"),
}
"""
What is called of each part while requests are served. A part need not declare an interface, and a project store may
leave out what only management calls.
"""


@frozen(eq=False)
class OwnParts:
    """What L{llmproxy.TransparentProxy} takes, under the same names; C{None} is the proxy's own."""

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
        @raise TypeError: a part has not the methods of what it stands for.
        """
        for keyword, methods in METHODS.items():
            _check_methods(keyword, getattr(self, keyword), methods)
        for sink in self.record_sinks:
            _check_methods("record_sinks", sink, ("record_batch",))
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


def _check_methods(keyword: str, part: object, methods: Sequence[str]) -> None:
    """What is no part is refused when it is given, and not with the first request."""
    if part is None:
        return
    if isinstance(part, type):
        raise TypeError(f"{keyword}: {part!r} is a class: give an object that is made of it")
    missing = [name for name in methods if not callable(getattr(part, name, None))]
    if missing:
        raise TypeError(f"{keyword}: {part!r} has no method {' and no '.join(missing)}")
