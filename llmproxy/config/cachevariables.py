"""The environment variables of the cache: those of the reference, and the Redis that is shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

from attrs import evolve

from ..core.caching.settings import CacheOptions
from ..core.redisoptions import CONNECTIONS, TIMEOUT, RedisLocation, RedisOptions, parse_redis_url
from .redis import MOST_CONNECTIONS, patience
from .units import parse_count, parse_duration, parse_flag, parse_size

T = TypeVar("T")

_BACKENDS = ("memory", "in-memory", "redis")


def read_cache_environment(env: Mapping[str, str]) -> tuple[CacheOptions, list[tuple[str, str]]]:
    """What the environment says, and what is wrong with it: names and sentences. What is wrong has its default."""
    reading = _Reading(env)
    options = CacheOptions()
    backend = reading.checked("HTTP_CACHE_BACKEND", _backend, "memory")
    defaults = evolve(
        options.defaults,
        streams=reading.checked("HTTP_CACHE_STREAM_RESPONSES", parse_flag, False),
        default_ttl=reading.checked("HTTP_CACHE_DEFAULT_TTL", parse_duration, 0.0),
        max_object=reading.checked("HTTP_CACHE_MAX_OBJECT_BYTES", parse_size, 0) or options.defaults.max_object,
    )
    location = reading.location() if backend == "redis" else None
    pool = reading.checked("REDIS_CACHE_POOL_SIZE", parse_count, CONNECTIONS)
    timeout = reading.checked("REDIS_CACHE_TIMEOUT", patience, TIMEOUT)
    return CacheOptions(
        enabled=reading.checked("HTTP_CACHE_ENABLED", parse_flag, True),
        redis=RedisOptions(location, max(1, min(MOST_CONNECTIONS, pool)), timeout) if location is not None else None,
        prefix=reading.text("REDIS_CACHE_KEY_PREFIX") or options.prefix,
        memory_bytes=reading.checked("HTTP_CACHE_MEMORY_BYTES", parse_size, options.memory_bytes),
        stats_buffer=max(1, reading.checked("CACHE_STATS_BUFFER_SIZE", parse_count, options.stats_buffer)),
        defaults=defaults,
    ), reading.problems


class _Reading:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[tuple[str, str]] = []

    def text(self, name: str) -> str:
        return self._env.get(name, "").strip()

    def checked(self, name: str, rule: Callable[[str], T], default: T) -> T:
        text = self.text(name)
        try:
            return rule(text) if text else default
        except ValueError as error:
            self.problems.append((name, str(error)))
            return default

    def location(self) -> RedisLocation | None:
        """A problem is described without the text, which may hold a password."""
        name, url = "REDIS_CACHE_URL", self.text("REDIS_CACHE_URL")
        if not url:
            name, address = "REDIS_ADDR", self.text("REDIS_ADDR") or "localhost:6379"
            url = f"redis://{quote(address, safe=':[]')}/{self.text('REDIS_DB') or '0'}"
        try:
            return parse_redis_url(url, self.text("REDIS_PASSWORD") or None)
        except ValueError as error:
            self.problems.append((name, str(error)))
            return None


def _backend(text: str) -> str:
    if text.lower() not in _BACKENDS:
        raise ValueError(f"expected one of {', '.join(_BACKENDS)}, got {text[:40]!r}")
    return text.lower()
