"""OpenAI's shapes, as its API reference shows them (platform.openai.com/docs/api-reference)."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

from .events import event
from .words import DIMENSIONS, all_texts, answer, embedding, identity, last_user_text, pieces, text_of, words

CREATED = 1_700_000_000
"""The time of everything: answers to the same request are the same bytes."""

MODELS = ("demo", "demo-embedding", "gpt-4o-mini", "gpt-4o", "text-embedding-3-small")


def error(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "llmproxy-demo"}


def models() -> dict[str, Any]:
    return {"object": "list", "data": [model(name) for name in MODELS]}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _chat(body: dict[str, Any]) -> tuple[str, str, dict[str, int]]:
    """Id, text and usage of an answer."""
    text = answer(last_user_text(body["messages"]))
    usage = _usage(words(all_texts(body["messages"])), words([text]))
    return identity("chatcmpl-", json.dumps(body["messages"])), text, usage


def chat_completion(body: dict[str, Any]) -> dict[str, Any]:
    name, text, usage = _chat(body)
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": name,
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
    }


def chat_events(body: dict[str, Any]) -> Iterator[bytes]:
    """The stream of the same answer; usage comes last, and only where C{stream_options} asks for it."""
    name, text, usage = _chat(body)
    asked = (body.get("stream_options") or {}).get("include_usage") is True
    base = {"id": name, "object": "chat.completion.chunk", "created": CREATED, "model": body["model"]}
    if asked:
        base["usage"] = None

    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        return event(base | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(text):
        yield chunk({"content": piece})
    yield chunk({}, "stop")
    if asked:
        yield event(base | {"choices": [], "usage": usage})
    yield event("[DONE]")


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """One vector for each input, as numbers or as base64 of 32 bit floats."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    dimensions = body.get("dimensions") or DIMENSIONS
    data = []
    for index, text in enumerate(map(str, texts)):
        vector: Any = embedding(text, dimensions)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    count = words(map(str, texts))
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def file_object(name: str, purpose: str, content: bytes) -> dict[str, Any]:
    return {
        "id": "file-" + hashlib.sha256(content).hexdigest()[:24],
        "object": "file",
        "bytes": len(content),
        "created_at": CREATED,
        "filename": name,
        "purpose": purpose,
        "status": "processed",
    }


def response(body: dict[str, Any]) -> dict[str, Any]:
    """The Responses API, for plain text."""
    messages = (
        body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": text_of(body["input"])}]
    )
    text = answer(last_user_text(messages))
    name = identity("resp_", json.dumps(messages))
    prompt, completion = words(all_texts(messages)), words([text])
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "id": name,
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "model": body["model"],
        "output": [
            {"type": "message", "id": f"msg_{name[5:]}", "status": "completed", "role": "assistant", "content": content}
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + completion,
        },
    }
