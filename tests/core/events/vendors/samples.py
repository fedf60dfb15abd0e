"""Events of exchanges that there are, whole and with next to nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from llmproxy.core.events.event import EXCHANGE, Content, Event

AT = datetime(2026, 11, 30, 11, 9, 2, 778123, tzinfo=timezone.utc)

REQUEST: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Say hello"}],
    "temperature": 0.2,
    "stop": ["a", "b"],
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "stream": True,
}

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
}


def chat(**more: Any) -> Event:
    """A streamed chat with all that can be known of it."""
    values: dict[str, Any] = {
        "id": "a" * 32,
        "schema_version": 1,
        "kind": EXCHANGE,
        "time": AT,
        "request_id": "req-1",
        "client": "192.0.2.7",
        "user_agent": "openai-python/2",
        "method": "POST",
        "path": "/v1/chat/completions",
        "api": "openai",
        "endpoint": "/v1",
        "project_id": "p-1",
        "token_id": "t-1",
        "status": 200,
        "ended": "complete",
        "duration_ms": 1500.5,
        "first_token_ms": 250.25,
        "attempts": 1,
        "upstream": "main",
        "provider": "openai",
        "upstream_status": 200,
        "upstream_request_id": "req_up",
        "streamed": True,
        "model": "gpt-4o-mini",
        "served_model": "gpt-4o-mini-2024-07-18",
        "input_tokens": 20,
        "cached_input_tokens": 5,
        "output_tokens": 9,
        "reasoning_tokens": 4,
        "usage": ANSWER["usage"],
        "cost": "0.0000123",
        "price_book": "2026-11",
        "user": "ada",
        "session": "s-1",
        "program": "notebook",
        "tags": {"team": "red", "beta": ""},
        "metadata": {"ticket": "7"},
        "content": Content(
            request_body=REQUEST,
            response_body=ANSWER,
            response_headers={"content-type": ["text/event-stream"], "Set-Cookie": ["x=1"]},
            merged=True,
        ),
    }
    return Event(**values | more)


def bare(**more: Any) -> Event:
    """What is known of a call that was refused at once, without content."""
    values: dict[str, Any] = {
        "id": "b" * 32,
        "schema_version": 1,
        "kind": EXCHANGE,
        "time": AT,
        "request_id": "req-2",
        "method": "GET",
        "path": "/v1/models",
        "status": 401,
        "ended": "refused",
        "error_code": "unauthorized",
        "duration_ms": 0.4,
    }
    return Event(**values | more)
