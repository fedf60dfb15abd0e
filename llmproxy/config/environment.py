"""
The environment variables: those of the reference mean the same, and none is ignored in silence.

A value that is not understood is an error; the reference takes its default then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen

from ..core.audit.settings import AuditOptions, read_audit_environment
from ..core.caching.settings import CacheOptions
from ..core.strength import weakness
from .cachevariables import read_cache_environment
from .capturevariables import read_capture_environment
from .certificates import check_certificate, tls_description
from .databases import SCHEMES, EncryptionKey, Storage, database_url, parse_encryption_key, sqlite_url
from .dotenv import source_of
from .listen import endpoint_description, private_endpoint_description
from .oldvariables import advice_for
from .problems import Problems
from .redis import read_redis_environment
from .rules import forwarded_header, trusted_proxy
from .units import parse_duration, parse_flag, parse_size
from .variables import (
    DEFAULT_CONFIG,
    DEFAULT_DATABASE,
    DEFAULT_LISTEN,
    DEFAULT_POOL_SIZE,
    SINK_VARIABLES,
    without_effect,
)

if TYPE_CHECKING:
    from .capture import CaptureConfig
    from .sinks import SinkConfig

T = TypeVar("T")

_LEVELS = {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}
_LEAST_KEPT = 3600.0
"""Seconds that a token stays after its end: longer than any process counts in memory what was used of it."""

_FORMATS = {"json": "json", "console": "console", "text": "console"}


@frozen
class Environment:
    """
    What the environment says, checked.

    @ivar audit: C{None} for no audit log.
    @ivar metrics_token: what C{/metrics} asks for; C{""} for nothing.
    @ivar log_format: of the access log, JSON if nothing was said; C{server_log_format} is JSON only if it was.
    @ivar capture: what C{OBSERVABILITY_ENABLED} has captured of APIs that say nothing of it; C{None} for nothing.
    @ivar redis: what was said of it, by the fields of L{llmproxy.config.redis.RedisConfig}.
    @ivar otel: the variables of OpenTelemetry, by their names.
    @ivar trusted_proxies: C{None} if nothing was said.
    @ivar request_timeout: seconds, or C{None} if it was not said.
    @ivar sinks: those that variables stand for.
    @ivar warnings: sentences for the operator; they hold no value of a variable.
    """

    management_token: str = field(repr=False)
    storage: Storage
    listen: tuple[str, ...]
    manage_listen: tuple[str, ...]
    admin_ui: bool
    config_path: str
    default_api: str | None
    metrics_path: str | None
    metrics_token: str = field(repr=False)
    request_timeout: float | None
    log_level: str
    log_format: str
    server_log_format: str
    log_file: str | None
    cache: CacheOptions
    capture: CaptureConfig | None
    redis: Mapping[str, Any] = field(repr=False)
    audit: AuditOptions | None
    keep_ended_tokens: float | None
    trusted_proxies: tuple[str, ...] | None
    forwarded_header: str | None
    watch: bool
    otel: Mapping[str, str] = field(repr=False)
    sinks: tuple[SinkConfig, ...]
    warnings: tuple[str, ...]


def read_environment(env: Mapping[str, str], read_secret: Callable[[str], str]) -> Environment:
    """
    @param env: the variables. An empty one counts as not set, as in the reference, but for the
        management token, which must not be empty.
    @param read_secret: the text of a file; it may raise C{OSError} and C{UnicodeDecodeError}.
    @raise ConfigError: with everything that is wrong.
    """
    variables = _Variables(env, read_secret)
    token, metrics_token = variables.management_token(), variables.metrics_token()
    storage = variables.storage()
    secrets = {name: variables.secret(name) for name in ("REDIS_URL", "REDIS_CACHE_URL", "REDIS_PASSWORD")}
    cache, wrong = read_cache_environment({**env, **secrets})
    redis, wrong_too = read_redis_environment({**env, **secrets})
    capture, wrong_there = read_capture_environment(env)
    sinks, wrong_sinks = _sinks({**env, **secrets})
    for name, sentence in (*wrong, *wrong_too, *wrong_there, *wrong_sinks):
        variables.problems.add(name, sentence)
    environment = Environment(
        management_token=token,
        storage=storage,
        listen=(variables.listen(),),
        manage_listen=variables.management_listen(),
        admin_ui=variables.flag("ADMIN_UI_ENABLED", False),
        config_path=variables.text("API_CONFIG_PATH") or DEFAULT_CONFIG,
        default_api=variables.text("DEFAULT_API_PROVIDER") or None,
        metrics_path=variables.checked("METRICS_PATH", _path, "/metrics")
        if variables.flag("ENABLE_METRICS", True)
        else None,
        metrics_token=metrics_token,
        request_timeout=variables.checked("REQUEST_TIMEOUT", parse_duration, "0") or None,
        log_level=variables.checked("LOG_LEVEL", _one_of(_LEVELS), "info"),
        log_format=variables.checked("LOG_FORMAT", _one_of(_FORMATS), "json"),
        server_log_format="json" if variables.text("LOG_FORMAT").lower() == "json" else "text",
        log_file=variables.text("LOG_FILE") or None,
        cache=cache,
        capture=capture,
        redis=redis,
        audit=variables.audit(),
        keep_ended_tokens=variables.checked("TOKENS_KEEP_ENDED", _kept_for, "off"),
        trusted_proxies=variables.checked("TRUSTED_PROXIES", _trusted_proxies, "") or None,
        forwarded_header=variables.checked("FORWARDED_HEADER", forwarded_header, "x-forwarded-for")
        if variables.text("FORWARDED_HEADER")
        else None,
        watch=variables.flag("WATCH_CONFIG", False),
        otel=variables.otel() if any(name.startswith("OTEL_") for name in env) else {},
        sinks=sinks,
        warnings=tuple(_warnings(env, token, metrics_token, storage.encryption_key)),
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


def read_redis(env: Mapping[str, str], read_secret: Callable[[str], str]) -> Mapping[str, Any]:
    """
    The part of it that is about the Redis that machines share.

    @raise ConfigError: with everything that is wrong with it.
    """
    variables = _Variables(env, read_secret)
    found, wrong = read_redis_environment({**env, "REDIS_URL": variables.secret("REDIS_URL")})
    for name, sentence in wrong:
        variables.problems.add(name, sentence)
    variables.problems.fail()
    return found


def read_capture(env: Mapping[str, str]) -> CaptureConfig | None:
    """
    The part of it that is about what is captured.

    @raise ConfigError: with everything that is wrong with it.
    """
    found, wrong = read_capture_environment(env)
    problems = Problems()
    for name, sentence in wrong:
        problems.add(name, sentence)
    problems.fail()
    return found


def _sinks(env: Mapping[str, str]) -> tuple[tuple[SinkConfig, ...], list[tuple[str, str]]]:
    """Most processes have none of these variables, and need not know how they are read."""
    if not any(env.get(name, "").strip() for name in SINK_VARIABLES):
        return (), []
    from .eventvariables import sinks_of_environment

    return sinks_of_environment(env)


def with_secrets(env: Mapping[str, str], read_secret: Callable[[str], str], *names: str) -> dict[str, str]:
    """
    C{env} with the content of the files that these variables name.

    @raise ConfigError: with everything that is wrong with them.
    """
    variables = _Variables(env, read_secret)
    found = {name: variables.secret(name) for name in names}
    variables.problems.fail()
    return {**env, **found}


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
        return self.checked(name, parse_flag, "true" if default else "false")

    def secret(self, name: str) -> str:
        """A value, or the content of the file that is named in its stead, without white space around it."""
        text, path = self.text(name), self.text(f"{name}_FILE")
        if text and path:
            where = f"{source_of(self._env, name)}, {name}_FILE in {source_of(self._env, f'{name}_FILE')}"
            self.problems.add(name, f"is set, and so is {name}_FILE: which of them is meant? ({name} in {where})")
        elif text.startswith("file:"):
            path = text.removeprefix("file:")
        return self._content(name, path) if path else text

    def management_token(self) -> str:
        token = self.secret("MANAGEMENT_TOKEN")
        if not token and "MANAGEMENT_TOKEN" not in self.problems.paths:
            self.problems.add("MANAGEMENT_TOKEN", "is required, and must not be empty (or MANAGEMENT_TOKEN_FILE)")
        return self._bearer("MANAGEMENT_TOKEN", token)

    def metrics_token(self) -> str:
        return self._bearer("METRICS_TOKEN", self.secret("METRICS_TOKEN"))

    def _bearer(self, name: str, token: str) -> str:
        if not (token.isascii() and token.isprintable()) or " " in token:
            self.problems.add(name, "expected printable ASCII characters without spaces")
        return token

    def listen(self) -> str:
        """Where to listen: with TLS where C{ENABLE_TLS} asks for it, as the reference does."""
        description = self.checked("LISTEN_ADDR", endpoint_description, DEFAULT_LISTEN)
        if not self.flag("ENABLE_TLS", False):
            return description
        certificate, key = self.text("TLS_CERT_FILE"), self.text("TLS_KEY_FILE")
        for name, path in (("TLS_CERT_FILE", certificate), ("TLS_KEY_FILE", key)):
            if not path:
                self.problems.add(name, "is required by ENABLE_TLS: the path of a PEM file")
        if certificate and key:
            check_certificate(certificate, key, self.problems)
        try:
            return tls_description(description, certificate, key)
        except ValueError as error:
            self.problems.add("LISTEN_ADDR", str(error))
            return description

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
            key = EncryptionKey(parse_encryption_key(text))
        except ValueError as error:
            self.problems.add("ENCRYPTION_KEY", f"{error}; it comes from {self._source('ENCRYPTION_KEY')}")
            return None
        key.source = self._source("ENCRYPTION_KEY")
        return key

    def _source(self, name: str) -> str:
        """Where a secret comes from: the environment, a file of variables, or a file that one of them names."""
        path = self.text(f"{name}_FILE")
        if path:
            return f"the file {path!r}, which {name}_FILE names in {source_of(self._env, f'{name}_FILE')}"
        text, source = self.text(name), source_of(self._env, name)
        return f"the file {text.removeprefix('file:')!r}, named in {source}" if text.startswith("file:") else source

    def database_url(self) -> str:
        driver = self.checked("DB_DRIVER", _one_of(SCHEMES), "sqlite") if self.text("DB_DRIVER") else ""
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

    def otel(self) -> Mapping[str, str]:
        """What OpenTelemetry's variables say; what is wrong is noted."""
        from .tracing import problems, variables_of

        found = variables_of(self._env, self.secret)
        for name, sentence in problems(found):
            self.problems.add(name, sentence)
        return found

    def audit(self) -> AuditOptions | None:
        options, problems = read_audit_environment(self._env, parse_size, parse_flag)
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


def _one_of(names: Mapping[str, str]) -> Callable[[str], str]:
    def rule(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"expected one of {', '.join(names)}, got {text[:40]!r}")
        return names[text.lower()]

    return rule


def _pool_size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= 1000:
        raise ValueError(f"expected a number from 1 to 1000, got {text[:40]!r}")
    return int(text)


def _kept_for(text: str) -> float | None:
    if text.lower() in ("off", "none"):
        return None
    seconds = parse_duration(text)
    if seconds == 0:
        return None
    if seconds < _LEAST_KEPT:
        raise ValueError(f"expected a duration such as 90d, an hour at least, or 0 for ever, got {text[:40]!r}")
    return seconds


def _trusted_proxies(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in found:
        trusted_proxy(part)
    return found


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or set(text) & set(" ?#"):
        raise ValueError(f"expected a path such as /metrics, got {text[:40]!r}")
    return text


def _warnings(env: Mapping[str, str], token: str, metrics_token: str, key: bytes | None) -> list[str]:
    secrets = (("MANAGEMENT_TOKEN", token), ("METRICS_TOKEN", metrics_token))
    found = [sentence for name, secret in secrets if secret and (sentence := weakness(name, secret))]
    if key is None:
        found.append("ENCRYPTION_KEY is not set: upstream keys are stored as they are")
    return [*found, *without_effect(env), *advice_for(env)]
