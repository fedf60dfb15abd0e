"""Exchanges that run, as those who look after the proxy see them: plain values, which go between processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..record import Record

MOST = 500
"""Exchanges of one process that are shown, those that run longest; all are counted."""


def running_of(
    exchanges: Iterable[tuple[Record, float]], now: float, most: int = MOST, *, person: str = "", session: str = ""
) -> dict[str, Any]:
    """
    The oldest exchanges, and how many there are.

    @param exchanges: each with when it began, by the clock of C{now}.
    @param person: only those of this person, by id; C{""} is those of all.
    @param session: only those that belong to what a program calls so; likewise.
    """
    wanted = (each for each in exchanges if _is_of(each[0], person, session))
    found = sorted(wanted, key=lambda each: each[1])
    return {"total": len(found), "exchanges": [_shown(record, now - since) for record, since in found[:most]]}


def _is_of(record: Record, person: str, session: str) -> bool:
    return (not person or record.person_id == person) and (not session or _session(record) == session)


def _session(record: Record) -> str:
    return "" if record.attribution is None else record.attribution.session


def _shown(record: Record, age: float) -> dict[str, Any]:
    return {
        "id": record.request_id,
        "age": round(age, 3),
        "api": record.api,
        "upstream": record.upstream,
        "endpoint": record.endpoint,
        "method": record.method,
        "model": record.served or record.model,
        "project_id": record.project_id,
        "token_id": record.token_id,
        "person_id": record.person_id,
        "session": _session(record),
        "client": record.client,
        "status": record.status or None,
        "streamed": record.streamed,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "attempts": record.attempts,
    }


def together(parts: Iterable[dict[str, Any]], most: int = MOST) -> dict[str, Any]:
    """What several processes say, as one; those that run longest first."""
    known = list(parts)
    found = sorted((each for part in known for each in part["exchanges"]), key=lambda each: -each["age"])
    return {"total": sum(part["total"] for part in known), "exchanges": found[:most]}
