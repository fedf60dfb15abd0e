"""
The environment variables: those of the reference mean the same, and none is ignored in silence.

A value that is not understood is an error; the reference takes its default then.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

from attrs import field, frozen

from ..core.audit.settings import DEFAULT_FILE, AuditOptions, read_audit_environment
from ..core.caching.environment import CacheOptions, read_cache_environment
from .listen import endpoint_description, private_endpoint_description
from .problems import Problems
from .rules import forwarded_header, trusted_proxy
from .units import parse_duration, parse_size

T = TypeVar("T")

DEFAULT_CONFIG = "./config/api_providers.yaml"
DEFAULT_DATABASE = "./data/llm-proxy.db"
DEFAULT_LISTEN = ":8080"
DEFAULT_POOL_SIZE = 10

SHORT_TOKEN = 16
"""Characters; a management token below this can be guessed."""

EFFECTIVE: dict[str, str] = {
    "MANAGEMENT_TOKEN": "what the management API asks for; required",
    "ENCRYPTION_KEY": "base64 of the 32 bytes that upstream keys are encrypted with",
    "ENCRYPTION_KEY_OLD": "earlier keys, or the next one, separated by commas: what they encrypted is read",
    "REQUIRE_ENCRYPTION_KEY": "true: do not start without ENCRYPTION_KEY, nor with upstream keys in clear",
    "API_CONFIG_PATH": f"the YAML file of the APIs (default {DEFAULT_CONFIG})",
    "DEFAULT_API_PROVIDER": "the API that is served at /, above the default_api of the file",
    "LISTEN_ADDR": f"where to listen: :8080, 127.0.0.1:9000, [::1]:8080 (default {DEFAULT_LISTEN})",
    "MANAGE_LISTEN_ADDR": "where management is served instead: 127.0.0.1:9000, unix:/run/llmproxy/manage.sock",
    "DATABASE_URL": "the database, as a URL, or as the DSN of Go's MySQL driver",
    "DATABASE_PATH": f"the file of the SQLite database where there is no DATABASE_URL (default {DEFAULT_DATABASE})",
    "DATABASE_POOL_SIZE": f"connections to PostgreSQL or MySQL, for each worker (default {DEFAULT_POOL_SIZE})",
    "DB_DRIVER": "sqlite, postgres or mysql; must agree with DATABASE_URL",
    "REQUEST_TIMEOUT": "the longest exchange, for APIs without timeouts.request of their own",
    "ENABLE_METRICS": "false: no metrics (default true)",
    "METRICS_PATH": "where the metrics are (default /metrics)",
    "HTTP_CACHE_ENABLED": "false: nothing is cached, whatever the file says (default true)",
    "HTTP_CACHE_MEMORY_BYTES": "bytes that stored answers may hold in one process (default 268435456)",
    "HTTP_CACHE_DEFAULT_TTL": "seconds for answers that may be stored and name no lifetime (default 0: none)",
    "HTTP_CACHE_MAX_OBJECT_BYTES": "a larger answer is not stored (default 2097152)",
    "HTTP_CACHE_STREAM_RESPONSES": "true: complete event streams are stored too (default false)",
    "HTTP_CACHE_BACKEND": "memory, or redis: shared by all proxies that use the same one (default memory)",
    "REDIS_CACHE_URL": "the Redis of the cache: redis://user:password@host:6379/0, rediss://…?ca_file=…, unix:///…",
    "REDIS_ADDR": "its host:port, where there is no REDIS_CACHE_URL (default localhost:6379)",
    "REDIS_DB": "its database number, where there is no REDIS_CACHE_URL (default 0)",
    "REDIS_PASSWORD": "its password, where REDIS_CACHE_URL holds none",
    "REDIS_CACHE_KEY_PREFIX": "what all keys of the cache begin with (default llmproxy:cache:)",
    "REDIS_CACHE_POOL_SIZE": "connections to Redis, which commands share (default 4)",
    "REDIS_CACHE_TIMEOUT": "how long connecting may take, and silence; a lookup never waits so long (default 1s)",
    "CACHE_STATS_BUFFER_SIZE": "tokens whose cache hits can wait to be written down (default 1000)",
    "AUDIT_ENABLED": "false: nothing is noted of what management did and who was refused (default true)",
    "AUDIT_LOG_FILE": f"the file of the audit log, none for no file (default {DEFAULT_FILE})",
    "AUDIT_CREATE_DIR": "false: its directory must be there (default true)",
    "AUDIT_STORE_IN_DB": "false: not into the database too, where it can be asked for (default true)",
    "AUDIT_MAX_FILE_SIZE": "a longer file is sealed and continued in another (default 100MB)",
    "AUDIT_KEEP_FILES": "how many sealed files are kept (default 10)",
    "AUDIT_FSYNC": "always, interval (within a second, the default) or never",
    "TRUSTED_PROXIES": "addresses and networks, with commas, that may say whose request it is; unix for sockets",
    "FORWARDED_HEADER": "where they say it: x-forwarded-for (the default) or forwarded",
    "LOG_LEVEL": "debug, info, warn or error (default info)",
    "LOG_FORMAT": "json or console (default json)",
    "LOG_FILE": "where the access log is appended to (default: standard output)",
}
"""Every variable that does something, and what."""

SECRETS = (
    "MANAGEMENT_TOKEN",
    "ENCRYPTION_KEY",
    "ENCRYPTION_KEY_OLD",
    "DATABASE_URL",
    "REDIS_CACHE_URL",
    "REDIS_PASSWORD",
)
"""Those that C{<NAME>_FILE}, or a value C{file:/path}, may name a file for."""

NOT_EFFECTIVE = frozenset(
    """
    MAX_REQUEST_SIZE MAX_CONCURRENT_REQUESTS API_ENV DATABASE_MAX_IDLE_CONNS
    DATABASE_CONN_MAX_LIFETIME OPENAI_API_URL ENABLE_STREAMING ADMIN_UI_PATH ADMIN_UI_LISTEN_ADDR
    ADMIN_UI_API_BASE_URL ADMIN_UI_ENABLED ADMIN_UI_TEMPLATE_DIR
    OBSERVABILITY_ENABLED OBSERVABILITY_BUFFER_SIZE OBSERVABILITY_MAX_REQUEST_BODY_BYTES
    OBSERVABILITY_MAX_RESPONSE_BODY_BYTES CORS_ALLOWED_ORIGINS CORS_ALLOWED_METHODS CORS_ALLOWED_HEADERS
    CORS_MAX_AGE GLOBAL_RATE_LIMIT IP_RATE_LIMIT DISTRIBUTED_RATE_LIMIT_ENABLED DISTRIBUTED_RATE_LIMIT_PREFIX
    DISTRIBUTED_RATE_LIMIT_KEY_SECRET DISTRIBUTED_RATE_LIMIT_WINDOW DISTRIBUTED_RATE_LIMIT_MAX
    DISTRIBUTED_RATE_LIMIT_FALLBACK TOKEN_CLEANUP_INTERVAL LLM_PROXY_ENFORCE_PROJECT_ACTIVE
    LLM_PROXY_ACTIVE_CACHE_TTL LLM_PROXY_ACTIVE_CACHE_MAX LLM_PROXY_API_KEY_CACHE_TTL LLM_PROXY_API_KEY_CACHE_MAX
    LLM_PROXY_EVENT_BUS REDIS_STREAM_KEY REDIS_CONSUMER_GROUP REDIS_CONSUMER_NAME
    REDIS_STREAM_MAX_LEN REDIS_STREAM_BLOCK_TIME REDIS_STREAM_CLAIM_TIME REDIS_STREAM_BATCH_SIZE
    USAGE_STATS_BUFFER_SIZE REDIS_SCAN_COUNT LOG_BINARY_RESPONSES FILE_EVENT_LOG
    """.split()
)
"""Variables of the reference that mean nothing here: they are warned of. Who makes one mean something moves it up."""

_OF_REDIS = frozenset(
    """
    REDIS_CACHE_URL REDIS_ADDR REDIS_DB REDIS_PASSWORD REDIS_CACHE_KEY_PREFIX REDIS_CACHE_POOL_SIZE REDIS_CACHE_TIMEOUT
    """.split()
)
"""Variables that mean nothing without C{HTTP_CACHE_BACKEND=redis}."""

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_LEVELS = {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}
_FORMATS = {"json": "json", "console": "console", "text": "console"}
_SCHEMES = {"sqlite": "sqlite", "postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
_MYSQL_DSN = re.compile(r"([^:@/]*)(?::(.*))?@tcp\(([^)]+)\)/([^?]*)(?:\?.*)?", re.DOTALL)


@frozen
class Storage:
    """Where the database is, and what it is encrypted with."""

    database_url: str = field(repr=False)
    encryption_key: bytes | None = field(repr=False)
    old_encryption_keys: tuple[bytes, ...] = field(repr=False)
    require_encryption: bool
    pool_size: int


@frozen
class Environment:
    """
    What the environment says, checked.

    @ivar audit: C{None} for no audit log.
    @ivar trusted_proxies: C{None} if nothing was said.
    @ivar request_timeout: seconds, or C{None} if it was not said.
    @ivar warnings: sentences for the operator; they hold no value of a variable.
    """

    management_token: str = field(repr=False)
    storage: Storage
    listen: tuple[str, ...]
    manage_listen: tuple[str, ...]
    config_path: str
    default_api: str | None
    metrics_path: str | None
    request_timeout: float | None
    log_level: str
    log_format: str
    log_file: str | None
    cache: CacheOptions
    audit: AuditOptions | None
    trusted_proxies: tuple[str, ...] | None
    forwarded_header: str | None
    warnings: tuple[str, ...]


def read_environment(env: Mapping[str, str], read_secret: Callable[[str], str]) -> Environment:
    """
    @param env: the variables. An empty one counts as not set, as in the reference, but for the
        management token, which must not be empty.
    @param read_secret: the text of a file; it may raise C{OSError} and C{UnicodeDecodeError}.
    @raise ConfigError: with everything that is wrong.
    """
    variables = _Variables(env, read_secret)
    token = variables.management_token()
    storage = variables.storage()
    secrets = {name: variables.secret(name) for name in ("REDIS_CACHE_URL", "REDIS_PASSWORD")}
    cache, wrong = read_cache_environment({**env, **secrets})
    for sentence in wrong:
        name, _, text = sentence.partition(": ")
        variables.problems.add(name, text)
    environment = Environment(
        management_token=token,
        storage=storage,
        listen=(variables.checked("LISTEN_ADDR", endpoint_description, DEFAULT_LISTEN),),
        manage_listen=variables.management_listen(),
        config_path=variables.text("API_CONFIG_PATH") or DEFAULT_CONFIG,
        default_api=variables.text("DEFAULT_API_PROVIDER") or None,
        metrics_path=variables.checked("METRICS_PATH", _path, "/metrics")
        if variables.flag("ENABLE_METRICS", True)
        else None,
        request_timeout=variables.checked("REQUEST_TIMEOUT", parse_duration, "0") or None,
        log_level=variables.checked("LOG_LEVEL", _one_of(_LEVELS), "info"),
        log_format=variables.checked("LOG_FORMAT", _one_of(_FORMATS), "json"),
        log_file=variables.text("LOG_FILE") or None,
        cache=cache,
        audit=variables.audit(),
        trusted_proxies=variables.checked("TRUSTED_PROXIES", _trusted_proxies, "") or None,
        forwarded_header=variables.checked("FORWARDED_HEADER", forwarded_header, "x-forwarded-for")
        if variables.text("FORWARDED_HEADER")
        else None,
        warnings=tuple(_warnings(env, token, storage.encryption_key)),
    )
    variables.problems.fail()
    return environment


def read_storage(env: Mapping[str, str], read_secret: Callable[[str], str]) -> Storage:
    """
    The part of L{read_environment} that commands need which open the database themselves.

    @raise ConfigError: with everything that is wrong with it.
    """
    variables = _Variables(env, read_secret)
    storage = variables.storage()
    variables.problems.fail()
    return storage


class _Variables:
    def __init__(self, env: Mapping[str, str], read_secret: Callable[[str], str]) -> None:
        self._env = env
        self._read_secret = read_secret
        self.problems = Problems()

    def text(self, name: str) -> str:
        return self._env.get(name, "").strip()

    def checked(self, name: str, rule: Callable[[str], T], default: str) -> T:
        """The value that a rule makes; of the default too where the variable is wrong, which is noted."""
        try:
            return rule(self.text(name) or default)
        except ValueError as error:
            self.problems.add(name, str(error))
            return rule(default)

    def flag(self, name: str, default: bool) -> bool:
        """As Go's C{strconv.ParseBool}."""
        text = self.text(name)
        if text and text not in _TRUE | _FALSE:
            self.problems.add(name, f"expected true or false, got {text[:40]!r}")
        return default if not text else text in _TRUE

    def secret(self, name: str) -> str:
        """A value, or the content of the file that is named in its stead, without white space around it."""
        text, path = self.text(name), self.text(f"{name}_FILE")
        if text and path:
            self.problems.add(name, f"is set, and so is {name}_FILE: which of them is meant?")
        elif text.startswith("file:"):
            path = text.removeprefix("file:")
        return self._content(name, path) if path else text

    def management_token(self) -> str:
        token = self.secret("MANAGEMENT_TOKEN")
        if not token and "MANAGEMENT_TOKEN" not in self.problems.paths:
            self.problems.add("MANAGEMENT_TOKEN", "is required, and must not be empty (or MANAGEMENT_TOKEN_FILE)")
        elif not (token.isascii() and token.isprintable()) or " " in token:
            self.problems.add("MANAGEMENT_TOKEN", "expected printable ASCII characters without spaces")
        return token

    def management_listen(self) -> tuple[str, ...]:
        text = self.text("MANAGE_LISTEN_ADDR")
        return (self.checked("MANAGE_LISTEN_ADDR", private_endpoint_description, text),) if text else ()

    def storage(self) -> Storage:
        required = self.flag("REQUIRE_ENCRYPTION_KEY", False)
        key, old = self.encryption_key(required), self.old_encryption_keys()
        if old and key is None and "ENCRYPTION_KEY" not in self.problems.paths:
            self.problems.add("ENCRYPTION_KEY_OLD", "is set, and ENCRYPTION_KEY is not")
        pool_size = self.checked("DATABASE_POOL_SIZE", _pool_size, str(DEFAULT_POOL_SIZE))
        return Storage(self.database_url(), key, old, required, pool_size)

    def old_encryption_keys(self) -> tuple[bytes, ...]:
        try:
            return tuple(map(parse_encryption_key, self.secret("ENCRYPTION_KEY_OLD").replace(",", " ").split()))
        except ValueError as error:
            self.problems.add("ENCRYPTION_KEY_OLD", str(error))
            return ()

    def encryption_key(self, required: bool) -> bytes | None:
        text = self.secret("ENCRYPTION_KEY")
        if not text:
            if required and "ENCRYPTION_KEY" not in self.problems.paths:
                self.problems.add("ENCRYPTION_KEY", "is required by REQUIRE_ENCRYPTION_KEY")
            return None
        try:
            return parse_encryption_key(text)
        except ValueError as error:
            self.problems.add("ENCRYPTION_KEY", str(error))
            return None

    def database_url(self) -> str:
        driver = self.checked("DB_DRIVER", _one_of(_SCHEMES), "sqlite") if self.text("DB_DRIVER") else ""
        text = self.secret("DATABASE_URL")
        if not text:
            if driver not in ("", "sqlite"):
                self.problems.add("DATABASE_URL", f"is required with DB_DRIVER={driver}")
            return sqlite_url(self.text("DATABASE_PATH") or DEFAULT_DATABASE)
        try:
            url, found = database_url(text)
        except ValueError as error:
            self.problems.add("DATABASE_URL", str(error))
            return ""
        if driver and found != driver:
            self.problems.add("DB_DRIVER", f"is {driver}, but DATABASE_URL is one of {found}")
        return url

    def audit(self) -> AuditOptions | None:
        options, problems = read_audit_environment(self._env, parse_size)
        for name, sentence in problems:
            self.problems.add(name, sentence)
        return options

    def _content(self, name: str, path: str) -> str:
        try:
            return self._read_secret(path).strip()
        except OSError as error:
            self.problems.add(name, f"the file {path!r} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self.problems.add(name, f"the file {path!r} is not text")
        return ""


def parse_encryption_key(text: str) -> bytes:
    """
    Base64 of 32 bytes, as C{openssl rand -base64 32} makes it.

    @raise ValueError: it is not; the sentence does not hold it.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64 of 32 bytes (openssl rand -base64 32)") from None
    if len(key) != 32:
        raise ValueError(f"encryption key must be exactly 32 bytes, got {len(key)} (openssl rand -base64 32)")
    return key


def sqlite_url(path: str) -> str:
    """The URL of an SQLite database, of one in memory for C{:memory:}."""
    return "sqlite://" if path == ":memory:" else f"sqlite:///{path}"


def database_url(text: str) -> tuple[str, str]:
    """
    A URL, and which database it is one of; a DSN of Go's MySQL driver becomes a URL.

    @raise ValueError: neither; the sentence holds no password.
    """
    dsn = _MYSQL_DSN.fullmatch(text)
    if dsn:
        user, password, host, name = dsn.groups()
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"mysql://{login}@{host}/{name}", "mysql"
    scheme, separator, _ = text.partition("://")
    driver = _SCHEMES.get(scheme.partition("+")[0]) if separator else None
    if driver is None:
        raise ValueError(
            "expected a URL such as sqlite:///data/llm-proxy.db, postgresql://user:password@host/name "
            "or mysql://user:password@host/name"
        )
    return text, driver


def _one_of(names: Mapping[str, str]) -> Callable[[str], str]:
    def rule(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"expected one of {', '.join(names)}, got {text[:40]!r}")
        return names[text.lower()]

    return rule


def _pool_size(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise ValueError(f"expected a number from 1 to 1000, got {text[:40]!r}")
    return int(text)


def _trusted_proxies(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in found:
        trusted_proxy(part)
    return found


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or set(text) & set(" ?#"):
        raise ValueError(f"expected a path such as /metrics, got {text[:40]!r}")
    return text


def _warnings(env: Mapping[str, str], token: str, key: bytes | None) -> list[str]:
    found = []
    if token and len(token) < SHORT_TOKEN:
        found.append(f"MANAGEMENT_TOKEN has less than {SHORT_TOKEN} characters: it can be guessed")
    if key is None:
        found.append("ENCRYPTION_KEY is not set: upstream keys are stored as they are")
    without = (
        NOT_EFFECTIVE if env.get("HTTP_CACHE_BACKEND", "").strip().lower() == "redis" else NOT_EFFECTIVE | _OF_REDIS
    )
    idle = sorted(name for name in without if env.get(name))
    if idle:
        found.append(f"known, but without effect here: {', '.join(idle)}")
    return found
