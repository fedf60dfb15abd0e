"""The environment variables of events on Redis Streams: the reference's, with its defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from .redis import patience
from .units import parse_count

STREAM = "llm-proxy-events"
GROUP = "llm-proxy-dispatchers"
MOST_ENTRIES = 10_000
MOST_NAME = 200
SHORTEST = 0.1

BUSES = ("redis-streams", "in-memory")


@frozen
class StreamSettings:
    """
    Where events are, and how a group of consumers reads them. Durations are seconds.

    @ivar consumer: the name of this process in its group; C{""} for one of its own.
    @ivar max_len: about how many entries stay in the stream; 0 for all.
    @ivar block: how long a read waits in Redis.
    @ivar claim: what another consumer has had for so long without a sign of life is taken over.
    @ivar batch: entries of one read.
    """

    url: str = field(default="redis://localhost:6379/0", repr=False)
    password: str | None = field(default=None, repr=False)
    stream: str = STREAM
    group: str = GROUP
    consumer: str = ""
    max_len: int = MOST_ENTRIES
    block: float = 5.0
    claim: float = 30.0
    batch: int = 100


def read_stream_environment(env: Mapping[str, str]) -> tuple[StreamSettings, list[tuple[str, str]]]:
    """What the environment says of it, and what is wrong: names and sentences. What is wrong has its default."""
    found: dict[str, Any] = {}
    problems = []
    for name, (key, rule) in _VARIABLES.items():
        text = env.get(name, "").strip()
        try:
            if text:
                found[key] = rule(text)
        except ValueError as error:
            problems.append((name, str(error)))
    return StreamSettings(url=stream_url(env), password=env.get("REDIS_PASSWORD") or None, **found), problems


def stream_url(env: Mapping[str, str]) -> str:
    """C{REDIS_URL}, else the one of C{REDIS_ADDR} and C{REDIS_DB}, which is on this machine if they say nothing."""
    url, address, number = (env.get(name, "").strip() for name in ("REDIS_URL", "REDIS_ADDR", "REDIS_DB"))
    return url or f"redis://{address or 'localhost:6379'}/{number or 0}"


def event_bus(env: Mapping[str, str]) -> str:
    """
    C{LLM_PROXY_EVENT_BUS}; C{""} where nothing is said.

    @raise ValueError: there is no such bus.
    """
    text = env.get("LLM_PROXY_EVENT_BUS", "").strip()
    if text not in ("", *BUSES):
        hint = "; lists of Redis were a bus of old, and are none any more" if text == "redis" else ""
        raise ValueError(f"unknown event bus backend: {text[:40]} (there are {' and '.join(BUSES)}{hint})")
    return text


def bus_sink(env: Mapping[str, str]) -> dict[str, Any] | None:
    """The sink that C{LLM_PROXY_EVENT_BUS=redis-streams} stands for, as it would stand in a file; C{None} for none."""
    if event_bus(env) != "redis-streams":
        return None
    settings, problems = read_stream_environment(env)
    if problems:
        raise ValueError("; ".join(f"{name}: {why}" for name, why in problems))
    return {
        "name": "bus",
        "type": "redis-streams",
        "url": settings.url,
        "stream": settings.stream,
        "max_len": settings.max_len,
        "schema": "legacy",
    }


def _name(text: str) -> str:
    if not text.isprintable() or len(text) > MOST_NAME:
        raise ValueError(f"expected up to {MOST_NAME} characters that can be printed")
    return text


def _wait(text: str) -> float:
    """Shorter ones would keep Redis busy with nothing else."""
    seconds = patience(text)
    if seconds < SHORTEST:
        raise ValueError(f"expected a duration from {SHORTEST:g}s to an hour, got {text[:40]!r}")
    return seconds


def _batch(text: str) -> int:
    count = parse_count(text)
    if not 1 <= count <= 10_000:
        raise ValueError(f"expected a number from 1 to 10000, got {text[:40]!r}")
    return count


_VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "REDIS_STREAM_KEY": ("stream", _name),
    "REDIS_CONSUMER_GROUP": ("group", _name),
    "REDIS_CONSUMER_NAME": ("consumer", _name),
    "REDIS_STREAM_MAX_LEN": ("max_len", parse_count),
    "REDIS_STREAM_BLOCK_TIME": ("block", _wait),
    "REDIS_STREAM_CLAIM_TIME": ("claim", _wait),
    "REDIS_STREAM_BATCH_SIZE": ("batch", _batch),
}
