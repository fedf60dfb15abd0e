"""Entries of a stream as events: schema 1 as it is, the reference's with what its content shows beside."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from time import monotonic
from typing import Any

import msgspec

from ..capture.body import Body, Half, body_of
from ..masking import Masking
from ..redaction.redactor import Redactor
from .encoding import decode
from .event import Content, Event
from .legacy import LegacyEvent
from .sourced import Sourced

MOST = 1024 * 1024
"""Bytes that are kept of a body of the reference without its codings."""

_CUT_AT = frozenset({64 * 1024, 256 * 1024})
"""Bytes of a body of which the reference has cut the rest: its two usual bounds. It does not say so."""

_STREAM = "text/event-stream"

_LEFT_OUT = frozenset({"set-cookie", "set-cookie2"})

_EPOCH = datetime.fromtimestamp(0, timezone.utc)

_MASKING = Masking()
_REDACTOR = Redactor((), _MASKING, monotonic)
_legacy = msgspec.json.Decoder(LegacyEvent).decode

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
    return Sourced(entry_id, completed(event, published_at(entry_id), data), data, deliveries)


def published_at(entry_id: str) -> datetime:
    """When an entry was added; the epoch where its id does not say."""
    milliseconds = entry_id.partition("-")[0]
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def completed(event: Event, at: datetime, data: bytes) -> Event:
    """
    An event of the reference, which has no time, model or tokens of its own, with those that its content shows. Its
    bodies are read as those that are captured here: without their codings, streams as one answer, secrets masked. Every
    other event as it is.

    @param at: when it was published, which is when the exchange had ended.
    @param data: as it came.
    """
    if event.time != _EPOCH:
        return event
    found: dict[str, Any] = {"time": at - timedelta(milliseconds=max(0.0, event.duration_ms))}
    content = _content(_legacy(data))
    if content is not None:
        found |= {"content": content, **_said(content)}
    return msgspec.structs.replace(event, **found)


def _content(old: LegacyEvent) -> Content | None:
    headers = {
        name.lower(): [_MASKING.text(value) for value in values]
        for name, values in (old.ResponseHeaders or {}).items()
        if name.lower() not in _LEFT_OUT
    }
    request = _body(old.RequestBody, {})
    response = _body(old.ResponseBody, headers)
    if not headers and request == response == Body():
        return None
    return Content(
        response_headers=headers,
        request_body=request.value,
        response_body=response.value,
        request_truncated=request.is_truncated,
        response_truncated=response.is_truncated,
        request_omitted=request.omitted,
        response_omitted=response.omitted,
        merged=response.is_merged or _words(headers, "content-type").startswith(_STREAM),
    )


def _body(text: str | None, headers: Mapping[str, list[str]]) -> Body:
    if not text:
        return Body()
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Body(omitted="undecodable")
    media_type = _words(headers, "content-type").partition(";")[0].strip()
    if media_type == _STREAM and content[:1] == b"{":
        # A proxy of ours has merged it.
        media_type = "application/json"
    half = Half(
        content,
        media_type.encode("latin-1", "replace"),
        [word.strip().encode("latin-1", "replace") for word in _words(headers, "content-encoding").split(",") if word],
        is_whole=len(content) not in _CUT_AT,
        size=len(content),
        most=MOST,
    )
    return body_of(half, _REDACTOR)


def _words(headers: Mapping[str, list[str]], name: str) -> str:
    return ",".join(headers.get(name) or ()).lower()


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
