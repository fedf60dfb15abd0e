"""
Events as the reference's dispatcher and its log of events write them, so that what reads those goes on.

Read 2026-11-30, of its running. Names are the reference's; values are better where it loses them: a run has the same id
each time, the time of the exchange, its tokens and user, and C{extra} says what else is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..event import Event
from .reading import (
    NO_CONTENT,
    began,
    counts_of,
    ended,
    id_of,
    metadata_of,
    tags_of,
    written,
)

BINARY = "[binary or undecodable data]"
"""What stands for a body that is no text, in the log of events."""

OMITTED = "<binary response omitted>"
"""The same, in what the dispatcher sends."""

NO_PATH = "custom-model-nopath"


def payload_of(event: Event, verbose: bool = False) -> dict[str, Any]:
    """
    What the dispatcher sends of an exchange.

    @param verbose: with the header fields of the answer, where they are kept.
    """
    content = event.content or NO_CONTENT
    about: dict[str, Any] = {
        "method": event.method,
        "path": event.path,
        "status": event.status,
        "duration_ms": int(event.duration_ms),
        "request_id": event.request_id,
    }
    if verbose and content.response_headers:
        about["response_headers"] = content.response_headers
    payload = {
        "type": "llm",
        "event": "start",
        "runId": id_of(event, "run"),
        "timestamp": written(began(event)),
        "input": content.request_body if not content.request_omitted else OMITTED,
        "output": content.response_body if not content.response_omitted else OMITTED,
        "userId": event.user,
        "tokensUsage": counts_of(event),
        "extra": _more(event, about),
        "tags": tags_of(event),
    }
    return {name: value for name, value in payload.items() if value not in (None, "", [], {})} | {
        "metadata": about,
        "log_id": 0,
    }


def helicone_of(event: Event) -> dict[str, Any]:
    """What its plugin sends to Helicone."""
    content = event.content or NO_CONTENT
    provider = event.provider or "openai"
    meta = {"Helicone-Provider": provider, "provider": provider, "Helicone-User-Id": event.user}
    meta |= {"method": event.method, "path": event.path, "request_id": event.request_id}
    request, answer = content.request_body, content.response_body
    response: dict[str, Any] = {"status": event.status, "headers": {}, "json": {}}
    if isinstance(answer, Mapping):
        response["json"] = dict(answer)
    else:
        response["note"] = "response was not JSON; omitted"
    usage = counts_of(event)
    if usage and "usage" not in response["json"]:
        response["json"]["usage"] = {
            "prompt_tokens": usage.get("prompt", 0),
            "completion_tokens": usage.get("completion", 0),
            "total_tokens": sum(usage.values()),
        }
    times = {name: _moment(at) for name, at in (("startTime", began(event)), ("endTime", ended(event)))}
    return {
        "providerRequest": {
            "url": event.path or NO_PATH,
            "json": request if isinstance(request, Mapping) else {},
            "meta": {name: value for name, value in meta.items() if value},
        },
        "providerResponse": response,
        "timing": times,
    }


def log_line_of(event: Event) -> dict[str, Any]:
    """A line of its log of events: names in snake case, bodies as texts, tokens apart."""
    content = event.content or NO_CONTENT
    headers = {
        _snake(name): values for name, values in content.response_headers.items() if name.lower() != "set-cookie"
    }
    answer, usage = content.response_body, event.usage
    if isinstance(answer, Mapping) and isinstance(answer.get("usage"), Mapping):
        usage = usage or dict(answer["usage"])
        if not content.merged:
            answer = {name: value for name, value in answer.items() if name != "usage"}
    line: dict[str, Any] = {
        "request_body": BINARY if content.request_omitted else _text(content.request_body),
        "response_body": BINARY if content.response_omitted else _text(answer),
        "response_headers": headers,
        "token_usage": usage or _tokens(event),
    }
    found = {name: value for name, value in line.items() if value not in (None, {})}
    if content.response_omitted:
        found["response_body_binary"] = True
    found |= {"duration": round(event.duration_ms * 1_000_000), "log_id": 0, "method": event.method}
    return found | {"path": event.path, "request_id": event.request_id, "status": event.status}


def encode_payload(event: Event, verbose: bool = False) -> bytes:
    """One line of what the dispatcher writes to a file."""
    return msgspec.json.encode(payload_of(event, verbose), enc_hook=str)


def encode_log_line(event: Event) -> bytes:
    """One line, its keys in their order."""
    return msgspec.json.encode(log_line_of(event), enc_hook=str, order="sorted")


def _more(event: Event, about: Mapping[str, Any]) -> dict[str, Any]:
    """What no other member of a payload says."""
    known = {"id": event.id, "session": event.session, "cost": event.cost}
    known |= {name: value for name, value in metadata_of(event).items() if name not in about}
    return {name: value for name, value in known.items() if value not in (None, "", 0)}


def _tokens(event: Event) -> dict[str, int]:
    found = counts_of(event)
    names = {"prompt": "prompt_tokens", "completion": "completion_tokens"}
    return {names[name]: count for name, count in found.items()} | (
        {"total_tokens": sum(found.values())} if found else {}
    )


def _text(body: Any) -> str | None:
    """JSON with its keys in their order; a text as it is."""
    if body is None or isinstance(body, str):
        return body or None
    return msgspec.json.encode(body, enc_hook=str, order="sorted").decode()


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("-", "_")).lower()


def _moment(at: Any) -> dict[str, int]:
    return {"seconds": int(at.timestamp()), "milliseconds": at.microsecond // 1000}
