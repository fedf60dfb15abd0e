"""What holds for the caching of all APIs, and the variables of the reference that say it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import evolve, frozen

from .control import delta_seconds
from .redisurl import RedisLocation, parse_redis_url
from .settings import DEFAULT, CacheSettings

DEFAULT_PREFIX = "llmproxy:cache:"
DEFAULT_POOL = 4
"""Connections; the reference has fifty, as each of its commands takes one for itself, while ours share them."""

MOST_CONNECTIONS = 1000
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_BACKENDS = ("memory", "in-memory", "redis")


@frozen
class CacheOptions:
    """
    What all APIs have in common.

    @ivar enabled: C{HTTP_CACHE_ENABLED}; unset is on, as in the reference.
    @ivar redis: where the shared store is, C{None} for the memory of this process.
    @ivar prefix: what all keys in Redis begin with.
    @ivar pool: connections to Redis.
    @ivar timeout: seconds for connecting to Redis, and for it to say anything at all; a lookup is given up much
        earlier.
    @ivar memory_bytes: bound of the memory store, and of the memory in front of Redis.
    @ivar stats_buffer: tokens whose hits can wait to be written down.
    @ivar defaults: what APIs that say nothing of their own have.
    """

    enabled: bool = True
    redis: RedisLocation | None = None
    prefix: str = DEFAULT_PREFIX
    pool: int = DEFAULT_POOL
    timeout: float = 1.0
    memory_bytes: int = 256 * 1024 * 1024
    stats_buffer: int = 1000
    defaults: CacheSettings = DEFAULT


def read_cache_environment(env: Mapping[str, str]) -> tuple[CacheOptions, list[str]]:
    """What the environment says, and the sentences for what is wrong with it."""
    problems: list[str] = []

    def number(name: str, default: int) -> int:
        text = env.get(name, "").strip()
        value = delta_seconds(text.encode()) if text else default
        if value is None:
            problems.append(f"{name}: expected a whole number, got {text[:40]!r}")
        return default if value is None else value

    def flag(name: str, default: bool) -> bool:
        text = env.get(name, "").strip()
        value = _FLAGS.get(text.lower()) if text else default
        if value is None:
            problems.append(f"{name}: expected true or false, got {text[:40]!r}")
        return default if value is None else value

    backend = env.get("HTTP_CACHE_BACKEND", "").strip().lower() or "memory"
    if backend not in _BACKENDS:
        problems.append(f"HTTP_CACHE_BACKEND: expected one of {', '.join(_BACKENDS)}, got {backend[:40]!r}")
    defaults = evolve(
        DEFAULT,
        streams=flag("HTTP_CACHE_STREAM_RESPONSES", False),
        default_ttl=float(number("HTTP_CACHE_DEFAULT_TTL", 0)),
        max_object=number("HTTP_CACHE_MAX_OBJECT_BYTES", DEFAULT.max_object) or DEFAULT.max_object,
    )
    return CacheOptions(
        enabled=flag("HTTP_CACHE_ENABLED", True),
        redis=_redis(env, problems) if backend == "redis" else None,
        prefix=env.get("REDIS_CACHE_KEY_PREFIX", "").strip() or DEFAULT_PREFIX,
        pool=max(1, min(MOST_CONNECTIONS, number("REDIS_CACHE_POOL_SIZE", DEFAULT_POOL))),
        timeout=_duration(env, "REDIS_CACHE_TIMEOUT", 1.0, problems),
        memory_bytes=number("HTTP_CACHE_MEMORY_BYTES", 256 * 1024 * 1024),
        stats_buffer=max(1, number("CACHE_STATS_BUFFER_SIZE", 1000)),
        defaults=defaults,
    ), problems


def _redis(env: Mapping[str, str], problems: list[str]) -> RedisLocation | None:
    """What is wrong with it is told without its text, which may hold a password."""
    name, url = "REDIS_CACHE_URL", env.get("REDIS_CACHE_URL", "").strip()
    if not url:
        name, address = "REDIS_ADDR", env.get("REDIS_ADDR", "").strip() or "localhost:6379"
        url = f"redis://{quote(address, safe=':[]')}/{env.get('REDIS_DB', '').strip() or '0'}"
    try:
        return parse_redis_url(url, env.get("REDIS_PASSWORD", "").strip() or None)
    except ValueError as error:
        problems.append(f"{name}: {error}")
        return None


def _duration(env: Mapping[str, str], name: str, default: float, problems: list[str]) -> float:
    """Seconds, plain or with C{s} or C{ms}."""
    text = env.get(name, "").strip()
    number, factor = (text[:-2], 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    try:
        seconds = float(number) * factor if text else default
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 3600:
        problems.append(f"{name}: expected a duration such as 1s or 500ms, got {text[:40]!r}")
        return default
    return seconds
