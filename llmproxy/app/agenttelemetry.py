"""Telemetry of coding agents on its way to sinks: read, signed with what we know of its sender, published."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred

from ..core.agenttelemetry import is_batch, session_of, signed
from ..core.attributing.programs import program_of
from ..core.events.notices import notice
from ..sinks.eventbus import size_of

if TYPE_CHECKING:
    from ..core.events import Event
    from ..web.agents.telemetry import Batch
    from .events import Events

_MESSAGES = {
    "metrics": ("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2", "ExportMetricsServiceRequest"),
    "logs": ("opentelemetry.proto.collector.logs.v1.logs_service_pb2", "ExportLogsServiceRequest"),
    "traces": ("opentelemetry.proto.collector.trace.v1.trace_service_pb2", "ExportTraceServiceRequest"),
}


class AgentTelemetrySink:
    """
    @param on_thread: calls a function on a thread: a batch may take some milliseconds.
    @param seconds: the time, since the epoch.
    """

    def __init__(
        self,
        events: Events,
        on_thread: Callable[[Callable[[], dict[str, Any]]], Deferred[dict[str, Any]]],
        seconds: Callable[[], float],
    ) -> None:
        self._events = events
        self._on_thread = on_thread
        self._seconds = seconds

    def wants(self, signal: str) -> bool:
        """Whether any sink wants such batches."""
        return self._events.wants(f"agent.{signal}")

    def take(self, batch: Batch) -> Deferred[None]:
        """
        Publish a batch.

        @return: fails with L{ValueError}: it is no OTLP.
        """
        reading = self._on_thread(lambda: read(batch.signal, batch.content, protobuf=batch.protobuf))
        return reading.addCallback(lambda content: self._publish(batch, content))

    def _publish(self, batch: Batch, content: dict[str, Any]) -> None:
        event = event_of(batch, content, self._seconds())
        self._events.bus.publish([event], [size_of(event.details)])


def event_of(batch: Batch, content: dict[str, Any], now: float) -> Event:
    """The event of a batch: its kind is C{agent.} and the signal."""
    token, caller = batch.principal.token, batch.caller
    session = session_of(batch.signal, content)
    known = {
        "llmproxy.person.id": caller.person,
        "llmproxy.person.email": caller.email,
        "llmproxy.token.id": token.id,
        "llmproxy.project.id": batch.principal.project.id,
        "llmproxy.session.id": session,
    }
    return notice(
        f"agent.{batch.signal}",
        now,
        client=batch.client,
        user_agent=batch.user_agent,
        project_id=batch.principal.project.id,
        token_id=token.id,
        user=caller.email or caller.person,
        session=session,
        program=program_of(batch.user_agent),
        details={"signal": batch.signal, "person_id": caller.person, "otlp": signed(batch.signal, content, known)},
    )


def read(signal: str, content: bytes, *, protobuf: bool) -> dict[str, Any]:
    """
    A batch as JSON has it.

    @raise ValueError: it is none.
    """
    found = _of_protobuf(signal, content) if protobuf else _of_json(content)
    if not is_batch(signal, found):
        raise ValueError(f"expected OTLP {signal}")
    return found


def _of_json(content: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("expected a JSON object") from None
    return found


def _of_protobuf(signal: str, content: bytes) -> dict[str, Any]:
    from importlib import import_module

    # It has no annotations of its own.
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    module, name = _MESSAGES[signal]
    message = getattr(import_module(module), name)()
    try:
        message.ParseFromString(content)
        found: dict[str, Any] = MessageToDict(message)
    except (DecodeError, RecursionError, ValueError):
        raise ValueError("expected protobuf") from None
    _with_hexadecimal_ids(found)
    return found


_IDS = ("traceId", "spanId", "parentSpanId")


def _with_hexadecimal_ids(value: Any) -> None:
    """OTLP's JSON has ids in hexadecimal digits, where protobuf's own mapping has base64."""
    from base64 import b64decode

    if isinstance(value, dict):
        for name in _IDS:
            if isinstance(value.get(name), str):
                value[name] = b64decode(value[name]).hex()
        for each in value.values():
            _with_hexadecimal_ids(each)
    elif isinstance(value, list):
        for each in value:
            _with_hexadecimal_ids(each)
