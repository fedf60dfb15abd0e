"""
Metrics of exchanges: histograms and counters by the semantic conventions, added up here.

What clients can name is bounded: so many models, and so many series of a metric; what is beyond is one series that says
so. Buckets are those that the conventions give.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from attrs import define, field, frozen

from .conventions import Semconv, named, operation_of
from .spans import (
    METHODS,
    Value,
    answering,
    calls_of,
    error_type,
    is_background,
    is_kept,
    nanoseconds,
    server_error_type,
)

if TYPE_CHECKING:
    from ..events.event import AttemptMade, Event

_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_EACH = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_HTTP = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

MOST_SERIES = 2000
"""Of one metric; the limit of OpenTelemetry's SDKs, as is what stands for the rest."""

MOST_MODELS = 500
"""Names of models that have answered."""

MOST_TRIED = 50
"""Names of models that never have: anybody can make them up."""

_LONGEST_NAME = 256
"""Characters of a model's name."""

OTHER = "_OTHER"
_OVERFLOW: tuple[tuple[str, Value], ...] = (("otel.metric.overflow", True),)


@frozen(eq=False)
class Instrument:
    """
    @ivar bounds: of its buckets; none for a counter.
    @ivar since: the version of the conventions that has it; C{any} for every one.
    """

    name: str
    unit: str
    description: str
    bounds: Sequence[float] = ()
    since: Literal["legacy", "latest", "any"] = "any"


SERVER_DURATION = Instrument("http.server.request.duration", "s", "Duration of HTTP server requests.", _HTTP)
CLIENT_DURATION = Instrument("http.client.request.duration", "s", "Duration of HTTP client requests.", _HTTP)
TOKEN_USAGE = Instrument(
    "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS, "legacy"
)
OPERATION = Instrument("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS, "legacy")
OTHER_OPERATION = Instrument(OPERATION.name, "s", OPERATION.description, _SECONDS, "latest")
INFERENCE = Instrument(
    "gen_ai.client.inference.duration", "s", "GenAI client inference operation duration.", _SECONDS, "latest"
)
EMBEDDINGS = Instrument(
    "gen_ai.client.embeddings.duration", "s", "GenAI client embeddings operation duration.", _SECONDS, "latest"
)
EMBEDDED = Instrument(
    "gen_ai.client.embeddings.operation.input_tokens", "{token}", "Input tokens of an operation.", _TOKENS, "latest"
)
FIRST_CHUNK = Instrument(
    "gen_ai.client.inference.time_to_first_chunk", "s", "Time to receive the first chunk.", _SECONDS, "latest"
)
INPUT = Instrument(
    "gen_ai.client.inference.usage.input_tokens", "{token}", "Input tokens, cached ones included.", (), "latest"
)
OUTPUT = Instrument(
    "gen_ai.client.inference.usage.output_tokens", "{token}", "Output tokens, reasoning included.", (), "latest"
)
CACHE_READ = Instrument(
    "gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", "Input tokens from a cache.", (), "latest"
)
CACHE_WRITE = Instrument(
    "gen_ai.client.inference.usage.cache_write.input_tokens", "{token}", "Input tokens put into a cache.", (), "latest"
)
REASONING = Instrument(
    "gen_ai.client.inference.usage.reasoning.output_tokens", "{token}", "Output tokens of reasoning.", (), "latest"
)
MODEL_DURATION = Instrument(
    "gen_ai.server.request.duration", "s", "Generative AI server request duration, to the last byte.", _SECONDS
)
FIRST_TOKEN = Instrument(
    "gen_ai.server.time_to_first_token", "s", "Time to generate first token for successful responses.", _FIRST
)
EACH_TOKEN = Instrument("gen_ai.server.time_per_output_token", "s", "Time per output token after the first one.", _EACH)
COST = Instrument("llmproxy.cost", "{USD}", "What answers have cost, by the prices of this proxy.", ())

INSTRUMENTS = (
    *(SERVER_DURATION, CLIENT_DURATION, TOKEN_USAGE, OPERATION, INFERENCE, EMBEDDINGS, EMBEDDED, FIRST_CHUNK, INPUT),
    *(OUTPUT, CACHE_READ, CACHE_WRITE, REASONING, MODEL_DURATION, FIRST_TOKEN, EACH_TOKEN, COST),
)

Key = tuple[tuple[str, Value], ...]
"""The attributes of a series."""

_INPUT, _OUTPUT = ("gen_ai.token.type", "input"), ("gen_ai.token.type", "output")
_UNBROKEN = ("gen_ai.token.modality", "unknown")

InTrace = tuple[int, str, str]
"""When an exchange began, in nanoseconds since the epoch, and the ids of its trace and its span."""

_INFERENCES = frozenset({"chat", "text_completion", "generate_content"})


@define
class Series:
    """
    What was measured with the same attributes.

    @ivar counts: by bucket; empty for a counter.
    @ivar exemplar: the largest that was measured in a trace that is kept, since the last export: its value, and the
        trace.
    """

    counts: list[int]
    count: int = 0
    total: float = 0.0
    least: float = field(default=float("inf"))
    most: float = field(default=float("-inf"))
    exemplar: tuple[float, InTrace] | None = None

    def add(self, value: float, bounds: Sequence[float], trace: InTrace | None = None) -> None:
        self.count += 1
        self.total += value
        if bounds:
            self.counts[bisect_left(bounds, value)] += 1
            self.least = min(self.least, value)
            self.most = max(self.most, value)
            if trace is not None and (self.exemplar is None or value >= self.exemplar[0]):
                self.exemplar = value, trace

    def merge(self, other: Series) -> None:
        """Add what another one has."""
        self.count += other.count
        self.total += other.total
        self.counts = [one + two for one, two in zip(self.counts, other.counts, strict=True)]
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.exemplar = self.exemplar or other.exemplar


Measured = dict[Instrument, dict[Key, Series]]

_NOTHING: dict[Key, Series] = {}


class Metrics:
    """
    Adds up the events of exchanges.

    @param semconv: the version of the conventions whose names are used.
    @ivar measured: since the start, or since L{take}.
    """

    def __init__(self, semconv: Semconv) -> None:
        self._semconv = semconv
        self._known: set[str] = set()
        self._tried: set[str] = set()
        self._trace: InTrace | None = None
        self.measured: Measured = {}

    def add(self, event: Event) -> None:
        """Count one exchange."""
        is_traced = event.trace_id and event.span_id and is_kept(event)
        self._trace = (nanoseconds(event.time), event.trace_id, event.span_id) if is_traced else None
        # What nobody waited for is no request of a client's.
        if not is_background(event):
            self._record(SERVER_DURATION, event.duration_ms / 1000, _of_server(event))
        self._add_calls(event)

    def take(self) -> Measured:
        """What was measured since the last time."""
        measured, self.measured = self.measured, {}
        return measured

    def forget_exemplars(self) -> None:
        """They have gone out: each is of one export."""
        for series in self.measured.values():
            for one in series.values():
                one.exemplar = None

    def give_back(self, measured: Measured) -> None:
        """What was taken and could not be delivered is measured still."""
        for instrument, series in measured.items():
            for key, one in series.items():
                self._series(instrument, key).merge(one)

    def _add_calls(self, event: Event) -> None:
        calls = calls_of(event)
        answers = answering(calls)
        for number, call in enumerate(calls):
            seconds = call.duration_ms / 1000
            self._record(CLIENT_DURATION, seconds, _of_call(event, call))
            self._model_call(event, call, seconds, answers=number == answers)

    def _model_call(self, event: Event, call: AttemptMade, seconds: float, *, answers: bool) -> None:
        operation = operation_of(event.method, event.path)
        if not operation:
            return
        key = self._of_model(event, call, operation, answers=answers)
        failed = error_type(call)
        with_error = (*key, ("error.type", failed)) if failed else key
        self._record(OPERATION, seconds, with_error)
        if operation in _INFERENCES:
            self._record(INFERENCE, seconds, with_error)
        elif operation == "embeddings":
            self._record(EMBEDDINGS, seconds, with_error)
        elif self._semconv == "latest":
            # Where both are asked for it has this name already.
            self._record(OTHER_OPERATION, seconds, with_error)
        self._record(MODEL_DURATION, seconds, with_error)
        if answers and operation != "fetch_response":
            self._usage(event, key, operation)
        if answers and not failed:
            self._pace(event, key, operation)

    def _usage(self, event: Event, key: Key, operation: str) -> None:
        for count, kind in ((event.input_tokens, _INPUT), (event.output_tokens, _OUTPUT)):
            if count is not None:
                self._record(TOKEN_USAGE, count, (*key, kind))
        if operation == "embeddings" and event.input_tokens is not None:
            self._record(EMBEDDED, event.input_tokens, key)
        elif operation in _INFERENCES:
            # Vendors do not break it down by modality, but for audio, which is a part of what is counted here.
            unbroken = (*key, _UNBROKEN)
            for counter, count in (
                (INPUT, event.input_tokens),
                (OUTPUT, event.output_tokens),
                (CACHE_READ, event.cached_input_tokens),
                (CACHE_WRITE, event.cache_write_tokens),
                (REASONING, event.reasoning_tokens),
            ):
                if count is not None:
                    self._record(counter, count, unbroken)
        if event.cost is not None:
            self._record(COST, float(event.cost), key)

    def _pace(self, event: Event, key: Key, operation: str) -> None:
        first = event.first_token_ms
        if first is None or not event.streamed:
            return
        self._record(FIRST_TOKEN, first / 1000, key)
        if operation in _INFERENCES:
            self._record(FIRST_CHUNK, first / 1000, key)
        further = (event.output_tokens or 0) - 1
        if event.streamed_for_ms is not None and further > 0 and not event.truncated:
            self._record(EACH_TOKEN, event.streamed_for_ms / 1000 / further, key)

    def _of_model(self, event: Event, call: AttemptMade, operation: str, *, answers: bool) -> Key:
        found: list[tuple[str, Value]] = [("gen_ai.operation.name", operation)]
        found += named(self._semconv, call.provider, call.host).items()
        model = self._bounded(call.model or event.model, answered=0 < call.status < 400)
        if model:
            found.append(("gen_ai.request.model", model))
        served = self._bounded(event.served_model, answered=True) if answers else ""
        if served:
            found.append(("gen_ai.response.model", served))
        if call.host:
            found += (("server.address", call.host), ("server.port", call.port))
        return tuple(found)

    def _bounded(self, model: str, *, answered: bool) -> str:
        """A name that clients make up, as one of a bounded number."""
        if not model or model in self._known:
            return model
        # Half a surrogate pair, which JSON can have, would keep all metrics from being written ever again.
        model = model[:_LONGEST_NAME].encode("utf-8", "replace").decode()
        names, most = (self._known, MOST_MODELS) if answered else (self._tried, MOST_TRIED)
        if model not in names:
            if len(names) >= most:
                return OTHER
            names.add(model)
        return model

    def _record(self, instrument: Instrument, value: float, key: Key) -> None:
        since = instrument.since
        if since != "any" and self._semconv not in ("both", since):
            return
        series = self.measured.get(instrument, _NOTHING).get(key)
        if series is None:
            series = self._series(instrument, key)
        series.add(value, instrument.bounds, self._trace)

    def _series(self, instrument: Instrument, key: Key) -> Series:
        found = self.measured.get(instrument)
        if found is None:
            found = self.measured[instrument] = {}
        series = found.get(key)
        if series is None:
            if len(found) >= MOST_SERIES - 1 and key != _OVERFLOW:
                return self._series(instrument, _OVERFLOW)
            series = found[key] = Series([0] * (len(instrument.bounds) + 1) if instrument.bounds else [])
        return series


def _of_server(event: Event) -> Key:
    found = [_method(event)]
    for name, value in (
        ("url.scheme", event.scheme),
        ("http.route", event.endpoint),
        ("http.response.status_code", event.status),
        ("network.protocol.version", event.http_version),
        ("error.type", server_error_type(event)),
        ("llmproxy.api", event.api),
    ):
        if value:
            found.append((name, value))
    return tuple(found)


def _of_call(event: Event, call: AttemptMade) -> Key:
    found = [_method(event)]
    for name, value in (
        ("server.address", call.host),
        ("server.port", call.port),
        ("http.response.status_code", call.status),
        ("error.type", error_type(call)),
        ("llmproxy.upstream", call.upstream),
    ):
        if value:
            found.append((name, value))
    return tuple(found)


def _method(event: Event) -> tuple[str, Value]:
    return "http.request.method", event.method if event.method in METHODS else OTHER
