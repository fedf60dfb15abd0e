"""
Langfuse: a trace and an observation for each exchange, by its ingestion API.

By C{fern/apis/server/definition/ingestion.yml} of langfuse/langfuse and
U{https://langfuse.com/docs/model-usage-and-cost}, read 2026-11-30: C{POST /api/public/ingestion} with Basic
authentication, batches of at most 3.5 MB, an answer 207 that tells of each item. An item with an id that Langfuse has
seen is not taken twice, and a trace or observation with an id that is there is updated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ..event import Event
from .answers import NOT_UNDERSTOOD, Judgement, judge_items, reason
from .reading import (
    began,
    ended,
    failure_of,
    first_token,
    id_of,
    input_of,
    is_model_call,
    metadata_of,
    model_of,
    name_of,
    output_of,
    parameters_of,
    tags_of,
    written,
)

PATH = "/api/public/ingestion"

MOST_BYTES = 3_400_000
"""Of a request; Langfuse takes 3.5 MB."""

LONGEST_WORD = 200
"""Characters of a user, a session, a tag: Langfuse refuses, or leaves out, what is longer."""

_PASSING = frozenset({408, 425, 429})


def items_of(event: Event, environment: str = "", release: str = "") -> list[dict[str, Any]]:
    """The items of an exchange: its trace, and its observation, with ids that are the same each time."""
    at = written(began(event))
    trace, observation = trace_id(event), id_of(event, "observation")
    kind = "generation-create" if is_model_call(event) else "span-create"
    body = _observation(event) | _without_nothing({"id": observation, "traceId": trace, "environment": environment})
    outside = _trace(event) | _without_nothing({"id": trace, "environment": environment, "release": release})
    return [
        {"id": id_of(event, "trace-create"), "type": "trace-create", "timestamp": at, "body": outside},
        {"id": id_of(event, kind), "type": kind, "timestamp": at, "body": body},
    ]


def trace_id(event: Event) -> str:
    """That of the client's own trace where it has one, so that its exchanges stand together."""
    return event.trace_id or id_of(event, "trace").replace("-", "")


def encode_items(event: Event, environment: str = "", release: str = "") -> bytes:
    """The items of an event as they stand in a request, two of them with a comma between."""
    return msgspec.json.encode(items_of(event, environment, release), enc_hook=str)[1:-1]


def body_of(items: Sequence[bytes]) -> bytes:
    """The body of a request with the items of some events."""
    return b'{"batch":[%b],"metadata":{"sdk_name":"llmproxy"}}' % b",".join(items)


def judge(events: Sequence[Event], body: bytes) -> Judgement:
    """
    What an answer says of each event, in their order.

    An item that is refused for what it is (4xx) is refused for good; 408, 425, 429 and 5xx may pass. Where the answer
    says nothing of an item, it was taken. One that is cut short is as good as none: what is sent again changes nothing.
    """
    try:
        answer = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return Judgement(NOT_UNDERSTOOD)
    try:
        found = {each["id"]: each for each in answer["errors"]}
    except (KeyError, TypeError):
        return Judgement()
    return judge_items([_worst(event, found) for event in events])


def usage_details(event: Event) -> dict[str, int]:
    """
    Tokens by kind, none of them in two kinds: Langfuse adds up all that say C{input}, and prices each kind.

    The kinds are those that its own prices know.
    """
    parts = {
        "input_cache_read": event.cached_input_tokens,
        "input_cache_creation": event.cache_write_tokens,
        "input_audio_tokens": event.audio_input_tokens,
    }
    made = {"output_reasoning_tokens": event.reasoning_tokens, "output_audio_tokens": event.audio_output_tokens}
    found: dict[str, int] = {}
    for name, whole, of_it in (("input", event.input_tokens, parts), ("output", event.output_tokens, made)):
        if whole is not None:
            counted = {kind: count for kind, count in of_it.items() if count}
            found |= {name: max(0, whole - sum(counted.values()))} | counted
    if found:
        found["total"] = (event.input_tokens or 0) + (event.output_tokens or 0)
    return found


def cost_details(event: Event) -> dict[str, float]:
    """USD; nothing where we know no price, and Langfuse may know one."""
    try:
        return {} if event.cost is None else {"total": float(Decimal(event.cost))}
    except InvalidOperation:
        return {}


def _trace(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = {
        "userId": event.user[:LONGEST_WORD],
        "sessionId": event.session[:LONGEST_WORD],
        "tags": [tag[:LONGEST_WORD] for tag in tags_of(event)],
    }
    if not event.parent_span_id:
        # Else the trace is the client's, who names it and says what goes in.
        body |= {
            "timestamp": written(began(event)),
            "name": name_of(event),
            "input": input_of(event),
            "output": output_of(event),
            "metadata": metadata_of(event),
        }
    return _without_nothing(body)


def _observation(event: Event) -> dict[str, Any]:
    failure, token = failure_of(event), first_token(event)
    body: dict[str, Any] = {
        "name": name_of(event),
        "startTime": written(began(event)),
        "endTime": written(ended(event)),
        "input": input_of(event),
        "output": output_of(event),
        "level": _level(event, failure),
        "statusMessage": failure,
        "metadata": metadata_of(event),
    }
    if is_model_call(event):
        body |= {
            "completionStartTime": None if token is None else written(token),
            "model": model_of(event),
            "modelParameters": _parameters(event),
            "usageDetails": usage_details(event),
            "costDetails": cost_details(event),
        }
    return _without_nothing(body)


def _level(event: Event, failure: str) -> str:
    if not failure:
        return "DEFAULT"
    return "WARNING" if event.ended == "client_left" and event.status < 400 else "ERROR"


def _parameters(event: Event) -> dict[str, Any]:
    """Texts, numbers, booleans and lists of texts, as C{MapValue} has them; all else is written in JSON."""
    found: dict[str, Any] = {}
    for name, value in parameters_of(event).items():
        texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
        plain = isinstance(value, (str, int, float, bool)) or texts
        found[name] = value if plain else msgspec.json.encode(value, enc_hook=str).decode()
    return found


def _worst(event: Event, errors: Mapping[Any, Any]) -> tuple[bool, str] | None:
    """Whether it may pass, and why it failed; C{None} if it did not."""
    kind = "generation-create" if is_model_call(event) else "span-create"
    failed = [errors[one] for one in (id_of(event, "trace-create"), id_of(event, kind)) if one in errors]
    if not failed:
        return None
    statuses = [each.get("status") if isinstance(each, Mapping) else None for each in failed]
    passing = not any(isinstance(each, int) and 400 <= each < 500 and each not in _PASSING for each in statuses)
    first = failed[0] if isinstance(failed[0], Mapping) else {}
    return passing, reason(f"status {statuses[0]}", first.get("message"), first.get("error"))


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
