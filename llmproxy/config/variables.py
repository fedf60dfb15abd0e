"""The environment variables there are, ours and the reference's, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

from .units import parse_flag

DEFAULT_CONFIG = "./config/api_providers.yaml"
DEFAULT_DATABASE = "./data/llm-proxy.db"
DEFAULT_LISTEN = ":8080"
DEFAULT_POOL_SIZE = 10

_BASE = "OTEL_EXPORTER_OTLP_"

OTEL_HEADERS = (f"{_BASE}HEADERS", *(f"{_BASE}{signal}_HEADERS" for signal in ("TRACES", "METRICS", "LOGS")))
"""Those that hold secrets."""

OTEL_VARIABLES: Mapping[str, str] = {
    f"{_BASE}ENDPOINT": "a collector's base URL, http://localhost:4318: traces and metrics go there",
    f"{_BASE}TRACES_ENDPOINT": "the whole URL for traces alone; likewise METRICS_, LOGS_, and for all of these:",
    f"{_BASE}METRICS_ENDPOINT": "the whole URL for metrics alone",
    f"{_BASE}LOGS_ENDPOINT": "the whole URL for logs alone, which turns them on",
    f"{_BASE}HEADERS": "what a receiver asks for, api-key=...,other=...",
    **dict.fromkeys(OTEL_HEADERS[1:], "the same, for one signal"),
    f"{_BASE}TIMEOUT": "milliseconds for an export; below 100, seconds (default 10000)",
    f"{_BASE}COMPRESSION": "gzip, deflate or none (default none)",
    f"{_BASE}CERTIFICATE": "a PEM file of the authorities that are trusted instead of the usual ones",
    f"{_BASE}CLIENT_CERTIFICATE": "a PEM file of our own certificate",
    f"{_BASE}CLIENT_KEY": "a PEM file of its key",
    f"{_BASE}PROTOCOL": "http/protobuf, which is all that there is",
    f"{_BASE}METRICS_TEMPORALITY_PREFERENCE": "cumulative, delta or lowmemory (default cumulative)",
    "OTEL_SDK_DISABLED": "true: nothing is exported by OTLP, whatever else is said (default false)",
    "OTEL_SERVICE_NAME": "service.name of what is exported (default llmproxy)",
    "OTEL_RESOURCE_ATTRIBUTES": "what else is said of this process: deployment.environment.name=prod,team=ml",
    "OTEL_TRACES_EXPORTER": "none: no traces (default otlp)",
    "OTEL_METRICS_EXPORTER": "none: no metrics (default otlp)",
    "OTEL_LOGS_EXPORTER": "otlp: a log record for each exchange too (default none)",
    "OTEL_TRACES_SAMPLER": "which traces are kept (default parentbased_always_on)",
    "OTEL_TRACES_SAMPLER_ARG": "the share of them, for traceidratio and parentbased_traceidratio: 0.1",
    "OTEL_PROPAGATORS": "none: what callers say in traceparent is not heard (default tracecontext)",
    "OTEL_BSP_SCHEDULE_DELAY": "milliseconds that an exchange waits for others before it goes out (default 1000)",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "exchanges in one export at most (default 100)",
    "OTEL_BSP_MAX_QUEUE_SIZE": "exchanges that wait in memory at most (default 10000)",
    "OTEL_METRIC_EXPORT_INTERVAL": "milliseconds between two exports of metrics (default 60000)",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental: only the latest names (default both)",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "characters of a text that is an attribute (default: no limit)",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "the same, above that",
}
"""By their names; they are those of an export that variables alone ask for, or of a sink that names no receiver."""

EFFECTIVE: dict[str, str] = {
    "MANAGEMENT_TOKEN": "the token of the management API; required",
    "ENCRYPTION_KEY": "base64 of the 32 bytes that upstream keys are encrypted with",
    "ENCRYPTION_KEY_OLD": "earlier keys, or the next one, separated by commas: what they encrypted is read",
    "REQUIRE_ENCRYPTION_KEY": "true: do not start without ENCRYPTION_KEY, nor with upstream keys in clear",
    "API_CONFIG_PATH": f"the YAML file of the APIs (default {DEFAULT_CONFIG})",
    "WATCH_CONFIG": "true: reload when that file, a secret or a certificate changes (default false)",
    "DEFAULT_API_PROVIDER": "the API that is served at /, above the default_api of the file",
    "LISTEN_ADDR": f"where to listen: :8080, 127.0.0.1:9000, [::1]:8080 (default {DEFAULT_LISTEN})",
    "ENABLE_TLS": "true: LISTEN_ADDR speaks TLS, with the two files below (default false)",
    "TLS_CERT_FILE": "the certificate in PEM form, with those of the authorities between it and the root",
    "TLS_KEY_FILE": "its private key in PEM form, not encrypted",
    "MANAGE_LISTEN_ADDR": "where management and metrics are served instead: localhost:9000, unix:/run/manage.sock",
    "ADMIN_UI_LISTEN_ADDR": "of llmproxy admin-ui: where the pages are (default 127.0.0.1:8081)",
    "ADMIN_UI_API_BASE_URL": "of llmproxy admin-ui: where the proxy is (default http://localhost:8080)",
    "ADMIN_UI_ENABLED": "true: pages for people at /admin, where management is served (default false)",
    "DATABASE_URL": "the database, as a URL, or as the DSN of Go's MySQL driver",
    "DATABASE_PATH": f"the file of the SQLite database where there is no DATABASE_URL (default {DEFAULT_DATABASE})",
    "DATABASE_POOL_SIZE": f"connections to PostgreSQL or MySQL, for each worker (default {DEFAULT_POOL_SIZE})",
    "TOKENS_KEEP_ENDED": "how long tokens stay that expired or were revoked: 90d (default: 0, for ever)",
    "DB_DRIVER": "sqlite, postgres or mysql; must agree with DATABASE_URL",
    "REQUEST_TIMEOUT": "the longest exchange, for APIs without timeouts.request of their own",
    "ENABLE_METRICS": "false: no metrics (default true)",
    "METRICS_PATH": "where the metrics are (default /metrics)",
    "METRICS_TOKEN": "what the metrics ask for as a bearer (default: nothing)",
    "HTTP_CACHE_ENABLED": "false: nothing is cached, whatever the file says (default true)",
    "HTTP_CACHE_MEMORY_BYTES": "bytes that stored answers may hold in one process (default 268435456)",
    "HTTP_CACHE_DEFAULT_TTL": "seconds for answers that may be stored and name no lifetime (default 0: none)",
    "HTTP_CACHE_MAX_OBJECT_BYTES": "a larger answer is not stored (default 2097152)",
    "HTTP_CACHE_STREAM_RESPONSES": "true: complete event streams are stored too (default false)",
    "HTTP_CACHE_BACKEND": "memory, or redis: shared by all proxies that use the same one (default memory)",
    "REDIS_URL": "the Redis that machines share for limits, above redis: of the file; as REDIS_CACHE_URL is written",
    "REDIS_POOL_SIZE": "connections to it, which commands share (default 4)",
    "REDIS_TIMEOUT": "how long connecting to it may take, and silence; a request never waits so long (default 1s)",
    "REDIS_KEY_PREFIX": "what all keys there begin with (default llmproxy:)",
    "REDIS_CACHE_URL": "the Redis of the cache: redis://user:password@host:6379/0, rediss://…?ca_file=…, unix:///…",
    "REDIS_ADDR": "its host:port, where there is no REDIS_CACHE_URL (default localhost:6379)",
    "REDIS_DB": "its database number, where there is no REDIS_CACHE_URL (default 0)",
    "REDIS_PASSWORD": "its password, where REDIS_CACHE_URL holds none",
    "REDIS_CACHE_KEY_PREFIX": "what all keys of the cache begin with (default llmproxy:cache:)",
    "REDIS_CACHE_POOL_SIZE": "connections to Redis, which commands share (default 4)",
    "REDIS_CACHE_TIMEOUT": "how long connecting may take, and silence; a lookup never waits so long (default 1s)",
    "LLM_PROXY_EVENT_BUS": "redis-streams: exchanges are published there, by the names of the reference (default: not)",
    "FILE_EVENT_LOG": "a file that gets a line for each exchange, by the names of the reference (default: none)",
    "REDIS_STREAM_KEY": "the stream of that bus, which a dispatcher reads (default llm-proxy-events)",
    "REDIS_STREAM_MAX_LEN": "about how many entries stay in it, 0 for all (default 10000)",
    "REDIS_CONSUMER_GROUP": "of llmproxy dispatcher: its group, which shares the work (default llm-proxy-dispatchers)",
    "REDIS_CONSUMER_NAME": "of llmproxy dispatcher: its name there, unique (default: of service, host and process)",
    "REDIS_STREAM_BLOCK_TIME": "of llmproxy dispatcher: how long a read waits in Redis (default 5s)",
    "REDIS_STREAM_CLAIM_TIME": "of llmproxy dispatcher: when what a dead one had is taken over (default 30s)",
    "REDIS_STREAM_BATCH_SIZE": "of llmproxy dispatcher: events of one read (default 100)",
    "DISPATCHER_SERVICE": "of llmproxy dispatcher: file, stdout, lunary, helicone or langfuse (default file)",
    "DISPATCHER_ENDPOINT": "of llmproxy dispatcher: the path of the file, or the URL of the service",
    "LLM_PROXY_API_KEY": "of llmproxy dispatcher: the key of the service",
    "DISPATCHER_BUFFER": "of llmproxy dispatcher: events that it has in memory, at most (default 1000)",
    "DISPATCHER_BATCH_SIZE": "of llmproxy dispatcher: events in one delivery (default 100)",
    "DISPATCHER_DETACH": "of llmproxy dispatcher: without effect, there and here",
    "DISPATCHER_LISTEN": "of llmproxy dispatcher: where its health and metrics are, off for nowhere",
    "DISPATCHER_MAX_DELIVERIES": "of llmproxy dispatcher: deliveries in vain until an event is given up (default 5)",
    "LLM_PROXY_DISPATCHER_VERBOSE": "of llmproxy dispatcher: true: header fields of answers stand in its lines",
    "LANGFUSE_PUBLIC_KEY": "of llmproxy dispatcher --service langfuse",
    "LANGFUSE_SECRET_KEY": "of llmproxy dispatcher --service langfuse",
    "LANGFUSE_HOST": "of llmproxy dispatcher --service langfuse (default https://cloud.langfuse.com)",
    "CACHE_STATS_BUFFER_SIZE": "tokens with cache hits not written to the database yet, at most (default 1000)",
    "AUDIT_ENABLED": "false: no audit records of management and refusals (default true)",
    "AUDIT_LOG_FILE": "the file of the audit log; - is standard output, none no file (default: the database's own)",
    "AUDIT_CREATE_DIR": "false: its directory must be there (default true)",
    "AUDIT_STORE_IN_DB": "false: not into the database too, where it can be asked for (default true)",
    "AUDIT_MAX_FILE_SIZE": "a longer file is sealed and continued in another (default 100MB)",
    "AUDIT_KEEP_FILES": "how many sealed files are kept (default 10)",
    "AUDIT_KEEP_ROWS": "how many audit records stay in the database, 1000 at least (default: 0, all)",
    "AUDIT_FSYNC": "always, interval (within a second, the default) or never",
    "OBSERVABILITY_ENABLED": "true: events have what is said, of every API without capture: of its own (default false)",
    "OBSERVABILITY_MAX_REQUEST_BODY_BYTES": "how much of a request they have then (default 65536)",
    "OBSERVABILITY_MAX_RESPONSE_BODY_BYTES": "how much of an answer (default 262144)",
    "TRUSTED_PROXIES": "addresses and networks, with commas, of proxies that may name the client; unix for sockets",
    "FORWARDED_HEADER": "where they name it: x-forwarded-for (the default) or forwarded",
    "LOG_LEVEL": "debug, info, warn or error, of the access log and of the server log (default info)",
    "LOG_FORMAT": "json or console (text), of both (default json for the access log, text for the other)",
    "LOG_FILE": "where the access log is appended to (default: standard output)",
    **OTEL_VARIABLES,
}
"""Every variable that does something, and what."""

SECRETS = (
    "MANAGEMENT_TOKEN",
    "METRICS_TOKEN",
    "ENCRYPTION_KEY",
    "ENCRYPTION_KEY_OLD",
    "DATABASE_URL",
    "REDIS_URL",
    "REDIS_CACHE_URL",
    "REDIS_PASSWORD",
    *OTEL_HEADERS,
    "LLM_PROXY_API_KEY",
    "LANGFUSE_SECRET_KEY",
)
"""Those that C{<NAME>_FILE}, or a value C{file:/path}, may name a file for."""

SINK_VARIABLES = ("LLM_PROXY_EVENT_BUS", "FILE_EVENT_LOG")
"""Those that stand for sinks."""

_OF_TLS = frozenset({"TLS_CERT_FILE", "TLS_KEY_FILE"})
"""Variables that mean nothing without C{ENABLE_TLS}."""

_OF_REDIS = frozenset("REDIS_CACHE_URL REDIS_CACHE_KEY_PREFIX REDIS_CACHE_POOL_SIZE REDIS_CACHE_TIMEOUT".split())
"""Variables that mean nothing without C{HTTP_CACHE_BACKEND=redis}."""

_OF_BOTH = frozenset({"REDIS_ADDR", "REDIS_DB", "REDIS_PASSWORD"})
"""Those that mean nothing without that, or C{LLM_PROXY_EVENT_BUS=redis-streams}."""


def without_effect(env: Mapping[str, str]) -> list[str]:
    """A sentence for the variables that are set and mean nothing without another one, with that."""
    redis = env.get("HTTP_CACHE_BACKEND", "").strip().lower() == "redis"
    bus = env.get("LLM_PROXY_EVENT_BUS", "").strip() == "redis-streams"
    found = []
    for names, is_needed, needs in (
        (_OF_BOTH, redis or bus, "HTTP_CACHE_BACKEND=redis or LLM_PROXY_EVENT_BUS=redis-streams"),
        (_OF_REDIS, redis, "HTTP_CACHE_BACKEND=redis"),
        (_OF_TLS, _is_on(env.get("ENABLE_TLS", "").strip()), "ENABLE_TLS=true"),
    ):
        idle = [] if is_needed else sorted(name for name in names if env.get(name))
        if idle:
            found.append(f"{', '.join(idle)}: without effect here unless there is {needs}")
    return found


def _is_on(text: str) -> bool:
    """What cannot be understood is an error elsewhere."""
    try:
        return bool(text) and parse_flag(text)
    except ValueError:
        return True
