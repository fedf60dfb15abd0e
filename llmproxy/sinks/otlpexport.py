"""
An export by OTLP over HTTP: OpenTelemetry's SDK, which only this module imports, fed with finished values.

Nothing of the SDK runs while an exchange does: spans have the ids under which it was passed on, and its exact times.
Metrics and logs are the SDK's own values, encoded and sent by its exporters; spans, which are many, are written by
L{llmproxy.core.telemetry.wire} and go the same way. What is called here waits: it belongs on a thread.
"""

from __future__ import annotations

import gzip
import logging
import os
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import requests
from opentelemetry import _logs as logs_api
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics import export as points
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import TraceFlags

from .. import __version__
from ..core.events.receipts import PassingFailure, PermanentFailure, Receipt, failure_of, receipt_of
from ..core.telemetry.conventions import LEGACY
from ..core.telemetry.logs import TEXTS
from ..core.telemetry.wire import trace_request

if TYPE_CHECKING:
    from ..core.telemetry.logs import LogValue
    from ..core.telemetry.metrics import Instrument, InTrace, Key, Measured, Series
    from ..core.telemetry.otlpoptions import Destination, OtlpOptions, Signal, Temporality
    from ..core.telemetry.spans import Attributes, SpanValue

_COMPRESSIONS = {"none": Compression.NoCompression, "gzip": Compression.Gzip, "deflate": Compression.Deflate}
_EXPORTERS: dict[str, Any] = {"metrics": OTLPMetricExporter, "logs": OTLPLogExporter}
_ANSWERS: dict[str, Any] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
_REJECTED = {"traces": "rejected_spans", "metrics": "rejected_data_points", "logs": "rejected_log_records"}

_OWN_FIELDS = frozenset(
    "accept accept-encoding connection content-encoding content-length content-type host user-agent".split()
)
"""What a request has in any case; of all other fields only those that are configured for this receiver go to it."""

# What the exporters say of failures is said by the queue of the sink; without a handler it would go to standard error.
logging.getLogger("opentelemetry").addHandler(logging.NullHandler())


class _Session(requests.Session):
    """
    Remembers what the last request came to, which the exporters keep to themselves, and sends what is configured for
    this receiver alone: the exporters would add what variables of the process say for another one.
    """

    def __init__(self, to: Destination) -> None:
        super().__init__()
        self._allowed = _OWN_FIELDS | {name.lower() for name in to.headers}
        self.verify = to.certificate or True
        if to.client_certificate:
            self.cert = (to.client_certificate, to.client_key) if to.client_key else to.client_certificate
        # Without one of its own, requests looks into ~/.netrc.
        self.auth = self._prepared
        self.answer: requests.Response | None = None
        self.error: Exception | None = None

    def _prepared(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        for name in [name for name in request.headers if name.lower() not in self._allowed]:
            del request.headers[name]
        return request

    def merge_environment_settings(self, *arguments: Any) -> Any:
        """C{REQUESTS_CA_BUNDLE} would stand above the authorities that are configured for this receiver."""
        merged = super().merge_environment_settings(*arguments)
        return merged if self.verify is True else {**merged, "verify": self.verify}

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:
        self.answer = self.error = None
        try:
            # Older exporters follow redirects, with all that is in the request.
            self.answer = super().send(request, **{**keywords, "allow_redirects": False})
        except Exception as error:
            self.error = error
            raise
        return self.answer


class OtlpExport:
    """
    @param options: where what goes, and under which names.
    @ivar rejected: spans, points and records that a receiver took a request with, and left out of it.
    """

    def __init__(self, options: OtlpOptions) -> None:
        self._options = options
        self._resource = resource_of(options.resource)
        schema = f"https://opentelemetry.io/schemas/{LEGACY}" if options.semconv == "legacy" else ""
        self._scope = InstrumentationScope("llmproxy", __version__, schema)
        self._began = time.time_ns()
        self._sessions: dict[Signal, _Session] = {}
        self._exporters: dict[Signal, Any] = {}
        self.rejected = 0

    def spans(self, spans: Sequence[SpanValue]) -> Receipt:
        """
        @raise PassingFailure: they may be taken later.
        @raise PermanentFailure: they never are.
        """
        resource: Any = self._resource.attributes
        scope = (self._scope.name, __version__, self._scope.schema_url or "")
        body = trace_request(spans, resource, scope, self._options.longest)
        session, to = self._session("traces"), self._options.destinations["traces"]
        own = {"Content-Type": "application/x-protobuf", "User-Agent": f"llmproxy/{__version__}"}
        fields = {**own, **to.headers}
        if to.compression != "none":
            body = gzip.compress(body, 6) if to.compression == "gzip" else zlib.compress(body)
            fields["Content-Encoding"] = to.compression
        for last in (False, True):
            try:
                session.post(to.endpoint, body, headers=fields, timeout=to.timeout)
                break
            except requests.ConnectionError:
                # The other end may have closed a connection that was kept.
                if last:
                    break
            except Exception:
                break
        return self._judged("traces", session)

    def logs(self, records: Sequence[LogValue]) -> Receipt:
        """See L{spans}."""
        return self._export("logs", [self._log(each) for each in records])

    def metrics(self, measured: Measured, began: int = 0) -> Receipt:
        """
        See L{spans}.

        @param began: when what was measured began, in nanoseconds since the epoch; 0 is when this was made.
        """
        now = time.time_ns()
        temporality = _TEMPORALITIES[self._options.temporality]
        found = [
            points.Metric(
                instrument.name,
                instrument.description,
                instrument.unit,
                _data(instrument, series, began or self._began, now, temporality),
            )
            for instrument, series in measured.items()
        ]
        schema = self._scope.schema_url or ""
        scoped = points.ScopeMetrics(self._scope, found, schema)
        return self._export("metrics", points.MetricsData([points.ResourceMetrics(self._resource, [scoped], "")]))

    def close(self) -> None:
        """Nothing is exported any more."""
        exporters, self._exporters = self._exporters, {}
        for each in exporters.values():
            each.shutdown()
        for session in self._sessions.values():
            session.close()

    # -- a request

    def _export(self, signal: Signal, what: Any) -> Receipt:
        exporter, session = self._exporter(signal), self._session(signal)
        session.answer = session.error = None
        exporter.export(what)
        return self._judged(signal, session)

    def _judged(self, signal: Signal, session: _Session) -> Receipt:
        """What the last request came to."""
        answer = session.answer
        if answer is None:
            if session.error is None:
                # It was not sent: what is in it cannot be encoded, or is longer than any receiver takes.
                raise PermanentFailure("could not be encoded as OTLP, or is too large for it")
            raise PassingFailure(f"{signal}: {_why(session.error)}")
        body = answer.content
        if not 200 <= answer.status_code < 300:
            raise failure_of(answer.status_code, body, _seconds(answer.headers.get("retry-after")))
        return self._taken(signal, answer.status_code, body)

    def _taken(self, signal: Signal, status: int, body: bytes) -> Receipt:
        try:
            said = _ANSWERS[signal].FromString(body).partial_success
            rejected = int(getattr(said, _REJECTED[signal]))
        except Exception:
            # Some answer in JSON, or with a word: they have it.
            return Receipt(status)
        self.rejected += rejected
        text = f"{rejected} rejected: {said.error_message}" if rejected else said.error_message
        return receipt_of(status, text.encode())

    def _session(self, signal: Signal) -> _Session:
        found = self._sessions.get(signal)
        if found is None:
            found = self._sessions[signal] = _Session(self._options.destinations[signal])
        return found

    def _exporter(self, signal: Signal) -> Any:
        found = self._exporters.get(signal)
        if found is None:
            arguments = _arguments(self._options.destinations[signal])
            found = self._exporters[signal] = _EXPORTERS[signal](**arguments, session=self._session(signal))
        return found

    # -- values

    def _log(self, log: LogValue) -> ReadableLogRecord:
        record = logs_api.LogRecord(
            timestamp=log.time,
            observed_timestamp=time.time_ns(),
            severity_text=TEXTS[log.severity],
            severity_number=logs_api.SeverityNumber(log.severity),
            body=_text(log.body),
            attributes=self._cut(log.attributes),
            event_name=log.name or None,
        )
        record.trace_id = int(log.trace_id, 16) if log.trace_id else 0
        record.span_id = int(log.span_id, 16) if log.span_id else 0
        record.trace_flags = TraceFlags(TraceFlags.SAMPLED if log.sampled else TraceFlags.DEFAULT)
        return ReadableLogRecord(record, self._resource, self._scope)

    def _cut(self, attributes: Attributes) -> Attributes:
        longest = self._options.longest
        return {name: _text(value[:longest]) if isinstance(value, str) else value for name, value in attributes.items()}


def resource_of(said: Mapping[str, str]) -> Resource:
    """
    What this process is. Each has an id of its own, so that what two workers have counted is not taken for the same.

    @param said: stands above what is known here.
    """
    known: dict[str, str | int] = {
        "service.name": "llmproxy",
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "process.pid": os.getpid(),
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": sdk_version,
    }
    if "service.instance.id" in said:
        # The same for all workers: what they count would be one series, which jumps.
        known["llmproxy.process.id"] = known["service.instance.id"]
    return Resource({**known, **said})


def _text(text: str) -> str:
    """Half a surrogate pair would keep the whole batch from being written."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _arguments(to: Destination) -> dict[str, Any]:
    return {
        "endpoint": to.endpoint,
        "headers": dict(to.headers),
        "timeout": to.timeout,
        "compression": _COMPRESSIONS[to.compression],
        "certificate_file": to.certificate or None,
        "client_certificate_file": to.client_certificate or None,
        "client_key_file": to.client_key or None,
    }


_TEMPORALITIES: dict[Temporality, points.AggregationTemporality] = {
    "cumulative": points.AggregationTemporality.CUMULATIVE,
    "delta": points.AggregationTemporality.DELTA,
}


def _data(
    instrument: Instrument,
    series: Mapping[Key, Series],
    began: int,
    now: int,
    temporality: points.AggregationTemporality,
) -> points.Histogram | points.Sum:
    if not instrument.bounds:
        numbers = [points.NumberDataPoint(dict(key), began, now, _number(one.total)) for key, one in series.items()]
        return points.Sum(numbers, temporality, is_monotonic=True)
    bounds = list(instrument.bounds)
    found = [
        points.HistogramDataPoint(
            dict(key),
            began,
            now,
            one.count,
            one.total,
            list(one.counts),
            bounds,
            one.least,
            one.most,
            [] if one.exemplar is None else [_exemplar(*one.exemplar)],
        )
        for key, one in series.items()
    ]
    return points.Histogram(found, temporality)


def _exemplar(value: float, trace: InTrace) -> Exemplar:
    at, trace_id, span_id = trace
    return Exemplar({}, value, at, int(span_id, 16), int(trace_id, 16))


def _number(value: float) -> int | float:
    """Tokens are whole."""
    return int(value) if value == int(value) else value


def _why(error: Exception) -> str:
    """Why there was no answer, without what may be secret in it: the kind, and the system's own words."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return f"{type(error).__name__}: {inner.strerror}"
        reason = getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)
        inner = reason if isinstance(reason, BaseException) else inner.__cause__ or inner.__context__
    return type(error).__name__


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
