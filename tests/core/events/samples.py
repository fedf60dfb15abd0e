"""Records and events for tests."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from llmproxy.core.events import EXCHANGE, Event
from llmproxy.record import Attribution, Call, Record, Trace
from llmproxy.usage import Usage

TIME = 1_796_000_000.25

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, "a=1", "b7ad6b7169203331")


def full_record(**values: Any) -> Record:
    """A record in which every field says something."""
    parent = Record("r-0", "POST", "/v1/chat/completions", "192.0.2.1", TIME)
    usage = Usage(10, 4, 2, 20, 5, 1, 3, 2, 1.5, "gpt-5-2026", {"prompt_tokens": 10})
    known: dict[str, Any] = {
        "user_agent": "openai/1",
        "api": "openai",
        "endpoint": "/v1/chat/completions",
        "project_id": "p-1",
        "token_id": "t-1",
        "person_id": "o-1",
        "status": 200,
        "error_code": "none",
        "cause": "reset",
        "bytes_in": 100,
        "bytes_out": 200,
        "duration": 1.5,
        "first_byte": 0.25,
        "upstream_first_byte": 0.125,
        "upstream_status": 200,
        "upstream_request_id": "req_1",
        "attempts": 2,
        "cache": "fwd=miss",
        "streamed": True,
        "ended": "complete",
        "model": "fast",
        "usage": usage,
        "truncated": True,
        "first_token": 0.5,
        "streamed_for": 1.0,
        "upstream": "east",
        "served": "gpt-5",
        "estimated": True,
        "saved": Usage(1, output_tokens=2),
        "cost": Decimal("0.0120"),
        "cost_saved": Decimal("0.5"),
        "attribution": Attribution("u-1", "s-1", "codex", {"team": "search"}, {"run": "7"}),
        "counted": True,
        "provider": "openai",
        "book": "2026-11-30",
        "entry_id": "00000000000000000000000000000001",
        "part_of": parent,
        "response_id": "chatcmpl-1",
        "scheme": "https",
        "version": "1.1",
        "trace": TRACE,
        "calls": [
            Call(
                TRACE,
                "c" * 16,
                "openai",
                "west",
                "w.example",
                443,
                "openai",
                "",
                TIME + 0.1,
                None,
                TIME + 0.2,
                0,
                "reset",
            ),
            Call(
                TRACE,
                "d" * 16,
                "openai",
                "east",
                "e.example",
                8443,
                "openai",
                "gpt-5",
                TIME + 0.2,
                TIME + 0.3,
                TIME + 1,
                200,
            ),
        ],
        "details": {"more": 1},
    }
    return Record("r-1", "POST", "/v1/chat/completions", "192.0.2.1", TIME, **{**known, **values})


def event(number: int = 1, **values: Any) -> Event:
    """A small event of an exchange."""
    known: dict[str, Any] = {
        "schema_version": 1,
        "kind": EXCHANGE,
        "time": datetime.fromtimestamp(TIME, timezone.utc),
        "request_id": f"r-{number}",
        "method": "POST",
        "path": "/v1/chat/completions",
        "api": "openai",
        "status": 200,
        "ended": "complete",
    }
    return Event(id=f"e-{number}", **{**known, **values})
