"""The events of a run: which number is what."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from llmproxy.core.events import EXCHANGE, SCHEMA_VERSION, Content, Event

POISON = "/poison"
"""The path of those that the receiver refuses."""

DEADLY = "/deadly"
"""The path of those that end each dispatcher which has them."""

_BEGAN = datetime(2026, 11, 30, tzinfo=timezone.utc)


def numbered(number: int, path: str = "/v1/chat/completions") -> Event:
    """An event that is the same whenever it is made."""
    return Event(
        id=id_of(number),
        schema_version=SCHEMA_VERSION,
        kind=EXCHANGE,
        time=_BEGAN + timedelta(milliseconds=number),
        request_id=f"r-{number}",
        method="POST",
        path=path,
        api="openai",
        status=200,
        ended="complete",
        duration_ms=float(number % 1000),
        model="gpt-5",
        input_tokens=number % 97,
        content=Content(request_body={"n": number}) if number % 10 == 0 else None,
    )


def id_of(number: int) -> str:
    return f"{number:032x}"
