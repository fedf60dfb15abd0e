"""
Counts of C{/metrics}, made from records.

The counts are plain numbers, so that those of several processes can be added up; the names and the
text are made when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from attrs import define, field
from zope.interface import implementer

from ..interfaces import IRecordSink

if TYPE_CHECKING:
    from ..core.circuits import CircuitState
    from ..core.events.reports import SinkReport
    from ..core.upstreamreports import UpstreamReport
    from ..message import Record
    from ..usage import Usage

BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)
"""Upper bounds in seconds: from the proxy's own work to a reasoning model's."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Any other method is counted as C{other}: label values are bounded by us, never by a client."""

HIT, MISS, BYPASS, STORE = "hit", "miss", "bypass", "store"


class CacheMetricType(str, Enum):
    """What L{ProxyMetrics.count_cache} counts: an outcome of a lookup, or an answer that was stored."""

    HIT = HIT
    MISS = MISS
    BYPASS = BYPASS
    STORE = STORE


MOST_MODELS = 100
"""Names of models that tokens are counted by in a process, as upstream gives them; those of others are C{other}."""

_NO_COST = Decimal(0)

_KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")
"""Of tokens."""

Rows = dict[tuple[str, str], list[int | None]]
"""Tokens of a batch of records, by API and model: one for each of L{_KINDS}, and C{None} for what nobody has said."""

_OUTCOMES = {"hit": HIT, "bypass": BYPASS, "method": BYPASS, "request": BYPASS}
"""By what a record says of the cache (RFC 9211's words); any other is a miss, and nothing is no request of a cache."""

Labels = tuple[str, str, str, str]
"""api, endpoint, method, status class."""


@define(slots=True)
class Histogram:
    """Counts of values by L{BUCKETS}; the last one has what lies beyond them."""

    counts: list[int] = field(factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


@define(slots=True)
class Series:
    """What is counted for one combination of labels."""

    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    duration: Histogram = field(factory=Histogram)
    first_byte: Histogram = field(factory=Histogram)

    def add(self, other: Series) -> None:
        self.requests += other.requests
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.duration.add(other.duration)
        self.first_byte.add(other.first_byte)


@implementer(IRecordSink)
class ProxyMetrics:
    """
    The counters of one process.

    @ivar gauges: what is measured only when somebody asks, by name: how many requests are in flight, how
        late the reactor is. See L{gauge}.
    @ivar attempts: requests that were sent to upstream, by API; some exchanges send two, many none.
    @ivar openings: how often a circuit has opened, by API; an API without a breaker is not there.
    @ivar circuits: those that are in trouble now.
    @ivar upstreams: what is known of each, by each process; likewise C{sinks} of events.
    @ivar cache: what became of requests that a cache was asked about, of the exchanges that have ended: C{hit}, C{miss}
        and C{bypass} together are never above C{request_count}; and C{store}, answers that were stored.
    @ivar tokens: by API, the model that answered, and what they were.
    @ivar costs: USD, by API and the model that answered; of exchanges whose cost is known.
    @ivar between_tokens: how long they took for each further token, likewise.
    @ivar first_tokens: how long streams took to their first content, by API.
    @ivar warnings: budgets of which a share was passed, by the share (per cent, or C{soft}) and what they are counted
        per.
    @ivar identity: what became of people who sign in, by what happened, the provider and the outcome; see
        L{llmproxy.app.identitycounts}. C{identity_requests}: of the providers, by the provider, what was asked, and the
        outcome.
    @ivar request_count: exchanges that have ended, refusals and cache hits included.
    @ivar error_count: those that ended with a status of 400 or more, or not complete.
    """

    def __init__(self, started_at: float = 0.0) -> None:
        self.started_at = started_at
        self.series: dict[Labels, Series] = {}
        self.endings: dict[tuple[str, str], int] = {}
        self.errors: dict[tuple[str, str], int] = {}
        self.causes: dict[tuple[str, str], int] = {}
        self.attempts: dict[str, int] = {}
        self.openings: dict[str, int] = {}
        self.circuits: Callable[[], list[CircuitState]] = list
        self.upstreams: Callable[[], list[UpstreamReport]] = list
        self.sinks: Callable[[], list[SinkReport]] = list
        self.cache: dict[str, int] = {HIT: 0, MISS: 0, BYPASS: 0, STORE: 0}
        self.refusals: dict[str, int] = {}
        self.warnings: dict[tuple[str, str], int] = {}
        self.tokens: dict[tuple[str, str, str], int] = {}
        self.costs: dict[tuple[str, str], Decimal] = {}
        self.first_tokens: dict[str, Histogram] = {}
        self.between_tokens: dict[str, Histogram] = {}
        self.identity: dict[tuple[str, str, str], int] = {}
        self.identity_requests: dict[tuple[str, str, str], Histogram] = {}
        self._models: set[str] = set()
        self.counters: dict[str, tuple[str, Callable[[], float]]] = {}
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.request_count = 0
        self.error_count = 0

    def gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Show what C{value} returns as the gauge C{name}."""
        self.gauges[name] = (help_text, value)

    def counter(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Show what C{value} returns as the counter C{name} (written without C{_total})."""
        self.counters[name] = (help_text, value)

    def show_circuits(self, circuits: Callable[[], list[CircuitState]], apis: Iterable[str]) -> None:
        """
        Show what C{circuits} returns, and how often those of C{apis} have opened, which may be never.

        @param apis: the names of those that have a breaker.
        """
        self.circuits = circuits
        for name in apis:
            self.openings.setdefault(name, 0)

    def refused(self, code: str) -> None:
        """Count a connection or request that never became an exchange, by the reason of the channel."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def count_cache(self, kind: CacheMetricType, count: int = 1) -> None:
        """Count what a cache of the application's own did; the proxy's own is counted from records."""
        self.cache[CacheMetricType(kind).value] += count

    def record_batch(self, records: Sequence[Record]) -> None:
        rows: Rows = {}
        for record in records:
            self._count(record, rows)
        tokens = self.tokens
        for (api, model), row in rows.items():
            for kind, count in zip(_KINDS, row, strict=True):
                if count is not None:
                    key = (api, model, kind)
                    tokens[key] = tokens.get(key, 0) + count

    def _count(self, record: Record, rows: Rows) -> None:
        method = record.method if record.method in METHODS else "other"
        status_class = f"{record.status // 100}xx" if record.status else "none"
        labels = (record.api, record.endpoint, method, status_class)
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = Series()
        series.requests += 1
        series.bytes_in += record.bytes_in
        series.bytes_out += record.bytes_out
        series.duration.observe(record.duration)
        if record.first_byte is not None:
            series.first_byte.observe(record.first_byte)
        if record.attempts:
            self.attempts[record.api] = self.attempts.get(record.api, 0) + record.attempts
        self.request_count += 1
        if record.status >= 400 or record.ended != "complete":
            self.error_count += 1
            _one_more(self.endings, (record.api, record.ended))
            if record.error_code:
                _one_more(self.errors, (record.api, record.error_code))
        if record.cache:
            self.cache[cache_outcome(record.cache)] += 1
        if record.cause:
            _one_more(self.causes, (record.api, record.cause))
        if record.usage is not None:
            self._count_usage(record, record.usage, rows)
        if record.first_token is not None:
            self.first_tokens.setdefault(record.api, Histogram()).observe(record.first_token)
            out = None if record.usage is None else record.usage.output_tokens
            if record.streamed_for is not None and out is not None and out > 1:
                self.between_tokens.setdefault(record.api, Histogram()).observe(record.streamed_for / (out - 1))

    def _count_usage(self, record: Record, usage: Usage, rows: Rows) -> None:
        api = record.api
        model = usage.served_model
        if model not in self._models:
            if model and len(self._models) < MOST_MODELS and usage.is_known:
                self._models.add(model)
            else:
                model = "other"
        if record.cost is not None:
            self.costs[api, model] = self.costs.get((api, model), _NO_COST) + record.cost
        row = rows.get((api, model))
        if row is None:
            row = rows[api, model] = [None] * len(_KINDS)
        count = usage.input_tokens
        if count is not None:
            row[0] = count + (row[0] or 0)
        count = usage.cached_input_tokens
        if count is not None:
            row[1] = count + (row[1] or 0)
        count = usage.cache_write_tokens
        if count is not None:
            row[2] = count + (row[2] or 0)
        count = usage.output_tokens
        if count is not None:
            row[3] = count + (row[3] or 0)
        count = usage.reasoning_tokens
        if count is not None:
            row[4] = count + (row[4] or 0)

    def snapshot(self) -> ProxyMetrics:
        """The numbers as they are now, gauges read: what one process tells another."""
        copy = ProxyMetrics(self.started_at)
        copy.merge(self)
        return copy

    def merge(self, other: ProxyMetrics) -> None:
        """Add the numbers of another process to these."""
        for labels, series in other.series.items():
            self.series.setdefault(labels, Series()).add(series)
        for mine, theirs in (
            (self.endings, other.endings),
            (self.errors, other.errors),
            (self.causes, other.causes),
            (self.attempts, other.attempts),
            (self.openings, other.openings),
            (self.cache, other.cache),
            (self.refusals, other.refusals),
            (self.warnings, other.warnings),
            (self.tokens, other.tokens),
            (self.identity, other.identity),
        ):
            _add_up(mine, theirs)
        for key, cost in other.costs.items():
            self.costs[key] = self.costs.get(key, _NO_COST) + cost
        for here, there in ((self.first_tokens, other.first_tokens), (self.between_tokens, other.between_tokens)):
            for api, histogram in there.items():
                here.setdefault(api, Histogram()).add(histogram)
        for asked, histogram in other.identity_requests.items():
            self.identity_requests.setdefault(asked, Histogram()).add(histogram)
        both = self.circuits() + other.circuits()
        self.circuits = lambda: both
        of_all = self.upstreams() + other.upstreams()
        self.upstreams = lambda: of_all
        sinks = self.sinks() + other.sinks()
        self.sinks = lambda: sinks
        self._merge_read(self.gauges, other.gauges, _of_both)
        self._merge_read(self.counters, other.counters, lambda _, one, other: one + other)
        self.request_count += other.request_count
        self.error_count += other.error_count

    def plain(self) -> dict[str, Any]:
        """The numbers as they are now, as values that can be sent to another process."""
        return {
            "started_at": self.started_at,
            "series": self.series,
            "endings": self.endings,
            "errors": self.errors,
            "causes": self.causes,
            "attempts": self.attempts,
            "openings": self.openings,
            "circuits": self.circuits(),
            "upstreams": self.upstreams(),
            "sinks": self.sinks(),
            "cache": self.cache,
            "refusals": self.refusals,
            "warnings": self.warnings,
            "tokens": self.tokens,
            "costs": self.costs,
            "first_tokens": self.first_tokens,
            "between_tokens": self.between_tokens,
            "identity": self.identity,
            "identity_requests": self.identity_requests,
            "request_count": self.request_count,
            "error_count": self.error_count,
            "gauges": {name: (help_text, value()) for name, (help_text, value) in self.gauges.items()},
            "counters": {name: (help_text, value()) for name, (help_text, value) in self.counters.items()},
        }

    @classmethod
    def of_plain(cls, numbers: dict[str, Any]) -> ProxyMetrics:
        """What another process has sent, made by L{plain}."""
        made = cls()
        for name, value in numbers.items():
            if name in ("gauges", "counters"):
                value = {key: (text, lambda read=read: read) for key, (text, read) in value.items()}
            elif name in ("circuits", "upstreams", "sinks"):
                value = lambda states=value: states  # noqa: E731
            setattr(made, name, value)
        return made

    @staticmethod
    def _merge_read(
        mine: dict[str, tuple[str, Callable[[], float]]],
        theirs: dict[str, tuple[str, Callable[[], float]]],
        add: Callable[[str, float, float], float],
    ) -> None:
        for name, (help_text, value) in theirs.items():
            read = value()
            if name in mine:
                read = add(name, mine[name][1](), read)
            mine[name] = (help_text, lambda read=read: read)  # type: ignore[misc]


def cache_outcome(said: str) -> str:
    """
    Which of the cache's counts a record belongs to.

    @param said: L{Record.cache}, not empty.
    """
    return _OUTCOMES.get(said, MISS)


def _of_both(name: str, one: float, other: float) -> float:
    """The latest of several reactors is what somebody waits for; everything else adds up."""
    return max(one, other) if name.endswith("_seconds") else one + other


def _one_more(counts: dict[Any, int], key: Any) -> None:
    counts[key] = counts.get(key, 0) + 1


def _add_up(mine: dict[Any, int], theirs: dict[Any, int]) -> None:
    for key, value in theirs.items():
        mine[key] = mine.get(key, 0) + value


def cumulative(histogram: Histogram) -> Iterable[tuple[str, int]]:
    """Prometheus' form: C{(upper bound, how many are not above it)}, the last bound C{+Inf}."""
    so_far = 0
    for bound, count in zip((*map(_bound, BUCKETS), "+Inf"), histogram.counts, strict=True):
        so_far += count
        yield bound, so_far


def _bound(value: float) -> str:
    return repr(float(value))
