"""
Helicone: one logged request for each exchange.

By U{https://docs.helicone.ai/getting-started/integration-method/manual-logger-curl}, read 2026-11-30: C{POST} of one
object with a Bearer key. What stands in C{meta} is read there as header fields: the id of the request (one that comes
again is the same), user, session and properties.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from ..event import Event
from .reading import (
    NO_CONTENT,
    began,
    ended,
    failure_of,
    id_of,
    is_model_call,
    metadata_of,
    model_of,
    name_of,
)

URL = "https://api.worker.helicone.ai/custom/v1/log"

MOST_BYTES = 9_000_000
"""Of a request: more than 10 MB are refused there (C{logAsync} of helicone/helicone)."""

NO_PATH = "custom-model-nopath"
"""What stands for the address of a request that did not go through Helicone."""

BROKEN = 500
"""
The status by which it says, too, that it cannot take this content; seen 2026-11-30 (the reference takes it for that at
once). It may as well mean that Helicone is broken: L{MOST_BROKEN} of them in a row for one event are needed.
"""

MOST_BROKEN = 3

_NO_TOKEN = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SAFE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def request_of(event: Event) -> dict[str, Any]:
    """The object that is sent."""
    return {
        "providerRequest": {"url": NO_PATH, "json": _request(event), "meta": meta_of(event)},
        "providerResponse": _response(event),
        "timing": _timing(event),
    }


def encode_one(event: Event) -> bytes:
    """The body of a request."""
    return msgspec.json.encode(request_of(event), enc_hook=str)


def meta_of(event: Event) -> dict[str, str]:
    """Header fields, each of them with a name and a value that a header field may have."""
    found = {
        "Helicone-Request-Id": id_of(event, "request"),
        "Helicone-User-Id": event.user,
        "Helicone-Session-Id": event.session,
        "Helicone-Session-Name": event.program if event.session else "",
        "Helicone-Provider": event.provider,
        "provider": event.provider,
        "request_id": event.request_id,
        "method": event.method,
        "path": event.path,
    }
    for name, value in (*metadata_of(event).items(), *event.tags.items()):
        token = _NO_TOKEN.sub("-", str(name)).strip("-")
        if token:
            found.setdefault(f"Helicone-Property-{token}", _text(value))
    return {name: _field(value) for name, value in found.items() if value}


def _request(event: Event) -> dict[str, Any]:
    if not is_model_call(event):
        return {"_type": "data", "name": name_of(event)}
    body = (event.content or NO_CONTENT).request_body
    if isinstance(body, Mapping):
        return {"model": event.model, **body} if event.model else dict(body)
    return {"model": event.model} | ({} if body is None else {"input": body})


def _response(event: Event) -> dict[str, Any]:
    content = event.content or NO_CONTENT
    body, said = content.response_body, {}
    if isinstance(body, Mapping):
        said = dict(body)
    elif not is_model_call(event):
        said = {"_type": "data", "name": name_of(event), "status": "error" if failure_of(event) else "success"}
    else:
        said = {"model": model_of(event)} if model_of(event) else {}
    usage = _usage(event)
    if usage:
        said["usage"] = usage
    if failure_of(event) and "error" not in said:
        said["error"] = {"message": failure_of(event)}
    headers = {name: ", ".join(values) for name, values in content.response_headers.items()}
    response: dict[str, Any] = {"status": event.status or 502, "headers": headers, "json": said}
    if isinstance(body, str):
        response["textBody"] = body
    return response


def _usage(event: Event) -> dict[str, int]:
    if event.input_tokens is None and event.output_tokens is None:
        return {}
    given, made = event.input_tokens or 0, event.output_tokens or 0
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _timing(event: Event) -> dict[str, Any]:
    timing: dict[str, Any] = {"startTime": _moment(began(event)), "endTime": _moment(ended(event))}
    if event.first_token_ms is not None:
        timing["timeToFirstToken"] = round(event.first_token_ms)
    return timing


def _moment(at: datetime) -> dict[str, int]:
    return {"seconds": int(at.timestamp()), "milliseconds": at.microsecond // 1000}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field(value: str) -> str:
    """What a header field cannot hold is written as in a URL; there is no end of a line in it."""
    return value if value.isascii() and value.isprintable() else quote(value, safe=_SAFE)
