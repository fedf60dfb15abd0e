"""
Variables of the Go program that mean nothing here, and what to use instead: who brings its C{.env} along gets a line
for each that has to be said elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

from .units import parse_flag


@frozen
class Advice:
    """
    @ivar says: what to use instead, to be read behind the names.
    @ivar holds: a value that says what is so here anyway, as a flag; of those nothing is said.
    """

    names: tuple[str, ...]
    says: str
    holds: bool | None = None


def _of(names: str, says: str, holds: bool | None = None) -> Advice:
    return Advice(tuple(names.split()), says, holds)


_KEPT_OPEN = "a pool keeps DATABASE_POOL_SIZE connections, and asks those that were idle before it uses them"

ADVICE: tuple[Advice, ...] = (
    _of("MAX_REQUEST_SIZE", "`limits: {body: 10MB}` of the file of APIs bounds bodies"),
    _of(
        "MAX_CONCURRENT_REQUESTS", "`limits: {connections: …}` or `usage_limits: {overload: …}` of the file bounds them"
    ),
    _of("API_ENV", "there is one way to run"),
    _of("DATABASE_MAX_IDLE_CONNS DATABASE_CONN_MAX_LIFETIME", _KEPT_OPEN),
    _of("OPENAI_API_URL", "`base_url` of an API says it (only `llmproxy server` without a file of APIs goes by it)"),
    _of("ENABLE_STREAMING", "streams always pass; `param_whitelist` can refuse `stream`", holds=True),
    _of("ADMIN_UI_PATH", "the pages are at /admin"),
    _of("ADMIN_UI_TEMPLATE_DIR", "the pages are part of the program"),
    _of("OBSERVABILITY_BUFFER_SIZE", "`queue` of a sink is how many events wait"),
    _of(
        "CORS_ALLOWED_ORIGINS CORS_ALLOWED_METHODS CORS_ALLOWED_HEADERS CORS_MAX_AGE",
        "`allowed_origins` of an API says who may ask from a browser",
    ),
    _of(
        "GLOBAL_RATE_LIMIT IP_RATE_LIMIT", "`usage_limits` of the file has limits for all, and for strangers by address"
    ),
    _of(
        "DISTRIBUTED_RATE_LIMIT_ENABLED",
        "`usage_limits` of the file are counted in the Redis that REDIS_URL names",
        holds=False,
    ),
    _of(
        "DISTRIBUTED_RATE_LIMIT_PREFIX DISTRIBUTED_RATE_LIMIT_KEY_SECRET "
        "DISTRIBUTED_RATE_LIMIT_WINDOW DISTRIBUTED_RATE_LIMIT_MAX DISTRIBUTED_RATE_LIMIT_FALLBACK",
        "`usage_limits` of the file are counted in the Redis that REDIS_URL names",
    ),
    _of("TOKEN_CLEANUP_INTERVAL", "TOKENS_KEEP_ENDED is how long ended tokens stay"),
    _of("LLM_PROXY_ENFORCE_PROJECT_ACTIVE", "tokens of an inactive project are always refused", holds=True),
    _of(
        "LLM_PROXY_ACTIVE_CACHE_TTL LLM_PROXY_ACTIVE_CACHE_MAX LLM_PROXY_API_KEY_CACHE_TTL LLM_PROXY_API_KEY_CACHE_MAX",
        "a change is in force at once, and nothing has to expire for it",
    ),
    _of("USAGE_STATS_BUFFER_SIZE", "uses are never dropped"),
    _of("REDIS_SCAN_COUNT", "purges need no scan"),
    _of("LOG_BINARY_RESPONSES", "`capture` of an API says what events have of a body"),
    _of("TLS_MIN_VERSION", "TLS is 1.2 at least, with the settings of Mozilla's intermediate profile"),
    _of("PORT", "LISTEN_ADDR and --listen say where the proxy is: LISTEN_ADDR=:$PORT"),
    _of("WORKER_POOL_SIZE", "`--workers` is the number of processes"),
    _of(
        "LOG_MAX_SIZE_MB LOG_MAX_BACKUPS",
        "logrotate or its like turns LOG_FILE, which is found again or opened anew by SIGUSR1",
    ),
    _of("MASK_API_KEYS", "keys are always masked", holds=True),
    _of("VALIDATE_API_KEY_FORMAT", "keys that are masks, or cannot be sent, are always refused", holds=True),
    _of("DEFAULT_TOKEN_LIFETIME", "`--duration` of `llmproxy token create`, `duration_minutes` of the API say it"),
    _of("DEFAULT_TOKEN_REQUEST_LIMIT", "`--max-requests` of `llmproxy token create`, `max_requests` of the API say it"),
    _of("LLM_PROXY_ENDPOINT", "MANAGE_API_BASE_URL and PROXY_URL are where commands find the proxy"),
    _of(
        "EVENTDISPATCHER_FILE EVENTDISPATCHER_BUFFER",
        "`llmproxy dispatcher` has DISPATCHER_ENDPOINT and DISPATCHER_BUFFER",
    ),
)

NOT_EFFECTIVE = frozenset(name for each in ADVICE for name in each.names)
"""Variables of the reference that mean nothing here. Who makes one mean something takes it out."""

OF_COMMANDS: Mapping[str, str] = {
    "ENV": "server --env",
    "DAEMON": "server --daemon",
    "PID_FILE": "server --pid-file",
    "DEBUG": "server --debug",
    "CONFIG": "setup --config",
    "OPENAI_API_KEY": "setup --openai-key",
    "INTERACTIVE": "setup --interactive",
    "PROJECT": "setup --project",
    "DURATION": "setup --duration",
    "SKIP_PROJECT": "setup --skip-project",
    "PROXY_URL": "chat --proxy",
    "PROXY_TOKEN": "chat --token",
    "MODEL": "chat --model",
    "TEMPERATURE": "chat --temperature",
    "MAX_TOKENS": "chat --max-tokens",
    "SYSTEM_PROMPT": "chat --system",
    "VERBOSE": "chat --verbose",
    "USE_STREAMING": "chat --stream",
    "MANAGEMENT_API_BASE_URL": "project list --api-base-url",
}
"""Variables of the reference that stand for an option of a command."""


def advice_for(env: Mapping[str, str]) -> Iterator[str]:
    """A sentence for the variables that are set and mean nothing, with what to use; it holds no value."""
    for advice in ADVICE:
        names = [name for name in advice.names if env.get(name, "").strip() and not _is_so(env[name], advice)]
        if names:
            yield f"{', '.join(names)}: without effect here; {advice.says}"


def _is_so(text: str, advice: Advice) -> bool:
    try:
        return advice.holds is not None and parse_flag(text.strip()) is advice.holds
    except ValueError:
        return False
