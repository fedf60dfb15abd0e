"""A look at each Redis that a configuration names."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..core.doctor.clock import SkewFacts
from ..core.doctor.redisserver import RedisFacts, RedisUse
from .subject import Subject

if TYPE_CHECKING:
    from ..config.sinks import SinkConfig
    from ..core.redisoptions import RedisLocation

PINGS = 3

TIMEOUT = 2.0
"""Seconds, for connecting and for each answer."""


def locations(subject: Subject) -> Iterator[tuple[RedisUse, RedisLocation]]:
    """Each Redis of a configuration, and what it is for."""
    settings, apis = subject.settings, subject.apis
    if settings is not None and settings.redis is not None:
        yield "limits", settings.redis.location
    if settings is not None and settings.cache.enabled and settings.cache.redis is not None:
        yield "cache", settings.cache.redis.location
    for sink in () if apis is None else apis.sinks:
        location = _of_sink(sink, subject) if sink.type == "redis-streams" else None
        if location is not None:
            yield "events", location


def _of_sink(sink: SinkConfig, subject: Subject) -> RedisLocation | None:
    from ..config.streamvariables import stream_url
    from ..core.redisoptions import parse_redis_url

    try:
        url = str(sink.settings.get("url") or stream_url(subject.env))
        return parse_redis_url(url, subject.env.get("REDIS_PASSWORD") or None)
    except ValueError:
        return None


def look_at_redis(subject: Subject) -> tuple[RedisFacts, ...]:
    """Whether each answers, and what it says of itself."""
    return tuple(_look(use, location) for use, location in locations(subject))


def _look(use: RedisUse, location: RedisLocation) -> RedisFacts:
    try:
        return _asked(use, location)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return RedisFacts(use, location.label, error=f"cannot be reached: {why}")


def _asked(use: RedisUse, location: RedisLocation) -> RedisFacts:
    import hiredis

    from ..redis.commands import command
    from ..redis.probe import connected, greetings, reply_of

    with connected(location, TIMEOUT) as connection:
        reader: Any = hiredis.Reader()

        def ask(sent: bytes) -> Any:
            connection.sendall(sent)
            return reply_of(connection, reader)

        for greeting in greetings(location):
            refused = ask(greeting)
            if isinstance(refused, Exception):
                return RedisFacts(use, location.label, error=f"refuses: {str(refused)[:100]}")
        took = []
        for _ in range(PINGS):
            began = time.monotonic()
            answer = ask(command(b"PING"))
            took.append(time.monotonic() - began)
            if isinstance(answer, Exception):
                return RedisFacts(use, location.label, error=f"refuses: {str(answer)[:100]}")
        said = ask(command(b"INFO", b"server")), ask(command(b"INFO", b"memory"))
    info = b"".join(each for each in said if isinstance(each, bytes))
    return RedisFacts(
        use,
        location.label,
        answered_in=min(took),
        version=_said(info, b"redis_version"),
        policy=_said(info, b"maxmemory_policy"),
        used=_number(info, b"used_memory"),
        most=_number(info, b"maxmemory"),
    )


def _said(info: bytes, name: bytes) -> str:
    found = re.search(rb"^%b:([A-Za-z0-9._-]{1,40})\r?$" % name, info, re.MULTILINE)
    return "" if found is None else found[1].decode()


def _number(info: bytes, name: bytes) -> int:
    text = _said(info, name)
    return int(text) if text.isdecimal() else 0


def clocks_of_redis(subject: Subject, now: Callable[[], float] = time.time) -> Iterator[SkewFacts]:
    """The clock of each; those that do not answer are left out."""
    for location in dict.fromkeys(location for _, location in locations(subject)):
        try:
            found = _clock(location, now)
        except (OSError, ValueError):
            continue
        if found is not None:
            yield found


def _clock(location: RedisLocation, now: Callable[[], float]) -> SkewFacts | None:
    import hiredis

    from ..redis.commands import command
    from ..redis.probe import connected, greetings, reply_of

    with connected(location, TIMEOUT) as connection:
        reader: Any = hiredis.Reader()
        for greeting in greetings(location):
            connection.sendall(greeting)
            reply_of(connection, reader)
        before = now()
        connection.sendall(command(b"TIME"))
        said = reply_of(connection, reader)
        after = now()
    if not isinstance(said, list) or len(said) != 2:
        return None
    return SkewFacts(location.label, int(said[0]) + int(said[1]) / 1e6 - (before + after) / 2)
