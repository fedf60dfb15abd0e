"""
Answers that can be fetched later and again: the usage of each counts once, whichever process or machine has seen it.

The answer to a request of the background is not made yet: its record notes that it is owed. Each later one that has it
whole brings its usage; the first that is settled counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select, tuple_, update

from ..core.ledger.entry import Counts
from ..core.usagesums import micros
from . import bulk
from .schema import usage_answers
from .usagerows import clean, moment_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

    from ..core.ledger.entry import Entry

KEPT_FOR = 90 * 86_400.0
"""Seconds for which an answer is remembered; OpenAI keeps those of the background for 30 days."""

Key = tuple[str, str]
"""A vendor, or an API whose vendor is not known, and the id of an answer there."""

_NOTHING = dict.fromkeys(name for name in Counts.__struct_fields__ if name != "served_model")
_CHUNK = 200


def counted_once(connection: Connection, entries: Sequence[Entry], now: float) -> list[Entry]:
    """
    The same entries, without the usage of those whose answer was counted already, or is owed to nobody.

    @param entries: that are not in the database yet, and will be in the same transaction.
    @param now: seconds since the epoch.
    """
    lasting = [entry for entry in entries if entry.answer_id]
    if not lasting:
        return list(entries)
    made = {_key(entry) for entry in lasting if not entry.claims}
    bulk.insert_new(connection, usage_answers, sorted((*key, False, micros(now)) for key in made))
    counted = _counted(connection, sorted({_key(entry) for entry in lasting}))
    new, refused = set(), set()
    for entry in sorted((entry for entry in lasting if _is_known(entry)), key=moment_of):
        key = _key(entry)
        if counted.get(key, True):
            refused.add(entry.id)
        else:
            counted[key] = True
            new.add(key)
    for chunk in bulk.chunks(sorted(new), _CHUNK):
        connection.execute(update(usage_answers).where(_among(chunk)).values(counted=True))
    return [_without_usage(entry) if entry.id in refused else entry for entry in entries]


def _key(entry: Entry) -> Key:
    return clean(entry.provider or entry.api, 64), clean(entry.answer_id, 255)


def _is_known(entry: Entry) -> bool:
    return any(getattr(entry, name) is not None for name in ("input_tokens", "output_tokens", "seconds", "images"))


def _without_usage(entry: Entry) -> Entry:
    return msgspec.structs.replace(
        entry, **_NOTHING, unknown=False, estimated=False, truncated=False, raw=None, cost=None, book=""
    )


def _counted(connection: Connection, keys: Sequence[Key]) -> dict[Key, bool]:
    """Of those that are known, whether they were counted; nobody else counts them meanwhile."""
    columns = usage_answers.c
    found: dict[Key, bool] = {}
    for chunk in bulk.chunks(keys, _CHUNK):
        query = select(columns.vendor, columns.id, columns.counted).where(_among(chunk))
        rows = connection.execute(query.order_by(columns.vendor, columns.id).with_for_update())
        found |= {(vendor, id): bool(counted) for vendor, id, counted in rows}
    return found


def _among(keys: Sequence[Key]) -> ColumnElement[bool]:
    return tuple_(usage_answers.c.vendor, usage_answers.c.id).in_(keys)
