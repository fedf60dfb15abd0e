"""An answer that tells its usage, and what is to be read in it."""

from __future__ import annotations

from attrs import frozen

from llmproxy.usage import Usage

SSE, JSON, NDJSON = b"text/event-stream", b"application/json", b"application/x-ndjson"


@frozen
class Golden:
    """@ivar usage: without C{raw}, which C{raw} names the members of."""

    media_type: bytes
    body: bytes
    usage: Usage
    raw: frozenset[str]


def golden(media_type: bytes, body: bytes, raw: str, **counted: object) -> Golden:
    return Golden(media_type, body, Usage(**counted), frozenset(raw.split()))  # type: ignore[arg-type]
