"""
A transparent, event-driven reverse proxy for LLM APIs, on Twisted: the names for applications that embed it.

What stands here, in L{llmproxy.errors} and in L{llmproxy.testing} is public: C{docs/embedding.md} says how it is used,
and how long it stays. Everything else in the package is private, however it is called.

Importing this module loads nothing and installs no reactor: each name is loaded when it is first asked for (PEP 562).
"""

TYPE_CHECKING = False  # as in typing, which would cost more than all of this
if TYPE_CHECKING:
    from .app.middlewares import (
        circuit_breaker,
        project_active_guard,
        request_logging,
        request_metrics,
        request_timeout,
        request_validation,
    )
    from .app.observability import ObservabilityConfig, observability
    from .app.proxy import TransparentProxy
    from .bodies import BytesBody, Tap
    from .cache.stats import CacheStatsAggregator, CacheStatsAggregatorConfig
    from .composition import Middleware, after, before, chain
    from .config import (
        APIConfig,
        APIProviderConfig,
        BreakerConfig,
        CacheConfig,
        CaptureConfig,
        ConnectionConfig,
        ProxyConfig,
        TimeoutConfig,
        load_api_config,
    )
    from .config.sinks import SinkConfig
    from .core.audit.settings import AuditOptions
    from .core.caching.settings import CacheOptions
    from .core.delivery import DeliveryPolicy
    from .core.events import Content, Event
    from .core.events.receipts import PassingFailure, PermanentFailure
    from .errors import ConfigError, ProxyError
    from .interfaces import (
        IAuditLogger,
        ICacheStatsStore,
        IMiddleware,
        IProjectActiveChecker,
        IProjectStore,
        IRecordSink,
        ITokenValidator,
        Responder,
    )
    from .interfaces.events import IEventSink
    from .message import ApiRequest, ApiResponse, Principal, Project, Record, Token
    from .middleware.caching.requestkey import cache_key_from_request, cache_key_from_request_with_vary
    from .middleware.errorresponses import ErrorResponses
    from .providers.errorbody import ErrorResponse
    from .sinks.delivery import DeliveryQueue
    from .sinks.eventbus import EventBus
    from .sinks.metrics import CacheMetricType, ProxyMetrics
    from .sinks.sinksettings import SinkSettings

__version__ = "0.3.0"

__all__ = [
    "APIConfig",
    "APIProviderConfig",
    "ApiRequest",
    "ApiResponse",
    "AuditOptions",
    "BreakerConfig",
    "BytesBody",
    "CacheConfig",
    "CacheMetricType",
    "CacheOptions",
    "CacheStatsAggregator",
    "CacheStatsAggregatorConfig",
    "CaptureConfig",
    "ConfigError",
    "ConnectionConfig",
    "Content",
    "DeliveryPolicy",
    "DeliveryQueue",
    "ErrorResponse",
    "ErrorResponses",
    "Event",
    "EventBus",
    "IAuditLogger",
    "ICacheStatsStore",
    "IEventSink",
    "IMiddleware",
    "IProjectActiveChecker",
    "IProjectStore",
    "IRecordSink",
    "ITokenValidator",
    "Middleware",
    "ObservabilityConfig",
    "PassingFailure",
    "PermanentFailure",
    "Principal",
    "Project",
    "ProxyConfig",
    "ProxyError",
    "ProxyMetrics",
    "Record",
    "Responder",
    "SinkConfig",
    "SinkSettings",
    "Tap",
    "TimeoutConfig",
    "Token",
    "TransparentProxy",
    "after",
    "before",
    "cache_key_from_request",
    "cache_key_from_request_with_vary",
    "chain",
    "circuit_breaker",
    "load_api_config",
    "observability",
    "project_active_guard",
    "request_logging",
    "request_metrics",
    "request_timeout",
    "request_validation",
]

_HOMES = {
    "app.middlewares": (
        "circuit_breaker",
        "project_active_guard",
        "request_logging",
        "request_metrics",
        "request_timeout",
        "request_validation",
    ),
    "app.observability": ("ObservabilityConfig", "observability"),
    "app.proxy": ("TransparentProxy",),
    "bodies": ("BytesBody", "Tap"),
    "cache.stats": ("CacheStatsAggregator", "CacheStatsAggregatorConfig"),
    "composition": ("Middleware", "after", "before", "chain"),
    "config": (
        "APIConfig",
        "APIProviderConfig",
        "BreakerConfig",
        "CacheConfig",
        "CaptureConfig",
        "ConnectionConfig",
        "ProxyConfig",
        "TimeoutConfig",
        "load_api_config",
    ),
    "config.sinks": ("SinkConfig",),
    "core.audit.settings": ("AuditOptions",),
    "core.caching.settings": ("CacheOptions",),
    "core.delivery": ("DeliveryPolicy",),
    "core.events": ("Content", "Event"),
    "core.events.receipts": ("PassingFailure", "PermanentFailure"),
    "providers.errorbody": ("ErrorResponse",),
    "errors": ("ConfigError", "ProxyError"),
    "interfaces": (
        "IAuditLogger",
        "ICacheStatsStore",
        "IMiddleware",
        "IProjectActiveChecker",
        "IProjectStore",
        "IRecordSink",
        "ITokenValidator",
        "Responder",
    ),
    "interfaces.events": ("IEventSink",),
    "message": ("ApiRequest", "ApiResponse", "Principal", "Project", "Record", "Token"),
    "middleware.caching.requestkey": ("cache_key_from_request", "cache_key_from_request_with_vary"),
    "middleware.errorresponses": ("ErrorResponses",),
    "sinks.delivery": ("DeliveryQueue",),
    "sinks.eventbus": ("EventBus",),
    "sinks.metrics": ("CacheMetricType", "ProxyMetrics"),
    "sinks.sinksettings": ("SinkSettings",),
}
"""Where each public name is, by its module: what C{TYPE_CHECKING} imports, for those who run it."""

_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:
    # A type checker that saw it would take any name for one of ours.
    def __getattr__(name: str) -> object:
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{module}"), name)
        # From now on it is an attribute like any other.
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*__all__, *globals()} - {"TYPE_CHECKING"})
