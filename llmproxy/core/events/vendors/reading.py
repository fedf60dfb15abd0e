"""Facts of an event that all vendors have a word for: moments, texts, tags, ids."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ..event import EXCHANGE, Content, Event

NAMESPACE = uuid.UUID("6f1a3c0e-8f0b-5d0e-9a39-7f3d1b2c4e55")
"""Of the ids that are made of those of events; ours, and never another."""

NO_CONTENT = Content()

_METADATA = (
    *(
        "request_id",
        "part_of",
        "api",
        "endpoint",
        "project_id",
        "token_id",
        "person_id",
        "method",
        "path",
        "status",
        "ended",
    ),
    *("error_code", "cause", "cache", "streamed", "upstream", "provider", "upstream_status", "upstream_request_id"),
    *("attempts", "client", "user_agent", "program", "model", "upstream_model", "served_model", "estimated"),
    *("truncated", "duration_ms", "first_token_ms", "cost_saved", "price_book"),
)
"""Fields of an event that have no place of their own elsewhere."""

_ALWAYS = ("request_id", "method", "path", "status")


def is_exchange(event: Event) -> bool:
    """Whether it tells of an exchange; vendors of traces have no word for what else happens."""
    return event.kind == EXCHANGE


def is_model_call(event: Event) -> bool:
    """Whether a model was asked something, as far as the exchange shows that."""
    return event.method == "POST" or bool(event.model) or event.input_tokens is not None


def id_of(event: Event, part: str) -> str:
    """A UUID for a part of an event: the same whenever it is made."""
    return str(uuid.uuid5(NAMESPACE, f"{part}:{event.id}"))


def began(event: Event) -> datetime:
    """When the exchange began, with its zone."""
    return event.time if event.time.tzinfo is not None else event.time.replace(tzinfo=timezone.utc)


def ended(event: Event) -> datetime:
    """When the last of its answer was sent."""
    return began(event) + timedelta(milliseconds=max(0.0, event.duration_ms))


def first_token(event: Event) -> datetime | None:
    """When the first content of a stream came, as well as that is known."""
    if event.first_token_ms is None:
        return None
    return began(event) + timedelta(milliseconds=max(0.0, event.first_token_ms))


def written(moment: datetime) -> str:
    """ISO 8601 in UTC, to the microsecond, as JavaScript reads it too."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def model_of(event: Event) -> str:
    """The model that answered, else the one that was asked for."""
    return event.served_model or event.upstream_model or event.model


def name_of(event: Event) -> str:
    """A name that groups exchanges of a kind: where they went."""
    return f"{event.method} {event.path}" if event.method else event.path or event.kind


def failure_of(event: Event) -> str:
    """What went wrong, in a few words; C{""} where nothing did."""
    if event.status < 400 and event.ended in ("complete", ""):
        return ""
    words = [
        f"status {event.status}" if event.status else "no answer",
        event.ended if event.ended != "complete" else "",
    ]
    return ", ".join(word for word in (*words, event.error_code, event.cause) if word)


def tags_of(event: Event) -> list[str]:
    """Its tags as texts, C{name:value}."""
    return [f"{name}:{value}" if value else name for name, value in event.tags.items()]


def metadata_of(event: Event) -> dict[str, Any]:
    """What an event says beside, as a flat object: what the program said itself, then what we know."""
    found: dict[str, Any] = dict(event.metadata)
    for name in _METADATA:
        value = getattr(event, name)
        if value or (name in _ALWAYS and value != ""):
            found[name] = value
    content = event.content or NO_CONTENT
    for name in ("request_omitted", "response_omitted", "request_truncated", "response_truncated"):
        if getattr(content, name):
            found[name] = getattr(content, name)
    return found


def parameters_of(event: Event) -> dict[str, Any]:
    """What a model was asked with, beside what was said: C{temperature}, C{max_tokens}, tools and the like."""
    body = (event.content or NO_CONTENT).request_body
    if not isinstance(body, Mapping):
        return {}
    return {name: value for name, value in body.items() if name not in _SAID and value is not None}


def input_of(event: Event) -> Any:
    """What the model was asked: messages, where there are some, else the request as it was; C{None} where not kept."""
    body = (event.content or NO_CONTENT).request_body
    if not isinstance(body, Mapping):
        return body
    said = {name: body[name] for name in _ASKED if body.get(name) is not None}
    if not said:
        return body
    return next(iter(said.values())) if len(said) == 1 else said


def output_of(event: Event) -> Any:
    """What it answered: the one message of a chat, else the answer as it was; C{None} where not kept."""
    body = (event.content or NO_CONTENT).response_body
    if not isinstance(body, Mapping):
        return body
    choices = body.get("choices")
    if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], Mapping):
        message = choices[0].get("message")
        if isinstance(message, Mapping):
            return message
    return body


def counts_of(event: Event) -> dict[str, int]:
    """Tokens that went in and came out, where both or one of them were counted."""
    found = {"prompt": event.input_tokens, "completion": event.output_tokens}
    return {name: value for name, value in found.items() if value is not None}


_ASKED = ("system", "systemInstruction", "instructions", "messages", "input", "prompt", "contents")
"""Members of requests that say what is asked, in whichever API."""

_SAID = {*_ASKED, "model", "stream"}
"""Those that are no parameters."""
