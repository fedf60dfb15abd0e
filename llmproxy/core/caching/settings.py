"""Settings of the cache: of one API, and what holds for all of them."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from ..redisoptions import RedisOptions

Scope = Literal["project", "shared"]


@frozen
class CacheSettings:
    """
    The configuration below C{apis.<name>.cache}; durations in seconds, sizes in bytes.

    @ivar enabled: whether this API is cached at all.
    @ivar scope: C{"project"}: no project ever sees what was stored for another. C{"shared"}: what a
        response marks as shareable (C{public} or C{s-maxage}) is shared by all projects of the API, and
        nothing else is stored.
    @ivar post: C{"opt_in"}: answers to POST are stored for a client that asks for it with
        C{Cache-Control: public, max-age=N}.
    @ivar post_max_body: a request body above this is not read for its hash.
    @ivar post_max_age: the longest lifetime that a client can ask for.
    @ivar streams: whether complete answers of C{text/event-stream} are stored.
    @ivar default_ttl: the lifetime where a response may be stored and names none; 0 is none.
    @ivar heuristic: the part of the time since C{Last-Modified} that counts as lifetime where a
        response names none; 0 turns it off. RFC 9111 section 4.2.2 names 0.1 as typical.
    @ivar heuristic_max: what the heuristic finds is never longer.
    @ivar max_object: a larger body is let go, not cut.
    @ivar keep_stale: how long a response is kept beyond its lifetime: to be validated, or served stale.
    @ivar wait: how long a request waits for the answer to an identical one before it goes to upstream itself; 0 never
        waits. Lists of models and files are answered within a second; nginx waits 5 seconds.
    """

    enabled: bool = True
    scope: Scope = "project"
    post: Literal["off", "opt_in"] = "off"
    post_max_body: int = 1024 * 1024
    post_max_age: float = 86400.0
    streams: bool = False
    default_ttl: float = 0.0
    heuristic: float = 0.1
    heuristic_max: float = 86400.0
    max_object: int = 2 * 1024 * 1024
    keep_stale: float = 3600.0
    wait: float = 2.0


DEFAULT = CacheSettings()

DEFAULT_PREFIX = "llmproxy:cache:"


@frozen
class CacheOptions:
    """
    What all APIs have in common.

    @ivar enabled: C{HTTP_CACHE_ENABLED}; unset is on, as in the reference.
    @ivar redis: the shared store, C{None} for the memory of this process. A lookup is given up much earlier than its
        C{timeout}.
    @ivar prefix: what all keys in Redis begin with.
    @ivar memory_bytes: bound of the memory store, and of the memory in front of Redis.
    @ivar stats_buffer: tokens whose hits can wait to be written down.
    @ivar defaults: what APIs that say nothing of their own have.
    """

    enabled: bool = True
    redis: RedisOptions | None = None
    prefix: str = DEFAULT_PREFIX
    memory_bytes: int = 256 * 1024 * 1024
    stats_buffer: int = 1000
    defaults: CacheSettings = DEFAULT
