"""What stands on the boards of deploy/grafana."""

from __future__ import annotations

from .grafana import Board, Row, lines, number, table

RATE = "$__rate_interval"

LIMIT_CODES = "rate_limit_exceeded|budget_exceeded|model_not_allowed|price_unknown|overloaded"

UPTIME = number("Uptime", "Seconds since the youngest process started.", "min(llm_proxy_uptime_seconds{JOB})", "s")
REQUEST_RATE = number(
    "Request rate", "Exchanges that end, a second.", f"sum(rate(llm_proxy_requests_total{{JOB}}[{RATE}]))", "reqps"
)
ERROR_RATE = number(
    "Error rate",
    "The share of exchanges that ended with a status of 400 or more, or not complete.",
    f"sum(rate(llm_proxy_errors_total{{JOB}}[{RATE}])) / (sum(rate(llm_proxy_requests_total{{JOB}}[{RATE}])) > 0)"
    " or vector(0)",
    "percentunit",
    warn=0.05,
    bad=0.2,
)
_HITS, _MISSES = (f"sum(rate(llm_proxy_cache_{name}_total{{JOB}}[{RATE}]))" for name in ("hits", "misses"))
HIT_RATIO = number(
    "Cache hit ratio",
    "Hits among the requests that could have been hits.",
    f"{_HITS} / (({_HITS} + {_MISSES}) > 0) or vector(0)",
    "percentunit",
)


def _quantiles(metric: str, by: str = "api", more: str = "") -> tuple[tuple[str, str], ...]:
    labels = f"{{JOB{more}}}"
    return tuple(
        (
            f"histogram_quantile({q}, sum by ({by}, le) (rate({metric}_bucket{labels}[{RATE}])))",
            f"{{{{{by}}}}} p{round(q * 100)}",
        )
        for q in (0.5, 0.95, 0.99)
    )


OVERVIEW = Board(
    "llmproxy-overview",
    "llmproxy: overview",
    "How many requests there are, how they end, how long they take, and what is wrong.",
    (
        Row(
            "Overview",
            (
                UPTIME,
                REQUEST_RATE,
                ERROR_RATE,
                HIT_RATIO,
                number("In flight", "Exchanges that are running.", "sum(llmproxy_in_flight{JOB})"),
                number(
                    "Tokens a second",
                    "Input and output, as answers said.",
                    f'sum(rate(llmproxy_tokens_total{{JOB, type=~"input|output"}}[{RATE}])) or vector(0)',
                ),
                number(
                    "Spend an hour",
                    "At the rate of now, where prices are known.",
                    f"sum(rate(llmproxy_cost_usd_total{{JOB}}[{RATE}])) * 3600 or vector(0)",
                    "currencyUSD",
                ),
                number(
                    "Open circuits",
                    "APIs that are not asked for now, in how many processes.",
                    'sum(llmproxy_circuits{JOB, state="open"}) or vector(0)',
                    bad=1,
                ),
            ),
        ),
        Row(
            "Requests",
            (
                lines(
                    "Request and error rate",
                    "Errors are those of clients too (4xx).",
                    (f"sum(rate(llm_proxy_requests_total{{JOB}}[{RATE}]))", "requests"),
                    (f"sum(rate(llm_proxy_errors_total{{JOB}}[{RATE}]))", "errors"),
                    unit="reqps",
                ),
                lines(
                    "Requests and errors since the start",
                    "Each process begins with none.",
                    ("sum(llm_proxy_requests_total{JOB})", "requests"),
                    ("sum(llm_proxy_errors_total{JOB})", "errors"),
                ),
                lines(
                    "Requests by API",
                    "Exchanges that end, a second.",
                    (f'sum by (api) (rate(llmproxy_requests_total{{JOB, api=~"$api"}}[{RATE}]))', "{{api}}"),
                    unit="reqps",
                    stacked=True,
                ),
                lines(
                    "Answers by status",
                    "none: the client left before there was an answer.",
                    (
                        f'sum by (status_class) (rate(llmproxy_requests_total{{JOB, api=~"$api"}}[{RATE}]))',
                        "{{status_class}}",
                    ),
                    unit="reqps",
                    stacked=True,
                ),
                lines(
                    "Until the answer begins",
                    "The answer's head, of what was asked of upstream and of the proxy's own answers.",
                    *_quantiles("llmproxy_time_to_first_byte_seconds", more=', api=~"$api"'),
                    unit="s",
                ),
                lines(
                    "Until the answer is whole",
                    "Streams last as long as the model writes.",
                    *_quantiles("llmproxy_request_duration_seconds", more=', api=~"$api"'),
                    unit="s",
                ),
                lines(
                    "Until a stream's first content",
                    "Of streams of events: what people wait for.",
                    *_quantiles("llmproxy_time_to_first_token_seconds", more=', api=~"$api"'),
                    unit="s",
                ),
                lines(
                    "Between the tokens of a stream",
                    "Seconds for each further token.",
                    *_quantiles("llmproxy_time_between_tokens_seconds", more=', api=~"$api"'),
                    unit="s",
                ),
            ),
        ),
        Row(
            "What is wrong",
            (
                lines(
                    "Answers of the proxy's own, by code",
                    "docs/errors.md says what each code means and what to do.",
                    (
                        f'sum by (code) (rate(llmproxy_error_answers_total{{JOB, api=~"$api"}}[{RATE}]))',
                        "{{code}}",
                    ),
                    unit="reqps",
                ),
                lines(
                    "Exchanges that did not end well",
                    "docs/logs.md says what each word means.",
                    (
                        f'sum by (ended) (rate(llmproxy_endings_total{{JOB, api=~"$api"}}[{RATE}]))',
                        "{{ended}}",
                    ),
                    unit="reqps",
                ),
                lines(
                    "Refused before they became an exchange",
                    "What is no HTTP, too long, too slow or too many.",
                    (f"sum by (reason) (rate(llmproxy_refused_total{{JOB}}[{RATE}])) or vector(0)", "{{reason}}"),
                    unit="reqps",
                ),
                lines(
                    "Bodies",
                    "Content to and from clients.",
                    (f"sum(rate(llmproxy_request_body_bytes_total{{JOB}}[{RATE}]))", "received"),
                    (f"sum(rate(llmproxy_response_body_bytes_total{{JOB}}[{RATE}]))", "sent"),
                    unit="Bps",
                ),
            ),
        ),
    ),
    choices=(("api", "llmproxy_requests_total"),),
)

_COST = 'llmproxy_cost_usd_total{JOB, api=~"$api", model=~"$model"}'
_TOKENS = 'llmproxy_tokens_total{JOB, api=~"$api", model=~"$model"'

COST = Board(
    "llmproxy-cost",
    "llmproxy: tokens and cost",
    "What is used and what it costs. Counts of /metrics are for watching; bills are made of llmproxy usage.",
    (
        Row(
            "Spend",
            (
                number("The last hour", "USD.", f"sum(increase({_COST}[1h])) or vector(0)", "currencyUSD"),
                number("The last 24 hours", "USD.", f"sum(increase({_COST}[24h])) or vector(0)", "currencyUSD"),
                number(
                    "A month at this rate",
                    "30 days as the last 24 hours.",
                    f"sum(increase({_COST}[24h])) * 30 or vector(0)",
                    "currencyUSD",
                ),
                number(
                    "For 1000 requests",
                    "USD, in the last hour.",
                    f"1000 * sum(increase({_COST}[1h]))"
                    ' / (sum(increase(llmproxy_requests_total{JOB, api=~"$api"}[1h])) > 0) or vector(0)',
                    "currencyUSD",
                ),
                lines(
                    "Spend by model",
                    "USD an hour.",
                    (f"sum by (model) (rate({_COST}[{RATE}])) * 3600", "{{model}}"),
                    unit="currencyUSD",
                    stacked=True,
                ),
                lines(
                    "Spend by API",
                    "USD an hour.",
                    (f"sum by (api) (rate({_COST}[{RATE}])) * 3600", "{{api}}"),
                    unit="currencyUSD",
                    stacked=True,
                ),
                table(
                    "Models of the last 24 hours",
                    "USD; a model without a price is not here: llmproxy prices check lists those.",
                    f"sort_desc(sum by (api, model) (increase({_COST}[24h])))",
                    "currencyUSD",
                ),
                lines(
                    "Price of a thousand tokens",
                    "USD by model, as it comes to: cached input is cheaper.",
                    (
                        f"1000 * sum by (model) (rate({_COST}[{RATE}]))"
                        f' / sum by (model) (rate({_TOKENS}, type=~"input|output"}}[{RATE}]))',
                        "{{model}}",
                    ),
                    unit="currencyUSD",
                ),
            ),
        ),
        Row(
            "Tokens",
            (
                lines(
                    "Tokens by kind",
                    "A second. Cached and cache_write are parts of input, reasoning of output.",
                    (f"sum by (type) (rate({_TOKENS}}}[{RATE}]))", "{{type}}"),
                ),
                lines(
                    "Tokens by model",
                    "Input and output, a second.",
                    (f'sum by (model) (rate({_TOKENS}, type=~"input|output"}}[{RATE}]))', "{{model}}"),
                    stacked=True,
                ),
                lines(
                    "Input that upstream had cached",
                    "The share of all input.",
                    (
                        f'sum by (model) (rate({_TOKENS}, type="cached_input"}}[{RATE}]))'
                        f' / (sum by (model) (rate({_TOKENS}, type="input"}}[{RATE}])) > 0) or vector(0)',
                        "{{model}}",
                    ),
                    unit="percentunit",
                ),
                lines(
                    "Answers whose usage could not be read",
                    "They are counted nowhere, and cost what nobody knows.",
                    (f"sum(rate(llmproxy_meter_errors_total{{JOB}}[{RATE}]))", "answers"),
                    unit="reqps",
                ),
            ),
        ),
        Row(
            "Limits",
            (
                lines(
                    "Refused by limits",
                    "Rates, budgets, models and requests at once, by code.",
                    (
                        f'sum by (code) (rate(llmproxy_error_answers_total{{JOB, code=~"{LIMIT_CODES}"}}[{RATE}]))'
                        " or vector(0)",
                        "{{code}}",
                    ),
                    unit="reqps",
                ),
                lines(
                    "Budgets that passed a share",
                    "In a quarter of an hour, by per cent of the budget.",
                    (
                        "sum by (share, per) (increase(llmproxy_budget_warnings_total{JOB}[15m])) or vector(0)",
                        "{{share}} of {{per}}",
                    ),
                ),
                lines(
                    "Redis of the limits",
                    "Milliseconds of a command, on average.",
                    (
                        f"1000 * sum(rate(llmproxy_limits_redis_seconds_total{{JOB}}[{RATE}]))"
                        f" / (sum(rate(llmproxy_limits_redis_calls_total{{JOB}}[{RATE}])) > 0) or vector(0)",
                        "ms",
                    ),
                    unit="ms",
                ),
                lines(
                    "Decided without Redis",
                    "Requests that one process decided alone, and usage that Redis does not know yet.",
                    (f"sum(rate(llmproxy_limits_decided_alone_total{{JOB}}[{RATE}])) or vector(0)", "alone, a second"),
                    ("sum(llmproxy_limits_settlements_waiting{JOB}) or vector(0)", "waiting"),
                ),
                lines(
                    "Redis of the limits: what went wrong",
                    "Commands without an answer of use, and usage that Redis will never know.",
                    *(
                        (f"sum(rate(llmproxy_limits_redis_{name}_total{{JOB}}[{RATE}])) or vector(0)", name)
                        for name in ("down", "late", "lost", "refused", "garbage")
                    ),
                    (
                        f"sum(rate(llmproxy_limits_settlements_dropped_total{{JOB}}[{RATE}])) or vector(0)",
                        "usage given up",
                    ),
                    unit="ops",
                ),
                lines(
                    "Requests that hold something of a limit",
                    "And the connections to Redis that stand.",
                    ("sum(llmproxy_limits_running{JOB}) or vector(0)", "requests"),
                    ("sum(llmproxy_limits_redis_connections{JOB}) or vector(0)", "connections"),
                ),
            ),
        ),
    ),
    choices=(("api", "llmproxy_requests_total"), ("model", "llmproxy_tokens_total")),
)

_OF_API = 'JOB, api=~"$api"'

UPSTREAMS = Board(
    "llmproxy-upstreams",
    "llmproxy: upstreams",
    "How those are that requests are sent to. Rows by upstream are of APIs with several.",
    (
        Row(
            "By API",
            (
                lines(
                    "Requests to upstream",
                    "Also those that were sent again.",
                    (f"sum by (api) (rate(llmproxy_upstream_requests_total{{{_OF_API}}}[{RATE}]))", "{{api}}"),
                    unit="reqps",
                ),
                lines(
                    "Failures by cause",
                    "No whole answer; docs/errors.md says what each cause means.",
                    (
                        f"sum by (api, cause) (rate(llmproxy_upstream_failures_total{{{_OF_API}}}[{RATE}]))"
                        " or vector(0)",
                        "{{api}} {{cause}}",
                    ),
                    unit="reqps",
                ),
                lines(
                    "Share of failures",
                    "Of what was sent to upstream.",
                    (
                        f"sum by (api) (rate(llmproxy_upstream_failures_total{{{_OF_API}}}[{RATE}]))"
                        f" / (sum by (api) (rate(llmproxy_upstream_requests_total{{{_OF_API}}}[{RATE}])) > 0)"
                        " or vector(0)",
                        "{{api}}",
                    ),
                    unit="percentunit",
                ),
                lines(
                    "Circuits",
                    "Processes whose circuit is not closed.",
                    (f"sum by (api, state) (llmproxy_circuits{{{_OF_API}}})", "{{api}} {{state}}"),
                ),
                lines(
                    "Openings of circuits",
                    "In five minutes.",
                    (f"sum by (api) (increase(llmproxy_circuit_openings_total{{{_OF_API}}}[5m]))", "{{api}}"),
                ),
                lines(
                    "Until the answer begins, 95 in 100",
                    "By API.",
                    (
                        "histogram_quantile(0.95, sum by (api, le) "
                        f"(rate(llmproxy_time_to_first_byte_seconds_bucket{{{_OF_API}}}[{RATE}])))",
                        "{{api}}",
                    ),
                    unit="s",
                ),
            ),
        ),
        Row(
            "By upstream",
            (
                lines(
                    "Attempts",
                    "A second.",
                    (
                        f"sum by (api, upstream) (rate(llmproxy_upstream_attempts_total{{{_OF_API}}}[{RATE}]))",
                        "{{api}} {{upstream}}",
                    ),
                    unit="reqps",
                    stacked=True,
                ),
                lines(
                    "Failed attempts",
                    "Without an answer, or with a status of 500 or above; their share.",
                    (
                        f"sum by (api, upstream) (rate(llmproxy_upstream_failed_attempts_total{{{_OF_API}}}[{RATE}]))"
                        " / (sum by (api, upstream) "
                        f"(rate(llmproxy_upstream_attempts_total{{{_OF_API}}}[{RATE}])) > 0) or vector(0)",
                        "{{api}} {{upstream}}",
                    ),
                    unit="percentunit",
                ),
                lines(
                    "Running",
                    "Attempts that are running.",
                    (f"sum by (api, upstream) (llmproxy_upstream_in_flight{{{_OF_API}}})", "{{api}} {{upstream}}"),
                ),
                lines(
                    "Latency",
                    "Until answers have begun lately, in the slowest process.",
                    (
                        f"max by (api, upstream) (llmproxy_upstream_latency_seconds{{{_OF_API}}})",
                        "{{api}} {{upstream}}",
                    ),
                    unit="s",
                ),
                lines(
                    "Left out",
                    "Processes that leave it out after failures, or whose checks found it unwell; 1 if it is drained.",
                    (
                        f"sum by (api, upstream) (llmproxy_upstream_ejected{{{_OF_API}}})",
                        "{{api}} {{upstream}} ejected",
                    ),
                    (f"sum by (api, upstream) (llmproxy_upstream_unwell{{{_OF_API}}})", "{{api}} {{upstream}} unwell"),
                    (
                        f"max by (api, upstream) (llmproxy_upstream_drained{{{_OF_API}}})",
                        "{{api}} {{upstream}} drained",
                    ),
                ),
                lines(
                    "Ejections",
                    "In five minutes.",
                    (
                        f"sum by (api, upstream) (increase(llmproxy_upstream_ejections_total{{{_OF_API}}}[5m]))",
                        "{{api}} {{upstream}}",
                    ),
                ),
                lines(
                    "Tried again, and taken over",
                    "Attempts there because another failed, and for callers of another API.",
                    (
                        f"sum by (api, upstream) (rate(llmproxy_upstream_retries_total{{{_OF_API}}}[{RATE}]))",
                        "{{api}} {{upstream}} retries",
                    ),
                    (
                        f"sum by (api, upstream) (rate(llmproxy_upstream_fallbacks_total{{{_OF_API}}}[{RATE}]))",
                        "{{api}} {{upstream}} fallbacks",
                    ),
                    unit="reqps",
                ),
                lines(
                    "Keys that are set aside",
                    "Because upstream refused them or their rate was used up.",
                    (f"sum by (api, upstream) (llmproxy_upstream_keys_aside{{{_OF_API}}})", "{{api}} {{upstream}}"),
                ),
            ),
        ),
    ),
    choices=(("api", "llmproxy_requests_total"),),
)

_OPERATIONS = ("hits", "misses", "bypass", "stores")

CACHE = Board(
    "llmproxy-cache",
    "llmproxy: cache",
    "What the cache spares, what it holds, and how its Redis is.",
    (
        Row(
            "Hits",
            (
                HIT_RATIO,
                number(
                    "Answered by the cache",
                    "Hits, and requests answered with another's bytes, a second.",
                    f"{_HITS} + sum(rate(llmproxy_cache_collapsed_total{{JOB}}[{RATE}]))",
                    "reqps",
                ),
                number("Stored answers", "In the memory of all processes.", "sum(llmproxy_cache_entries{JOB})"),
                number("Held", "Bytes of those.", "sum(llmproxy_cache_bytes{JOB})", "bytes"),
                lines(
                    "Cache operations",
                    "A second.",
                    *((f"sum(rate(llm_proxy_cache_{name}_total{{JOB}}[{RATE}]))", name) for name in _OPERATIONS),
                    unit="ops",
                ),
                lines(
                    "Hit ratio over time",
                    "Hits among hits and misses.",
                    (f"{_HITS} / (({_HITS} + {_MISSES}) > 0) or vector(0)", "ratio"),
                    unit="percentunit",
                ),
                lines(
                    "Cache operations since the start",
                    "Each process begins with none.",
                    *((f"sum(llm_proxy_cache_{name}_total{{JOB}})", name) for name in _OPERATIONS),
                ),
                lines(
                    "Spared otherwise",
                    "Requests that waited for another's answer, and stored answers that upstream found to be good.",
                    (f"sum(rate(llmproxy_cache_collapsed_total{{JOB}}[{RATE}]))", "collapsed"),
                    (f"sum(rate(llmproxy_cache_revalidated_total{{JOB}}[{RATE}]))", "revalidated"),
                    unit="reqps",
                ),
            ),
        ),
        Row(
            "The store",
            (
                lines(
                    "Evictions and errors",
                    "Many evictions: it is too small. Errors: it could not do what it was asked for.",
                    (f"sum(rate(llmproxy_cache_evictions_total{{JOB}}[{RATE}]))", "evictions"),
                    (f"sum(rate(llmproxy_cache_errors_total{{JOB}}[{RATE}]))", "errors"),
                    (f"sum(rate(llmproxy_cache_hits_dropped_total{{JOB}}[{RATE}]))", "hits counted for no token"),
                    unit="ops",
                ),
                lines(
                    "Redis: time of a command",
                    "On average.",
                    (
                        f"1000 * sum(rate(llmproxy_cache_redis_seconds_total{{JOB}}[{RATE}]))"
                        f" / (sum(rate(llmproxy_cache_redis_calls_total{{JOB}}[{RATE}])) > 0) or vector(0)",
                        "ms",
                    ),
                    unit="ms",
                ),
                lines(
                    "Redis: what went wrong",
                    "Commands without an answer of use; the requests went to upstream.",
                    *(
                        (f"sum(rate(llmproxy_cache_redis_{name}_total{{JOB}}[{RATE}])) or vector(0)", name)
                        for name in ("down", "late", "lost", "refused", "garbage")
                    ),
                    unit="ops",
                ),
                lines(
                    "Redis: connections",
                    "That stand.",
                    ("sum(llmproxy_cache_redis_connections{JOB}) or vector(0)", "connections"),
                ),
            ),
        ),
    ),
)

RUNTIME = Board(
    "llmproxy-runtime",
    "llmproxy: runtime",
    "The processes, and what they write: the ledger, the audit log, events.",
    (
        Row(
            "Processes",
            (
                UPTIME,
                number("In flight", "Exchanges that are running.", "sum(llmproxy_in_flight{JOB})"),
                number(
                    "Workers that died",
                    "In the last day, and were replaced.",
                    "sum(increase(llmproxy_worker_restarts_total{JOB}[1d])) or vector(0)",
                    bad=1,
                ),
                number(
                    "Event loop",
                    "How late it was at worst since the scrape before.",
                    "max(llmproxy_reactor_lag_seconds{JOB})",
                    "s",
                    warn=0.1,
                    bad=1,
                ),
                lines(
                    "Memory usage",
                    "Of the process that answers the scrape; with workers that is the supervisor.",
                    ("process_resident_memory_bytes{JOB}", "{{instance}} resident"),
                    ("process_virtual_memory_bytes{JOB}", "{{instance}} virtual"),
                    unit="bytes",
                ),
                lines(
                    "Processor",
                    "Cores in use, likewise.",
                    (f"rate(process_cpu_seconds_total{{JOB}}[{RATE}])", "{{instance}}"),
                ),
                lines(
                    "Open files",
                    "Of those that are allowed, likewise.",
                    ("process_open_fds{JOB}", "{{instance}} open"),
                    ("process_max_fds{JOB}", "{{instance}} allowed"),
                ),
                lines(
                    "Garbage collections",
                    "A second, by generation.",
                    (
                        f"sum by (generation) (rate(python_gc_collections_total{{JOB}}[{RATE}]))",
                        "generation {{generation}}",
                    ),
                    unit="ops",
                ),
                lines(
                    "Objects collected",
                    "A second; what could not be is a leak.",
                    (f"sum(rate(python_gc_objects_collected_total{{JOB}}[{RATE}]))", "collected"),
                    (f"sum(rate(python_gc_objects_uncollectable_total{{JOB}}[{RATE}]))", "uncollectable"),
                    unit="ops",
                ),
                lines(
                    "Event loop over time",
                    "How late it was at worst between two scrapes.",
                    ("max by (instance) (llmproxy_reactor_lag_seconds{JOB})", "{{instance}}"),
                    unit="s",
                ),
                lines(
                    "Handshakes of TLS",
                    "Whole ones cost both ends a signature; those that go on with a session of before do not.",
                    (f"sum(rate(llmproxy_tls_client_handshakes_total{{JOB}}[{RATE}]))", "clients"),
                    (f"sum(rate(llmproxy_tls_client_resumptions_total{{JOB}}[{RATE}]))", "clients, resumed"),
                    (f"sum(rate(llmproxy_tls_upstream_handshakes_total{{JOB}}[{RATE}]))", "upstream"),
                    (f"sum(rate(llmproxy_tls_upstream_resumptions_total{{JOB}}[{RATE}]))", "upstream, resumed"),
                    unit="ops",
                ),
                table("Versions", "What runs where.", "sum by (version, instance) (llmproxy_build_info{JOB})"),
                lines(
                    "Uptime",
                    "Each fall is a start.",
                    ("llm_proxy_uptime_seconds{JOB}", "{{instance}}"),
                    unit="s",
                ),
            ),
        ),
        Row(
            "The ledger",
            (
                lines(
                    "Ended exchanges that the database does not have",
                    "Some hundred under load; what grows means that the database does not follow.",
                    ("sum by (instance) (llmproxy_ledger_waiting{JOB})", "{{instance}}"),
                ),
                lines(
                    "The oldest of them",
                    "A second or two.",
                    ("max by (instance) (llmproxy_ledger_oldest_seconds{JOB})", "{{instance}}"),
                    unit="s",
                ),
                lines(
                    "Waiting on disk",
                    "Of ledger.most_waiting.",
                    ("sum by (instance) (llmproxy_ledger_waiting_bytes{JOB})", "{{instance}}"),
                    unit="bytes",
                ),
                lines(
                    "Lost, interrupted, not on disk",
                    "Since the start. Lost: kept nowhere. Interrupted: under way when their process died.",
                    ("sum(llmproxy_ledger_lost_total{JOB})", "lost"),
                    ("sum(llmproxy_ledger_interrupted_total{JOB})", "interrupted"),
                    ("sum(llmproxy_ledger_fsync_failures_total{JOB})", "failures of fsync"),
                    ("sum(llmproxy_ledger_in_memory{JOB})", "processes whose ledger is in memory"),
                ),
            ),
        ),
        Row(
            "Audit and events",
            (
                lines(
                    "Audit records that wait",
                    "For the file, and for the database.",
                    ("sum(llmproxy_audit_file_waiting{JOB})", "file"),
                    ("sum(llmproxy_audit_sql_waiting{JOB})", "database"),
                ),
                lines(
                    "Audit records that were lost",
                    "Since the start; none is to be.",
                    ("sum(llmproxy_audit_file_lost_total{JOB})", "file"),
                    ("sum(llmproxy_audit_sql_lost_total{JOB})", "database"),
                ),
                lines(
                    "Audit records that were kept",
                    "A second.",
                    (f"sum(rate(llmproxy_audit_file_written_total{{JOB}}[{RATE}]))", "file"),
                    (f"sum(rate(llmproxy_audit_sql_written_total{{JOB}}[{RATE}]))", "database"),
                    unit="ops",
                ),
                lines(
                    "Attempts to keep audit records that failed",
                    "A second.",
                    (f"sum(rate(llmproxy_audit_file_failures_total{{JOB}}[{RATE}]))", "file"),
                    (f"sum(rate(llmproxy_audit_sql_failures_total{{JOB}}[{RATE}]))", "database"),
                    unit="ops",
                ),
                lines(
                    "Events that wait",
                    "By sink, in memory and on disk.",
                    ("sum by (sink) (llmproxy_sink_waiting{JOB})", "{{sink}} in memory"),
                    ("sum by (sink) (llmproxy_sink_spooled{JOB})", "{{sink}} on disk"),
                ),
                lines(
                    "Events delivered",
                    "A second, by sink.",
                    (f"sum by (sink) (rate(llmproxy_sink_delivered_total{{JOB}}[{RATE}]))", "{{sink}}"),
                    unit="ops",
                ),
                lines(
                    "Sinks that fail",
                    "Processes whose last attempt failed.",
                    ("sum by (sink) (llmproxy_sink_failing{JOB})", "{{sink}}"),
                ),
                lines(
                    "Events lost, and dead letters",
                    "Since the start, by sink.",
                    ("sum by (sink) (llmproxy_sink_lost_total{JOB})", "{{sink}} lost"),
                    ("sum by (sink) (llmproxy_sink_dead_total{JOB})", "{{sink}} dead letters"),
                ),
                lines(
                    "Attempts to deliver",
                    "A second, by sink.",
                    (f"sum by (sink) (rate(llmproxy_sink_batches_total{{JOB}}[{RATE}]))", "{{sink}} taken"),
                    (f"sum by (sink) (rate(llmproxy_sink_failures_total{{JOB}}[{RATE}]))", "{{sink}} failed"),
                    unit="ops",
                ),
                lines(
                    "Events on disk",
                    "Of spool, by sink.",
                    ("sum by (sink) (llmproxy_sink_spooled_bytes{JOB})", "{{sink}}"),
                    unit="bytes",
                ),
            ),
        ),
        Row(
            "Captured content",
            (
                lines(
                    "Exchanges that were captured",
                    "A second; and those whose client did not want it.",
                    (f"sum(rate(llmproxy_capture_exchanges_total{{JOB}}[{RATE}])) or vector(0)", "captured"),
                    (f"sum(rate(llmproxy_capture_opted_out_total{{JOB}}[{RATE}])) or vector(0)", "not wanted"),
                    unit="reqps",
                ),
                lines(
                    "Bodies that are missing",
                    "A second: too much was held, or what is to be taken out could not be.",
                    (f"sum(rate(llmproxy_capture_overload_total{{JOB}}[{RATE}])) or vector(0)", "too much held"),
                    (f"sum(rate(llmproxy_capture_unredacted_total{{JOB}}[{RATE}])) or vector(0)", "not redacted"),
                    unit="ops",
                ),
                lines(
                    "Held",
                    "Bytes of bodies until they are in events.",
                    ("sum(llmproxy_capture_bytes{JOB}) or vector(0)", "held"),
                    unit="bytes",
                ),
            ),
        ),
        Row(
            "People and identity providers",
            (
                lines(
                    "Sign-ins",
                    "Browsers that came back from an identity provider, by what came of it.",
                    (
                        f"sum by (provider, outcome) (rate(llmproxy_identity_sign_ins_total{{JOB}}[{RATE}]))"
                        " or vector(0)",
                        "{{provider}} {{outcome}}",
                    ),
                    unit="ops",
                ),
                lines(
                    "Access tokens of providers",
                    "Verified or refused, a second; those that are known cost nothing and are not here.",
                    (
                        f"sum by (provider, outcome) (rate(llmproxy_identity_tokens_total{{JOB}}[{RATE}]))"
                        " or vector(0)",
                        "{{provider}} {{outcome}}",
                    ),
                    unit="ops",
                ),
                lines(
                    "Refreshes of devices",
                    "By what came of them; reuse is a refresh token that was shown a second time.",
                    (
                        f"sum by (outcome) (rate(llmproxy_identity_refreshes_total{{JOB}}[{RATE}])) or vector(0)",
                        "{{outcome}}",
                    ),
                    unit="ops",
                ),
                lines(
                    "How long identity providers take",
                    "From the name to the last byte of an answer.",
                    *(
                        (f"{query} or vector(0)", name)
                        for query, name in _quantiles("llmproxy_identity_request_seconds", "provider")
                    ),
                    unit="s",
                ),
            ),
        ),
    ),
)


_KEYS = ("keyspace_hits", "keyspace_misses")
_FOUND, _NOT = (f"sum(rate(redis_{name}_total{{JOB}}[{RATE}]))" for name in _KEYS)

REDIS = Board(
    "llmproxy-redis",
    "llmproxy: Redis",
    "A Redis of limits, cache or events, as redis_exporter shows it.",
    (
        Row(
            "Redis",
            (
                number("Redis up", "0: the exporter does not reach it.", "min(redis_up{JOB})", warn=1, downwards=True),
                number("Connected clients", "Connections.", "sum(redis_connected_clients{JOB})"),
                number("Memory used", "By all of its keys.", "sum(redis_memory_used_bytes{JOB})", "bytes"),
                number(
                    "Keyspace hit ratio",
                    "Keys that were there when they were asked for.",
                    f"{_FOUND} / (({_FOUND} + {_NOT}) > 0) or vector(0)",
                    "percentunit",
                ),
                lines(
                    "Commands processed",
                    "A second.",
                    (f"sum by (instance) (rate(redis_commands_processed_total{{JOB}}[{RATE}]))", "{{instance}}"),
                    unit="ops",
                ),
                lines(
                    "Memory",
                    "Of what it may have (0: without limit).",
                    ("redis_memory_used_bytes{JOB}", "{{instance}} used"),
                    ("redis_memory_max_bytes{JOB}", "{{instance}} allowed"),
                    unit="bytes",
                ),
                lines(
                    "Evicted keys",
                    "A second. Where limits or events are kept, any is a loss.",
                    (f"sum by (instance) (rate(redis_evicted_keys_total{{JOB}}[{RATE}]))", "{{instance}}"),
                    unit="ops",
                ),
            ),
        ),
    ),
    job="redis_up",
)

BOARDS = (OVERVIEW, COST, UPSTREAMS, CACHE, RUNTIME, REDIS)
