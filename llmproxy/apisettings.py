"""The settings of one API that belong to single parts of the proxied path, each of the type that this part reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

HEAD_LIMIT = 64 * 1024
"""Bytes of one header or trailer section; nginx, Apache and Envoy allow between 8 and 60 KiB."""

USUAL_IDLE = 4.0
"""
Seconds, for an upstream that does not say how long it keeps a connection. uvicorn (so vLLM) and Node close after five,
others after up to fifteen; a request that is sent while upstream closes is lost.
"""

Scope = Literal["project", "shared"]

FORWARDING = ("strip", "pass", "append", "set")
"""The ways to tell upstream of the client, see L{llmproxy.core.forwarding}."""


@frozen
class ConnectionSettings:
    """
    Times are seconds, C{None} is no limit. The idle limits are the reference's.

    @ivar max_idle: connections kept without work, over all origins; the oldest goes first.
    @ivar max_connections_per_host: connections of one origin, at work or not.
    @ivar max_waiting_per_host: requests that wait for one of those; a further one is refused.
    @ivar idle_timeout: how long a connection without work is kept; see L{llmproxy.core.keeping.kept_for}.
    @ivar max_lifetime: how old a connection may be that takes a request.
    @ivar expect_continue: how long an upload that is to be asked for waits.
    @ivar connect_timeout: for name, TCP, proxy and TLS together.
    @ivar ca_file: PEM file of the authorities that are trusted instead of the platform's.
    @ivar client_cert: PEM file of our certificate, with its chain if there is one.
    @ivar client_key: PEM file of its key; C{None} if it is in C{client_cert}.
    @ivar verify: check certificates. Without it anybody can be upstream.
    @ivar proxy_from_environment: obey C{HTTP_PROXY}, C{HTTPS_PROXY}, C{ALL_PROXY} and C{NO_PROXY}.
    @ivar max_response_head: bytes of a response's header section, and of its trailers.
    @ivar http2: offer HTTP/2 to upstreams of C{https://}.
    """

    max_idle: int = 100
    max_idle_per_host: int = 20
    max_connections_per_host: int | None = None
    max_waiting_per_host: int = 1000
    idle_timeout: float = USUAL_IDLE
    max_lifetime: float | None = 600.0
    expect_continue: float | None = 1.0
    connect_timeout: float | None = 10.0
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = field(default=None, repr=False)
    verify: bool = True
    proxy_from_environment: bool = True
    max_response_head: int = HEAD_LIMIT
    http2: bool = False


@frozen
class BreakerSettings:
    """
    @ivar threshold: failures in a row that open it; 0 never does.
    @ivar cooldown: seconds.
    @ivar statuses: answers that count as failures of the key, whatever the model, as the reference counts them; C{None}
        counts L{FAILURE_STATUSES} for a model that is known, and no others.
    """

    threshold: int = 5
    cooldown: float = 30.0
    statuses: frozenset[int] | None = None


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
    @ivar max_object: a larger body is not kept; it is not cut.
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


@frozen
class MeterSettings:
    """
    The configuration below C{apis.<name>.meter}: of an API whose answers are read for what they used.

    @ivar include_usage: C{"inject"} asks for usage in streams of chats whose client has not asked for it, and takes it
        out of what the client gets.
    @ivar usage_trailer: whether what was used follows an answer as a trailer.
    @ivar estimate: whether what an answer does not say is estimated.
    """

    include_usage: Literal["keep", "inject"] = "keep"
    usage_trailer: bool = False
    estimate: bool = False


Balance = Literal["weighted", "least_in_flight", "peak_ewma"]

KeyBalance = Literal["priority", "round_robin", "least_used"]

RETRIED_STATUSES = (429, 500, 502, 503, 504, 529)
"""Of an upstream that is overloaded, limits, or failed; 529 is Anthropic's C{overloaded_error}."""


@frozen
class BalanceSettings:
    """
    How the upstream of an attempt is chosen among those of the smallest priority that can be asked, and its key.

    @ivar by: C{weighted}: in proportion to C{weight}. C{least_in_flight}: the one with the fewest running requests for
        its weight. C{peak_ewma}: of two that are drawn, the one whose answers have begun sooner for what it has to do.
    @ivar keys: among several keys of a project for an upstream: the first (C{priority}), one after the other
        (C{round_robin}), or the one that was used least (C{least_used}); of those that are not set aside.
    @ivar sticky: what goes to the same upstream while that can be asked: C{project}, C{token}, or C{header:NAME} in
        lower case; C{""} for nothing.
    @ivar slow_start: seconds in which one that can be asked again grows into its share, as Envoy's C{slow_start_config}
        has it; 0 is none.
    @ivar panic_threshold: the part of the upstreams of a priority that must be well; where fewer are, and no other
        priority can take over, all of them are asked, as Envoy's C{healthy_panic_threshold} has it; 0 is never.
    """

    by: Balance = "weighted"
    keys: KeyBalance = "priority"
    sticky: str = ""
    slow_start: float = 0.0
    panic_threshold: float = 0.0


@frozen
class RetrySettings:
    """
    @ivar attempts: how often a request is made at most, the first time included.
    @ivar statuses: answers in whose place another attempt is made.
    @ivar budget: retries of an upstream, as a share of the requests that it gets; see L{llmproxy.core.retrybudget}.
    @ivar replay: bytes of a request's body that are kept for another attempt.
    @ivar max_wait: seconds that a request waits at most before it goes to an upstream a second time.
    @ivar hedge: the part of an upstream's answers, the fastest ones, after whose time a second attempt is made beside
        the first; 0 is never.
    """

    attempts: int = 2
    statuses: frozenset[int] = frozenset(RETRIED_STATUSES)
    budget: float = 0.2
    replay: int = 1 << 20
    max_wait: float = 10.0
    hedge: float = 0.0


_BREAKER, _CONNECTION, _BALANCE = BreakerSettings(), ConnectionSettings(), BalanceSettings()


@frozen
class AttributionSettings:
    """
    The configuration below C{apis.<name>.attribution}: what is kept of what requests say of themselves.

    @ivar tags: the names that C{X-LLMProxy-Tags} may have; C{None} is all.
    @ivar project_tags: further ones, by the name or id of a project.
    @ivar hashed: what is kept as hashes, of L{llmproxy.core.attributing.attribution.HASHABLE}.
    @ivar reads_bodies: whether members of request bodies are looked for.
    @ivar programs: products of C{User-Agent} that are known besides, in lower case.
    """

    tags: frozenset[str] | None = None
    project_tags: Mapping[str, frozenset[str]] = field(factory=dict)
    hashed: frozenset[str] = frozenset()
    reads_bodies: bool = True
    programs: frozenset[str] = frozenset()


@frozen
class RedactRule:
    """
    What is taken out of captured content; see L{llmproxy.core.redaction.rules}.

    @ivar text: a path, the name of a built-in pattern, or an expression.
    """

    kind: Literal["path", "pattern", "regex"]
    text: str


@frozen
class CaptureSettings:
    """
    The configuration below C{apis.<name>.capture}: what events have of what was said. Sizes are bytes, without codings.

    @ivar request: of the body of a request, from its beginning; 0 keeps none.
    @ivar response: of that of an answer, likewise.
    @ivar headers: names of the fields that are kept, in lower case, of requests and of answers.
    @ivar sample: the part of the exchanges that are captured.
    @ivar opt_out: a client may ask for its exchange not to be, with C{X-LLMProxy-Capture: off}.
    """

    request: int = 64 * 1024
    response: int = 256 * 1024
    headers: frozenset[str] = frozenset()
    sample: float = 1.0
    redact: tuple[RedactRule, ...] = ()
    opt_out: bool = False


@frozen
class ApiSettings:
    """
    @ivar cache: C{None} for an API that is not cached.
    @ivar breaker: C{None} for one without a breaker.
    @ivar connection: how its upstreams are reached.
    @ivar forwarded_fields: what they learn of the client: C{strip}, C{pass}, C{append} or C{set}; see
        L{llmproxy.core.forwarding}.
    @ivar meter: C{None} for an API whose answers are not read for what they used.
    @ivar attribution: C{None} for one whose requests are not looked at for whom they are.
    @ivar balance: how one of its upstreams is chosen.
    @ivar retry: C{None} for one whose requests are made once.
    @ivar fallback: the names of the APIs that are asked where it cannot be.
    @ivar filter_models: lists of models show a caller those that it may use.
    @ivar capture: C{None} for one whose events say nothing of what was said.
    """

    cache: CacheSettings | None = None
    breaker: BreakerSettings | None = _BREAKER
    connection: ConnectionSettings = _CONNECTION
    forwarded_fields: str = "strip"
    meter: MeterSettings | None = None
    balance: BalanceSettings = _BALANCE
    retry: RetrySettings | None = None
    fallback: tuple[str, ...] = ()
    attribution: AttributionSettings | None = None
    filter_models: bool = False
    capture: CaptureSettings | None = None
