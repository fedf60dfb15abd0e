"""
One thing that was done or refused.

Every text of a record is bounded and printable when the record is made: what a client sends can neither make
a database refuse the row nor end a line of the file, and is the same wherever the record is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from attrs import field, fields, frozen

from ..masking import Masking
from .encoding import encode

OUTCOMES = ("success", "failure", "denied", "error")

BOUNDS: dict[str, int] = {
    "id": 64,
    "action": 64,
    "actor": 191,
    "outcome": 16,
    "project_id": 64,
    "request_id": 191,
    "correlation_id": 191,
    "client_ip": 45,
    "method": 32,
    "path": 2048,
    "user_agent": 512,
    "reason": 1024,
    "token_id": 64,
}
"""Characters, by field: the widths of the columns, and what is left of the endless ones."""

MARK = "…"
"""The end of a text that was longer."""

MAX_DETAILS = 16 * 1024
"""Bytes of all details together, encoded."""

_MAX_TEXT = 1024
_MAX_ITEMS = 100
_MAX_DEPTH = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@frozen
class AuditRecord:
    """
    @ivar id: unique among all records.
    @ivar timestamp: microseconds since the epoch.
    @ivar action: C{project.create}, for example.
    @ivar actor: who did it; C{anonymous} for one who was not let in, C{system} for the proxy itself.
    @ivar outcome: one of L{OUTCOMES}.
    @ivar reason: why it was refused, or failed.
    @ivar details: what else there is to know, JSON values; no secrets.
    """

    id: str
    timestamp: int
    action: str
    actor: str
    outcome: str
    project_id: str = ""
    request_id: str = ""
    correlation_id: str = ""
    client_ip: str = ""
    method: str = ""
    path: str = ""
    user_agent: str = ""
    reason: str = ""
    token_id: str = ""
    details: Mapping[str, Any] = field(factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON has it: the time as RFC 3339 in UTC, and nothing that says nothing."""
        values = {name: getattr(self, name) for name in _NAMES}
        return {name: value for name, value in values.items() if value} | {"timestamp": rfc3339(self.timestamp)}

    @classmethod
    def of_plain(cls, values: Mapping[str, Any]) -> AuditRecord:
        """
        The record that L{plain} has written.

        @raise ValueError: it was not.
        """
        try:
            return cls(**{**values, "timestamp": microseconds(values["timestamp"])})
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"not a record: {error}") from None


_NAMES = tuple(each.name for each in fields(AuditRecord))

_RENAMED = {"http_method": "method", "endpoint": "path"}
"""What the details of a call are named, where the record has another name."""


def audit_record(
    record_id: str,
    now: float,
    action: str,
    actor: str,
    outcome: str,
    details: Mapping[str, Any],
    masking: Masking,
) -> AuditRecord:
    """
    A record of what was noted.

    @param now: seconds since the epoch.
    @param details: those that a record has a field for become it; C{error} becomes the reason where no other
        is given.
    """
    rest = {_RENAMED.get(name, name): value for name, value in details.items() if value is not None}
    if not rest.get("reason") and "error" in rest:
        rest["reason"] = rest.pop("error")
    known = {name: rest.pop(name, "") for name in _NAMES if name not in ("id", "timestamp", "details")}
    known |= {"action": action or "unknown", "actor": actor or "unknown"}
    known["outcome"] = outcome if outcome in OUTCOMES else "error"
    texts = {name: bounded(masking.text(str(value)), BOUNDS[name]) for name, value in known.items()}
    return AuditRecord(record_id, round(now * 1_000_000), **texts, details=_details(masking.values(rest)))


def bounded(text: str, most: int) -> str:
    """At most C{most} printable characters; a longer text ends with L{MARK}."""
    # Cut first: what is not printable becomes up to ten characters.
    plain = printable(text[: most + 1])
    return plain if len(plain) <= most else plain[: most - len(MARK)] + MARK


def printable(text: str) -> str:
    """Control characters, surrogates and their like written as what they are: one line, in any encoding."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def rfc3339(moment: int) -> str:
    """Microseconds since the epoch, as text."""
    when = _EPOCH + timedelta(microseconds=moment)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond:06}Z"


def microseconds(text: str) -> int:
    """
    The moment of an RFC 3339 time, exactly.

    @raise ValueError: it is none, or says nothing of its offset from UTC.
    """
    try:
        # Python 3.10's fromisoformat knows no Z, and fractions of three or six digits only.
        when = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise ValueError("expected a time, such as 2026-01-31T12:00:00Z") from None
    if when.tzinfo is None:
        raise ValueError("expected a time with its offset from UTC, such as 2026-01-31T12:00:00Z")
    return (when - _EPOCH) // timedelta(microseconds=1)


def _details(values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = _plain(values, 0)
    size = len(encode(kept))
    if size <= MAX_DETAILS:
        return kept
    return {"truncated": True, "bytes": size, "names": [bounded(str(name), 64) for name in list(kept)[:_MAX_ITEMS]]}


def _plain(value: Any, depth: int) -> Any:
    """A JSON value, not too long, wide or deep."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        pairs = list(value.items())[:_MAX_ITEMS]
        return {bounded(str(name), 64): _plain(each, depth + 1) for name, each in pairs}
    if depth < _MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each, depth + 1) for each in list(value)[:_MAX_ITEMS]]
    return bounded(value.isoformat() if isinstance(value, datetime) else str(value), _MAX_TEXT)
