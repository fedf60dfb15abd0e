"""Entries of a stream as events: schema 1 as it is, the reference's with what its content shows beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from ..merging import merged
from .encoding import decode
from .event import Content, Event
from .sourced import Sourced

_EPOCH = datetime.fromtimestamp(0, timezone.utc)

_STREAM = "text/event-stream"

_COUNTS = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
"""How APIs call what went in and came out."""


def sourced_of(entry_id: str, data: bytes | None, deliveries: int = 1) -> Sourced:
    """
    @param entry_id: Redis', which begins with milliseconds since the epoch.
    @param data: C{None} where the entry has none, which is then no event.
    """
    if data is None:
        return Sourced(entry_id, None, b"", deliveries)
    try:
        event = decode(data)
    except ValueError:
        return Sourced(entry_id, None, data, deliveries)
    return Sourced(entry_id, completed(event, published_at(entry_id)), data, deliveries)


def published_at(entry_id: str) -> datetime:
    """When an entry was added; the epoch where its id does not say."""
    milliseconds = entry_id.partition("-")[0]
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def completed(event: Event, at: datetime) -> Event:
    """
    An event of the reference, which has no time, model or tokens of its own, with those that its content shows, and its
    stream as one answer. Every other event as it is.

    @param at: when it was published, which is when the exchange had ended.
    """
    if event.time != _EPOCH:
        return event
    content = _merged(event.content)
    found: dict[str, Any] = {"time": at - timedelta(milliseconds=max(0.0, event.duration_ms)), "content": content}
    if content is not None:
        found |= _said(content)
    return msgspec.structs.replace(event, **found)


def _merged(content: Content | None) -> Content | None:
    if content is None or not isinstance(content.response_body, str) or not _is_stream(content):
        return content
    try:
        whole = merged(content.response_body.encode("utf-8", "replace"), _STREAM.encode())
    except RecursionError:
        return content
    return msgspec.structs.replace(
        content, response_body=whole.content, merged=True, response_truncated=not whole.is_whole
    )


def _is_stream(content: Content) -> bool:
    types = content.response_headers.get("content-type") or [""]
    return types[0].lower().startswith(_STREAM)


def _said(content: Content) -> dict[str, Any]:
    request, answer = content.request_body, content.response_body
    found: dict[str, Any] = {"streamed": content.merged}
    if isinstance(request, Mapping) and isinstance(request.get("model"), str):
        found["model"] = request["model"]
    if isinstance(answer, Mapping):
        if isinstance(answer.get("model"), str):
            found["served_model"] = answer["model"]
        if isinstance(answer.get("usage"), Mapping):
            found |= _used(answer["usage"])
    return found


def _used(usage: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"usage": dict(usage)}
    for names in _COUNTS:
        for name, field in zip(names, ("input_tokens", "output_tokens"), strict=True):
            count = usage.get(name)
            if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**53:
                found[field] = count
    return found
