"""The sink C{otlp}: spans, metrics and logs of exchanges, for whatever speaks OpenTelemetry's protocol over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..config.sinks import secrets_in
from ..core.events.event import EXCHANGE
from ..core.lograte import LogRate
from ..core.telemetry.logs import log_of
from ..core.telemetry.metrics import Metrics
from ..core.telemetry.otlpoptions import COMPRESSIONS, SIGNALS, Destination, OtlpOptions, OtlpVariables, Signal
from ..core.telemetry.spans import is_kept, spans_of
from ..errors import ConfigError
from ..interfaces.events import IEventSink
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .otlpexport import OtlpExport
    from .registry import SinkTools

NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http", "requests")

MISSING = "type: otlp needs OpenTelemetry's SDK and its exporter: pip install 'txllmproxy[otel]'"

REPORTED_EVERY = 60.0
"""Seconds between two lines about metrics that could not be delivered."""


@implementer(IEventSink)
class Otlp:
    """
    Settings: C{endpoint}, the base URL of a collector (C{traces_endpoint}, C{metrics_endpoint} and C{logs_endpoint} are
    whole ones); C{headers}; C{traces}, C{metrics} and C{logs}, yes or no; C{semconv}; C{service_name} and C{resource};
    C{compression}, C{request_timeout}, C{ca_file}, C{client_cert} and C{client_key}; C{metrics_interval} and
    C{temporality}; C{longest_value}. What is not said is what the variables of OpenTelemetry say; those about the
    receiver only where none is said here.

    All is done on the sink's thread, where the SDK is imported with the first batch.
    """

    _log = Logger()

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        if missing():
            raise ConfigError(MISSING)
        self._options = options_of(settings, tools.environment)
        self._disabled = OtlpVariables(tools.environment).is_disabled
        self._tools = tools
        if tools.masking is not None:
            for to in self._options.destinations.values():
                tools.masking.learn(secrets_in("headers", to.headers))
        self._metrics = Metrics(self._options.semconv)
        self._export: OtlpExport | None = None
        self._done: dict[Signal, object] = {}
        self._call: IDelayedCall | None = None
        self._failures = LogRate(REPORTED_EVERY)
        self._since = 0
        self._closed = False

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        if self._disabled:
            return succeed(None)
        if self._call is None and "metrics" in self._options.destinations:
            self._call = self._tools.reactor.callLater(self._options.interval, self._tick)
        return self._tools.run_in_thread(self._deliver, tuple(batch))

    def close(self) -> Deferred[None]:
        self._closed = True
        if self._call is not None and self._call.active():
            self._call.cancel()
        if self._export is None:
            return succeed(None)
        return self._tools.run_in_thread(self._finish)

    # -- on the thread

    def _exporting(self) -> OtlpExport:
        if self._export is None:
            from .otlpexport import OtlpExport

            self._export = OtlpExport(self._options)
        return self._export

    def _deliver(self, batch: tuple[Event, ...]) -> Receipt | None:
        export = self._exporting()
        exchanges = [event for event in batch if event.kind == EXCHANGE]
        # What has gone already, in an attempt at the same batch that then failed, does not go again.
        key = (batch[0].id, batch[-1].id, len(batch))
        receipt: Receipt | None = None
        if "traces" in self._options.destinations and self._done.get("traces") != key:
            spans = [span for event in exchanges if is_kept(event) for span in spans_of(event, self._options.semconv)]
            receipt = export.spans(spans) if spans else None
            self._done["traces"] = key
        if "logs" in self._options.destinations and self._done.get("logs") != key:
            traced = "traces" in self._options.destinations
            receipt = export.logs([log_of(event, traced=traced) for event in batch])
            self._done["logs"] = key
        if "metrics" in self._options.destinations:
            for event in exchanges:
                self._metrics.add(event)
        self._done.clear()
        return receipt

    def _deliver_metrics(self) -> None:
        metrics, export = self._metrics, self._exporting()
        if not metrics.measured:
            return
        if self._options.temporality == "cumulative":
            export.metrics(metrics.measured)
            metrics.forget_exemplars()
            return
        measured, since = metrics.take(), self._since
        self._since = self._now()
        try:
            export.metrics(measured, since)
        except Exception:
            metrics.give_back(measured)
            self._since = since
            raise

    def _finish(self) -> None:
        export, self._export = self._export, None
        if export is None:
            return
        self._export = export
        try:
            if "metrics" in self._options.destinations:
                self._deliver_metrics()
        finally:
            self._export = None
            export.close()

    def _now(self) -> int:
        return int(self._tools.reactor.seconds() * 1e9)

    # -- metrics, now and then

    def _tick(self) -> None:
        self._call = None
        done = self._tools.run_in_thread(self._deliver_metrics)
        done.addErrback(self._metrics_failed)
        done.addCallback(lambda _: self._again())

    def _again(self) -> None:
        if not self._closed:
            self._call = self._tools.reactor.callLater(self._options.interval, self._tick)

    def _metrics_failed(self, reason: Any) -> None:
        if self._failures.due("metrics", self._tools.reactor.seconds()) is not None:
            words = "the sink {sink} cannot deliver metrics: {why} (metrics: false, where its receiver takes none)"
            self._log.warn(words, sink=self._tools.name, why=reason.getErrorMessage())


def missing() -> bool:
    """Whether the extra is not installed; nothing of it is imported."""
    try:
        return any(find_spec(name) is None for name in NEEDED)
    except ImportError:
        return True


def options_of(settings: Mapping[str, Any], environment: Mapping[str, str]) -> OtlpOptions:
    """
    What a sink's settings say, above what the variables do.

    @raise ConfigError: with all that is wrong.
    """
    read = SinkSettings(settings)
    endpoints = {signal: read.url(f"{signal}_endpoint", "") for signal in SIGNALS}
    base = read.url("endpoint", "")
    said = bool(base or any(endpoints.values()))
    # A receiver that is named here gets nothing that variables say for another one.
    variables = OtlpVariables({} if said else environment)
    general = OtlpVariables(environment)
    wanted = _wanted(read, endpoints, base, general)
    headers = read.texts("headers")
    usual = variables.options(tuple(wanted))
    changes: dict[str, Any] = {
        "timeout": read.duration("request_timeout", 0.0),
        "compression": _word(read, "compression", *COMPRESSIONS),
        **{
            name: _file(read, key)
            for key, name in (
                ("ca_file", "certificate"),
                ("client_cert", "client_certificate"),
                ("client_key", "client_key"),
            )
        },
    }
    changes = {name: value for name, value in changes.items() if value not in ("", 0.0)}
    destinations: dict[Signal, Destination] = {}
    for signal, to in usual.destinations.items():
        endpoint = endpoints[signal] or (f"{base.rstrip('/')}/v1/{signal}" if base else to.endpoint)
        destinations[signal] = evolve(to, endpoint=endpoint, headers={**to.headers, **headers}, **changes)
    for name, value in headers.items():
        if not name.isascii() or not name.isprintable() or not value.isprintable():
            read.problem("headers", f"{name[:40]!r} cannot stand in a header")
    if changes.get("client_key") and not changes.get("client_certificate"):
        read.problem("client_key", "needs the client_cert that it belongs to")
    resource = {**general.resource(), **read.texts("resource")}
    service = read.text("service_name", "")
    options = OtlpOptions(
        destinations,
        _word(read, "semconv", "legacy", "latest", "both") or general.semconv() or "both",
        {**resource, "service.name": service} if service else resource,
        read.duration("metrics_interval", general.interval()),
        _word(read, "temporality", "cumulative", "delta") or general.temporality(),
        read.number("longest_value", -1, -1) if "longest_value" in settings else general.longest(),
    )
    if options.interval < 1:
        read.problem("metrics_interval", "expected a duration of 1s at least")
    for name, sentence in dict([*variables.problems, *general.problems]).items():
        read.problem(name, sentence)
    read.done()
    return options


def _wanted(
    read: SinkSettings, endpoints: Mapping[Signal, str], base: str, variables: OtlpVariables
) -> Sequence[Signal]:
    """
    The signals that go out: what is said of each; else those that have a receiver of their own, or of the general one
    all but logs; else what the variables ask for.
    """
    if base:
        usual: tuple[Signal, ...] = ("traces", "metrics", *(("logs",) if endpoints["logs"] else ()))
    else:
        usual = tuple(signal for signal in SIGNALS if endpoints[signal]) or variables.asked or ("traces", "metrics")
    wanted = [signal for signal in SIGNALS if read.flag(signal, signal in usual)]
    if not wanted:
        read.problem("traces", "nothing is exported: traces, metrics and logs are all off")
    return wanted


def _file(read: SinkSettings, key: str) -> str:
    path = read.text(key, "")
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            read.problem(key, f"the file {path!r} cannot be read: {error.strerror}")
    return path


def _word(read: SinkSettings, key: str, *words: str) -> Any:
    """One of a few words; C{""} where nothing is said."""
    text = read.text(key, "")
    if text not in ("", *words):
        read.problem(key, f"expected one of {', '.join(words)}")
        return ""
    return text
