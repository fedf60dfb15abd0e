"""
Lunary: the beginning and the end of a run for each exchange.

By U{https://docs.lunary.ai/api/runs/ingest-run-events}, U{https://docs.lunary.ai/integrations/custom} and what
C{packages/backend/src/api/v1/runs/ingest.ts} of lunary-ai/lunary reads, all read 2026-11-30: C{POST /v1/runs/ingest}
with C{{"events": [...]}} and a Bearer key; an answer that tells of each event. A second beginning of a run is refused
there, so that what is sent again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..event import Event
from .answers import NOT_UNDERSTOOD, Judgement, judge_items, reason
from .reading import (
    began,
    counts_of,
    ended,
    failure_of,
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

URL = "https://api.lunary.ai/v1/runs/ingest"

MOST_BYTES = 4_000_000
"""Of a request: its server reads 5 MB."""

_THERE = re.compile("already exists|duplicate key", re.IGNORECASE)
"""What is said of a run that was sent before."""

_PASSING = re.compile(
    "time.?out|timed out|connection|deadlock|unavailable|too many|rate limit|temporar"
    "|project.{0,80}(?:does not exist|not found)",
    re.IGNORECASE,
)
"""Words of failures that are not the event's."""


def events_of(event: Event) -> list[dict[str, Any]]:
    """The two events of an exchange, the second C{end} or C{error}; the run has an id that is the same each time."""
    run: dict[str, Any] = {
        "type": "llm" if is_model_call(event) else "tool",
        "runId": id_of(event, "run"),
        "name": _name(event),
    }
    start = run | {
        "event": "start",
        "timestamp": written(began(event)),
        "input": input_of(event),
        "extra": parameters_of(event),
        "tags": tags_of(event),
        "userId": event.user,
        "metadata": metadata_of(event) | _without_nothing({"session": event.session}),
    }
    return [_without_nothing(start), _without_nothing(run | _end(event))]


def encode_events(event: Event) -> bytes:
    """The two events of an exchange as they stand in a request, with a comma between."""
    return msgspec.json.encode(events_of(event), enc_hook=str)[1:-1]


def body_of(items: Sequence[bytes]) -> bytes:
    """The body of a request with what L{encode_events} made of some events."""
    return b'{"events":[%b]}' % b",".join(items)


def judge(events: Sequence[Event], body: bytes) -> Judgement:
    """
    What an answer says of each event, in their order.

    One without C{results} does not tell, and has taken all. One that is cut short is as good as none: what is sent
    again changes nothing.
    """
    try:
        answer = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return Judgement(NOT_UNDERSTOOD)
    try:
        failed = {each["id"]: str(each.get("error")) for each in answer["results"] if each.get("success") is False}
    except (KeyError, TypeError, AttributeError):
        return Judgement()
    return judge_items([_failed(failed.get(id_of(event, "run"))) for event in events])


def _failed(why: str | None) -> tuple[bool, str] | None:
    if why is None or _THERE.search(why):
        return None
    return bool(_PASSING.search(why)), reason("refused", why)


def _name(event: Event) -> str:
    return (model_of(event) if is_model_call(event) else "") or name_of(event)


def _end(event: Event) -> dict[str, Any]:
    failure = failure_of(event)
    said = {
        "timestamp": written(ended(event)),
        "tokensUsage": _tokens(event),
        "output": output_of(event),
        "metadata": _without_nothing({"cost": event.cost}),
    }
    if failure:
        return said | {"event": "error", "error": {"message": failure}}
    return said | {"event": "end"}


def _tokens(event: Event) -> dict[str, int]:
    found = counts_of(event)
    if found and event.cached_input_tokens:
        found["promptCached"] = event.cached_input_tokens
    return found


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
