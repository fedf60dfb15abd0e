"""Anthropic's shapes, as its API reference shows them (docs.anthropic.com/en/api/messages)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .events import event
from .words import all_texts, answer, identity, last_user_text, pieces, words


def error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def message(body: dict[str, Any]) -> dict[str, Any]:
    text = answer(last_user_text(body["messages"]))
    return {
        "id": identity("msg_", json.dumps(body["messages"])),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": words(all_texts(body["messages"])), "output_tokens": words([text])},
    }


def message_events(body: dict[str, Any]) -> Iterator[bytes]:
    """The stream of the same message; its output is counted at the end."""
    whole = message(body)
    usage = whole["usage"]
    started = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 0}}

    def named(kind: str, **data: Any) -> bytes:
        return event({"type": kind, **data}, kind)

    yield named("message_start", message=started)
    yield named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield named("ping")
    for piece in pieces(whole["content"][0]["text"]):
        yield named("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield named("content_block_stop", index=0)
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield named("message_delta", delta=ended, usage={"output_tokens": usage["output_tokens"]})
    yield named("message_stop")
