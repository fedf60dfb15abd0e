"""OTLP as a receiver reads it: by the published protobuf, into plain values that tests compare."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from attrs import define, field
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_KINDS = {1: "internal", 2: "server", 3: "client"}


def value_of(value: Any) -> Any:
    """An C{AnyValue}."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def attributes_of(found: Any) -> dict[str, Any]:
    return {each.key: value_of(each.value) for each in found}


@define
class Span:
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    remote_parent: bool
    sampled: bool
    state: str
    start: int
    end: int
    attributes: dict[str, Any]
    status: int
    why: str
    resource: dict[str, Any] = field(repr=False)
    scope: str = ""


@define
class Point:
    """One series of a metric, a histogram's or a counter's."""

    attributes: dict[str, Any]
    total: float
    count: int
    counts: list[int]
    bounds: list[float]
    least: float
    most: float
    start: int
    time: int
    temporality: int
    exemplars: list[tuple[float, str, str]] = field(factory=list)


@define
class Log:
    body: Any
    severity: int
    time: int
    trace_id: str
    span_id: str
    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any] = field(repr=False)


@define
class Received:
    """What has come, in its order."""

    spans: list[Span] = field(factory=list)
    metrics: dict[str, list[Point]] = field(factory=dict)
    logs: list[Log] = field(factory=list)
    resources: list[dict[str, Any]] = field(factory=list)

    def take(self, path: str, coding: str, body: bytes) -> None:
        """
        @raise ValueError: it is nothing that a collector takes.
        """
        data = {"gzip": gzip.decompress, "deflate": zlib.decompress, "": bytes}[coding](body)
        signal = path.rsplit("/", 1)[-1]
        {"traces": self._spans, "metrics": self._metrics, "logs": self._logs}[signal](data)

    def _spans(self, data: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
            said = attributes_of(resource.resource.attributes)
            for scope in resource.scope_spans:
                for one in scope.spans:
                    self.spans.append(
                        Span(
                            one.name,
                            _KINDS[one.kind],
                            one.trace_id.hex(),
                            one.span_id.hex(),
                            one.parent_span_id.hex(),
                            one.flags & 0x200 != 0,
                            one.flags & 1 == 1,
                            one.trace_state,
                            one.start_time_unix_nano,
                            one.end_time_unix_nano,
                            attributes_of(one.attributes),
                            one.status.code,
                            one.status.message,
                            said,
                            scope.scope.name,
                        )
                    )

    def _metrics(self, data: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(data).resource_metrics:
            self.resources.append(attributes_of(resource.resource.attributes))
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    # A later export of what is cumulative takes the place of an earlier one.
                    self.metrics[metric.name] = list(_points(metric))

    def _logs(self, data: bytes) -> None:
        for resource in ExportLogsServiceRequest.FromString(data).resource_logs:
            said = attributes_of(resource.resource.attributes)
            for scope in resource.scope_logs:
                for one in scope.log_records:
                    self.logs.append(
                        Log(
                            value_of(one.body),
                            one.severity_number,
                            one.time_unix_nano,
                            one.trace_id.hex(),
                            one.span_id.hex(),
                            one.event_name,
                            attributes_of(one.attributes),
                            said,
                        )
                    )


def _points(metric: Any) -> Any:
    if metric.WhichOneof("data") == "sum":
        for each in metric.sum.data_points:
            value = each.as_int if each.WhichOneof("value") == "as_int" else each.as_double
            times = each.start_time_unix_nano, each.time_unix_nano
            kind = metric.sum.aggregation_temporality
            yield Point(attributes_of(each.attributes), value, 0, [], [], 0, 0, *times, kind)
        return
    for each in metric.histogram.data_points:
        yield Point(
            attributes_of(each.attributes),
            each.sum,
            each.count,
            list(each.bucket_counts),
            list(each.explicit_bounds),
            each.min,
            each.max,
            each.start_time_unix_nano,
            each.time_unix_nano,
            metric.histogram.aggregation_temporality,
            [(getattr(one, one.WhichOneof("value")), one.trace_id.hex(), one.span_id.hex()) for one in each.exemplars],
        )
