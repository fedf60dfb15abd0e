"""
Events as the reference writes them on its bus, so that what reads those goes on.

Read 2026-11-30, of its running: one object with the names of a Go struct, a duration of nanoseconds, bodies in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec

from .event import EXCHANGE, SCHEMA_VERSION, Content, Event


class LegacyEvent(msgspec.Struct, kw_only=True):
    """The reference's, name by name."""

    LogID: int = 0
    RequestID: str
    Method: str = ""
    Path: str = ""
    Status: int = 0
    Duration: int = 0
    ResponseHeaders: dict[str, list[str]] | None = None
    ResponseBody: str | None = None
    RequestBody: str | None = None


def encode_legacy(event: Event) -> bytes:
    """The reference's JSON of it. Only exchanges have one: see L{has_legacy}."""
    content = event.content or _NO_CONTENT
    return _encode(
        LegacyEvent(
            RequestID=event.request_id,
            Method=event.method,
            Path=event.path,
            Status=event.status,
            Duration=round(event.duration_ms * 1_000_000),
            ResponseHeaders={_canonical(name): values for name, values in content.response_headers.items()},
            ResponseBody=_base64(content.response_body),
            RequestBody=_base64(content.request_body),
        )
    )


def has_legacy(event: Event) -> bool:
    """Whether the reference would have published it."""
    return event.kind == EXCHANGE


def is_legacy(data: bytes) -> bool:
    """Whether that could be an event of the reference."""
    return b'"RequestID"' in data


def event_of_legacy(data: bytes) -> Event:
    """
    The other way round. It has no time and no id of its own: its bytes make one, which is the same whenever it comes.

    @raise ValueError: it is none.
    """
    try:
        old = _decode(data)
    except msgspec.DecodeError as error:
        raise ValueError(f"not an event: {error}") from None
    headers = {name.lower(): values for name, values in (old.ResponseHeaders or {}).items()}
    request, response = _body(old.RequestBody), _body(old.ResponseBody)
    content = Content(
        response_headers=headers,
        request_body=request,
        response_body=response,
        request_omitted="binary" if request is None and old.RequestBody else "",
        response_omitted="binary" if response is None and old.ResponseBody else "",
    )
    return Event(
        id=hashlib.sha256(data).hexdigest()[:32],
        schema_version=SCHEMA_VERSION,
        kind=EXCHANGE,
        request_id=old.RequestID,
        method=old.Method,
        path=old.Path,
        status=old.Status,
        duration_ms=old.Duration / 1_000_000,
        content=None if content == _NO_CONTENT else content,
    )


def _canonical(name: str) -> str:
    """As Go writes the name of a field."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def _base64(body: Any) -> str | None:
    if body is None:
        return None
    data = body.encode("utf-8", "replace") if isinstance(body, str) else msgspec.json.encode(body)
    return base64.b64encode(data).decode()


def _body(text: str | None) -> Any:
    """JSON where it is JSON, else text; C{None} for none and for what is no text."""
    if not text:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


_NO_CONTENT = Content()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(LegacyEvent).decode
