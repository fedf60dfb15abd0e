"""Settings of the Redis that machines share for limits and events, and the variables that stand above a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from ..core.redisoptions import CONNECTIONS, PREFIX, TIMEOUT, RedisOptions, parse_redis_url
from ..errors import ConfigError
from .units import parse_duration

MOST_CONNECTIONS = 1000

_CREDENTIALS = re.compile(r"(?<=://)[^/?]*@|(?<=[?&])(?:username|password)=[^&]*&?")


@frozen
class RedisConfig:
    """
    @ivar url: C{redis://user:password@host:6379/0}, C{rediss://} with TLS, C{unix:///path}; C{""} for none.
    @ivar pool: connections of each process, which commands share.
    @ivar timeout: seconds that connecting may take, and silence while an answer is due. No request waits so long.
    @ivar prefix: what all keys begin with.
    """

    url: str = field(default="", repr=False)
    pool: int = CONNECTIONS
    timeout: float = TIMEOUT
    prefix: str = PREFIX

    def options(self) -> RedisOptions | None:
        """
        C{None} for none.

        @raise ConfigError: the URL is none.
        """
        if not self.url:
            return None
        try:
            return RedisOptions(parse_redis_url(self.url), self.pool, self.timeout, self.prefix)
        except ValueError as error:
            raise ConfigError(f"redis.url: {error}") from None

    def without_credentials(self) -> RedisConfig:
        """The same, for the rules of a file, where none stand."""
        return evolve(self, url=_CREDENTIALS.sub("", self.url)) if isinstance(self.url, str) else self


def connections(text: str) -> int:
    """
    @raise ValueError: it is no number of connections.
    """
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= MOST_CONNECTIONS:
        raise ValueError(f"expected a number from 1 to {MOST_CONNECTIONS}, got {text[:40]!r}")
    return int(text)


def patience(text: str) -> float:
    """
    @raise ValueError: it is no duration in which Redis could answer.
    """
    seconds = parse_duration(text)
    if not 0 < seconds < 3600:
        raise ValueError(f"expected a duration from above nothing to an hour, such as 1s or 500ms, got {text[:40]!r}")
    return seconds


def key_prefix(text: str) -> str:
    """
    @raise ValueError: keys of a cluster could not begin so, or nobody could read them.
    """
    if not text or not text.isascii() or not text.isprintable() or set(text) & set(" {}") or len(text) > 100:
        raise ValueError(f"expected up to 100 characters but spaces and braces, such as llmproxy:, got {text[:40]!r}")
    return text


def read_redis_environment(env: Mapping[str, str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What the environment says of it, by the fields of L{RedisConfig}, and what is wrong: names and sentences."""
    found: dict[str, Any] = {}
    problems = []
    for name, (key, rule) in _VARIABLES.items():
        text = env.get(name, "").strip()
        try:
            if text:
                found[key] = rule(text)
        except ValueError as error:
            problems.append((name, str(error)))
    return found, problems


def _url(text: str) -> str:
    parse_redis_url(text)
    return text


_VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "REDIS_URL": ("url", _url),
    "REDIS_POOL_SIZE": ("pool", connections),
    "REDIS_TIMEOUT": ("timeout", patience),
    "REDIS_KEY_PREFIX": ("prefix", key_prefix),
}
