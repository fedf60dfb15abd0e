"""Telemetry of coding agents: what their own metrics, logs and traces (OTLP as JSON) say of person and session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SIGNALS = ("metrics", "logs", "traces")

_RESOURCES = {"metrics": "resourceMetrics", "logs": "resourceLogs", "traces": "resourceSpans"}
_SCOPES = {"metrics": "scopeMetrics", "logs": "scopeLogs", "traces": "scopeSpans"}
_RECORDS = {"metrics": "metrics", "logs": "logRecords", "traces": "spans"}
_POINTS = ("sum", "gauge", "histogram", "exponentialHistogram", "summary")

_SESSIONS = frozenset({"session.id", "session_id", "conversation.id"})
"""What Claude Code and Codex call a session."""

MOST_LOOKED_AT = 1000
"""Records that are looked at for a session; one batch has those of one process."""

LONGEST_SESSION = 255


def session_of(signal: str, content: Mapping[str, Any]) -> str:
    """The first session that a batch names; C{""} for none."""
    for number, attributes in enumerate(_attributes(signal, content)):
        if number >= MOST_LOOKED_AT:
            break
        for each in attributes:
            if isinstance(each, dict) and each.get("key") in _SESSIONS:
                value = each.get("value")
                text = value.get("stringValue") if isinstance(value, dict) else None
                if isinstance(text, str) and text.isprintable():
                    return text[:LONGEST_SESSION]
    return ""


def signed(signal: str, content: dict[str, Any], attributes: Mapping[str, str]) -> dict[str, Any]:
    """
    The same batch, with what we know in each of its resources; what the client itself says under the same names is
    taken out.

    @param attributes: those without a value are left out.
    """
    ours = [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items() if value]
    for resource in _dicts(content.get(_RESOURCES[signal])):
        inner = resource.get("resource")
        inner = inner if isinstance(inner, dict) else {}
        said = [each for each in _dicts(inner.get("attributes")) if each.get("key") not in attributes]
        resource["resource"] = {**inner, "attributes": [*said, *ours]}
    return content


def is_batch(signal: str, content: object) -> bool:
    """Whether it is one of this signal; an empty one too."""
    return isinstance(content, dict) and isinstance(content.get(_RESOURCES[signal], []), list)


def _attributes(signal: str, content: Mapping[str, Any]) -> Iterator[list[Any]]:
    for resource in _dicts(content.get(_RESOURCES[signal])):
        inner = resource.get("resource")
        yield _list(inner.get("attributes") if isinstance(inner, dict) else None)
        for scope in _dicts(resource.get(_SCOPES[signal])):
            for record in _dicts(scope.get(_RECORDS[signal])):
                yield _list(record.get("attributes"))
                for kind in _POINTS if signal == "metrics" else ():
                    data = record.get(kind)
                    for point in _dicts(data.get("dataPoints") if isinstance(data, dict) else None):
                        yield _list(point.get("attributes"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    return (each for each in _list(value) if isinstance(each, dict))
