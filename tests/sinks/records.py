"""Records for tests."""

from __future__ import annotations

from typing import Any

from llmproxy.message import Record


def a_record(**changes: Any) -> Record:
    """A completed chat completion, but for C{changes}."""
    values: dict[str, Any] = {
        "request_id": "r-1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "client": "192.0.2.7",
        "started_at": 1_790_000_000.25,
        "api": "openai",
        "endpoint": "/v1/chat/completions",
        "project_id": "p-1",
        "token_id": "t-1",
        "status": 200,
        "bytes_in": 120,
        "bytes_out": 300,
        "duration": 0.0123,
        "first_byte": 0.0101,
        "upstream_first_byte": 0.01,
        "upstream_status": 200,
        "attempts": 1,
        "ended": "complete",
    }
    return Record(**{**values, **changes})
