"""The verdict on a Redis: whether it answers, how fast, what it evicts, and how old it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from .findings import Finding, fault, note, ok, skipped, warning
from .words import size_words, span_words

RedisUse = Literal["limits", "cache", "events"]

SLOW = 0.01
"""Seconds: a lookup in the cache is given up after 45 ms."""

SPARING = "noeviction"
FULL = 0.9

LEAST_OF_STREAMS = (6, 2)
"""C{XAUTOCLAIM}, which the dispatcher takes over with."""


@frozen
class RedisFacts:
    """
    @ivar use: what it is for.
    @ivar label: without credentials.
    @ivar error: why it does not answer, or refuses.
    @ivar answered_in: seconds of C{PING}.
    @ivar version: of the server.
    @ivar policy: C{maxmemory-policy}; C{""} if it does not say.
    @ivar used: bytes.
    @ivar most: C{maxmemory}; 0 is without limit.
    """

    use: RedisUse
    label: str
    error: str = ""
    answered_in: float | None = None
    version: str = ""
    policy: str = ""
    used: int = 0
    most: int = 0


def judge_redis(servers: tuple[RedisFacts, ...]) -> Iterator[Finding]:
    """What is wrong with each Redis that the configuration names."""
    if not servers:
        yield skipped("none is configured")
    for server in servers:
        yield from _of_server(server)


def _of_server(server: RedisFacts) -> Iterator[Finding]:
    where = f"{server.use}: {server.label}"
    if server.error:
        mend = "see that it runs, and that address, user and password are right"
        yield fault(f"{where}: {server.error}", mend)
        return
    if server.answered_in is not None:
        says = f"{where}: answers in {span_words(server.answered_in)}"
        yield ok(says) if server.answered_in < SLOW else warning(says, "put it nearer, or see what keeps it busy")
    yield from _of_eviction(where, server)
    if server.most and server.used > FULL * server.most:
        says = f"{where}: {size_words(server.used)} of {size_words(server.most)} are used"
        yield warning(says, "raise maxmemory" if server.policy == SPARING else "raise maxmemory, if hits are few")
    if server.use == "events" and _version(server.version) < LEAST_OF_STREAMS and server.version:
        yield fault(f"{where}: is Redis {server.version}", "llmproxy dispatcher needs 6.2 or newer")


def _of_eviction(where: str, server: RedisFacts) -> Iterator[Finding]:
    if not server.policy:
        yield note(f"{where}: does not say what it evicts", "allow INFO, or see that maxmemory-policy is right")
    elif server.use == "cache":
        if server.policy == SPARING and server.most:
            says = f"{where}: keeps everything, and refuses more answers when {size_words(server.most)} are full"
            yield warning(says, "CONFIG SET maxmemory-policy allkeys-lru, where it is the cache's alone")
    elif server.policy != SPARING:
        what = "limits" if server.use == "limits" else "events"
        says = f"{where}: maxmemory-policy is {server.policy}, and {what} that it evicts are lost"
        yield warning(says, f"CONFIG SET maxmemory-policy {SPARING}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
