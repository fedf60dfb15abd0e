"""Forms of tokens: expiry in words, requests in all, metadata as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.units import parse_duration
from .limitforms import stated, ungrouped
from .problems import WHOLE_NUMBER, Problems
from .visit import Form

DURATIONS = (
    (5, "5 minutes"),
    (15, "15 minutes"),
    (60, "1 hour"),
    (360, "6 hours"),
    (1440, "1 day"),
    (10_080, "7 days"),
    (43_200, "30 days"),
    (129_600, "90 days"),
    (259_200, "180 days"),
    (525_600, "1 year"),
)
"""Minutes, and their words; a year is the most that there is."""

DEFAULT = 43_200
OTHER = "other"

OVERLAPS = ((0, "at once"), (300, "in 5 minutes"), (3600, "in 1 hour"), (86_400, "in 1 day"), (604_800, "in 7 days"))
"""Seconds until the secret of before ends."""


def body_of(form: Form, problems: Problems) -> dict[str, Any]:
    """
    What is asked of the API for a new token.

    @param problems: gets what can be said here already.
    """
    body: dict[str, Any] = {"duration_minutes": minutes_of(form, problems), **stated(form)}
    if name := form.text("name"):
        body["name"] = name
    if (most := number_of(form, "max_requests", problems)) is not None:
        body["max_requests"] = most
    if metadata := metadata_of(form, problems):
        body["metadata"] = metadata
    return body


def minutes_of(form: Form, problems: Problems) -> int:
    """How long a token is good; of another duration than those that can be chosen, at least a minute."""
    chosen = form.text("duration")
    if chosen and chosen != OTHER:
        return int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 10 else 0
    text = form.text("duration_other")
    try:
        seconds = parse_duration(text)
    except ValueError:
        problems["duration_other"] = "Expected a duration such as 90m, 12h or 45d."
        return 0
    if not 60 <= seconds <= 525_600 * 60:
        problems["duration_other"] = "Expected a minute at least, and a year (365d) at most."
        return 0
    return round(seconds / 60)


def number_of(form: Form, name: str, problems: Problems) -> int | None:
    """A whole number, C{None} where the field is empty."""
    text = ungrouped(form.text(name))
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 16:
        problems[name] = WHOLE_NUMBER
        return None
    return int(text)


def metadata_of(form: Form, problems: Problems) -> dict[str, str]:
    """Names and values, one a line."""
    found: dict[str, str] = {}
    for line in form.text("metadata").splitlines():
        name, separator, value = line.partition("=")
        if not line.strip():
            continue
        if not separator or not name.strip():
            problems["metadata"] = "Expected lines such as team = search."
            return {}
        found[name.strip()] = value.strip()
    return found


def metadata_text(metadata: Mapping[str, str]) -> str:
    """The same the other way round."""
    return "\n".join(f"{name} = {value}" for name, value in metadata.items())
