"""The error response of a request that is refused before a resource knows of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ...core.caching.dates import date_field
from ...core.masking import mask
from ...core.reasons import reason_of
from ..requestids import id_fields

if TYPE_CHECKING:
    from ...core.http11 import Refusal
    from ...message import Field


def refusal_response(refusal: Refusal, request_id: str, head_only: bool) -> bytes:
    """
    A whole response, after which the connection closes.

    @param head_only: the request was a HEAD.
    """
    body = refusal_body(refusal)
    fields = (
        *refusal_fields(refusal, request_id),
        (b"Content-Length", b"%d" % len(body)),
        (b"Connection", b"close"),
    )
    lines = (b"HTTP/1.1 %d %b" % (refusal.status, reason_of(refusal.status)), *map(b": ".join, fields), b"\r\n")
    return b"\r\n".join(lines) + (b"" if head_only else body)


def refusal_fields(refusal: Refusal, request_id: str) -> list[Field]:
    """The head of it in all versions of HTTP, without its framing."""
    return [
        date_field(time.time() // 1),
        (b"Content-Type", b"application/json"),
        *(((b"Retry-After", b"1"),) if refusal.status == 503 else ()),
        *id_fields(request_id),
    ]


def refusal_body(refusal: Refusal) -> bytes:
    """The content of it."""
    return json.dumps({"error": mask(refusal.detail), "code": refusal.code}).encode()
