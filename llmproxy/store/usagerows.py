"""Rows of C{usage_records}, and the entries of the ledger that they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter, le
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import String

from ..core.ledger.entry import Counts, Entry, Tried
from ..core.usagesums import COUNTED, MICRO, amount, micros, money_of, whole
from .schema import usage_records

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS: tuple[str, ...] = tuple(usage_records.columns.keys())
"""In the order of L{row_of}."""

LATEST = 253_402_300_799.0
"""The end of the year 9999."""

_LONGEST_TEXT = 60_000
"""Bytes of tags and metadata; MySQL has room for a few more. What is longer is not kept."""

_json = msgspec.json.encode

_UNKNOWN = (None, None)

_BOTH = [name for name in Entry.__struct_fields__ if name in COLUMNS and name != "tried"]
_TEXTS = [name for name in _BOTH if type(usage_records.c[name].type) is String]
_LENGTHS: list[int] = [getattr(usage_records.c[name].type, "length", 0) for name in _TEXTS]
_FLAGS = ("counted", "streamed", "unknown", "estimated", "truncated")
_WHOLE = (*COUNTED, "bytes_in", "bytes_out")
_SMALL = ("status", "attempts")

_TEXTS_OF, _FLAGS_OF = attrgetter(*_TEXTS), attrgetter(*_FLAGS)
_WHOLE_OF, _SMALL_OF = attrgetter(*_WHOLE), attrgetter(*_SMALL)

_MADE = (
    *(*_TEXTS, *_FLAGS, *_WHOLE, *_SMALL),
    *("cost", "cost_rest", "cost_saved", "cost_saved_rest"),
    *("started_at", "ended_at", "duration", "first_byte", "first_token", "audio"),
    *("raw", "saved", "tags", "metadata", "settled_at", "grouped_model", "tried"),
)
"""The columns in the order that L{row_of} makes them in."""

_IN_ORDER = itemgetter(*map(_MADE.index, COLUMNS))


def moment_of(entry: Entry) -> float:
    """When an exchange ended; of one that was cut by the end of its process it is known when it began."""
    return _moment(entry.started_at if entry.ended_at is None else entry.ended_at)


def _moment(at: float) -> float:
    """One that is a date."""
    return max(0.0, min(at, LATEST)) if at == at else 0.0


def clean(text: str, length: int) -> str:
    """What every database can hold, whatever a client has sent: no NUL, no halves of characters, and not too long."""
    if len(text) <= length and text.isprintable():
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:length]


def row_of(entry: Entry, grouped_model: str | None, settled_at: float) -> tuple[Any, ...]:
    """
    The values of L{COLUMNS}, as they are stored.

    @param grouped_model: C{None} where reports have the model under its own name.
    """
    values = (
        *_texts(entry),
        *map(bool, _FLAGS_OF(entry)),
        *map(whole, _WHOLE_OF(entry)),
        *map(_small, _SMALL_OF(entry)),
        *(money_of(entry.cost) or _UNKNOWN),
        *(money_of(entry.cost_saved) or _UNKNOWN),
        micros(_moment(entry.started_at)),
        micros(moment_of(entry)),
        micros(entry.duration) or 0,
        micros(entry.first_byte),
        micros(entry.first_token),
        micros(entry.seconds),
        None if entry.raw is None else _text(entry.raw),
        None if entry.saved is None else _counts(entry.saved),
        _mapping(entry.tags),
        _mapping(entry.metadata),
        micros(settled_at),
        grouped_model,
        _text(_json([msgspec.structs.asdict(each) for each in entry.tried])) if entry.tried else None,
    )
    return _IN_ORDER(values)


def _texts(entry: Entry) -> Iterable[str]:
    texts = _TEXTS_OF(entry)
    # As good as always nothing is to be cleaned; each text by itself takes longer to look at.
    if "".join(texts).isprintable() and all(map(le, map(len, texts), _LENGTHS)):
        return texts
    return map(clean, texts, _LENGTHS)


def entry_of(row: Any) -> Entry:
    """The entry that a row is; moments come as they are stored, in microseconds."""
    values = {name: getattr(row, name) for name in _BOTH}
    for name in ("started_at", "ended_at", "duration", "first_byte", "first_token"):
        values[name] = _seconds(values[name])
    values["seconds"] = _seconds(row.audio)
    for name in _FLAGS:
        values[name] = bool(values[name])
    values["cost"] = _decimal(row.cost, row.cost_rest)
    values["cost_saved"] = _decimal(row.cost_saved, row.cost_saved_rest)
    values["raw"] = None if row.raw is None else row.raw.encode()
    values["saved"] = None if row.saved is None else msgspec.json.decode(row.saved, type=Counts)
    values["tags"], values["metadata"] = _read_mapping(row.tags), _read_mapping(row.metadata)
    # Records of an earlier release have none.
    for name in ("answer_id", "person_id"):
        values[name] = values[name] or ""
    values["tried"] = () if row.tried is None else tuple(Tried(**each) for each in msgspec.json.decode(row.tried))
    return Entry(**values)


def _small(value: int) -> int:
    return max(0, min(value, 2**31 - 1))


def _seconds(value: int | None) -> float | None:
    return None if value is None else value / MICRO


def _decimal(millionths: int | None, rest: int | None) -> str | None:
    return None if millionths is None else format(amount(millionths, rest or 0), "f")


def _counts(saved: Counts) -> str | None:
    return _text(_json(msgspec.structs.replace(saved, served_model=clean(saved.served_model, 255))))


def _text(written: bytes) -> str | None:
    """JSON that has an escape of NUL is no text for PostgreSQL's functions either."""
    text = written.decode("utf-8", "replace")
    return clean(text.replace("\\u0000", ""), _LONGEST_TEXT) if len(written) <= _LONGEST_TEXT else None


def _mapping(values: Mapping[str, str]) -> str | None:
    if not values:
        return None
    return _text(_json({clean(name, 128): clean(value, 255) for name, value in values.items()}))


def _read_mapping(text: str | None) -> dict[str, str]:
    try:
        return {} if text is None else msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {}


def rows_of(entries: Sequence[tuple[Entry, str | None]], settled_at: float) -> list[tuple[Any, ...]]:
    """Rows in the order of their ids."""
    made = [row_of(entry, model, settled_at) for entry, model in entries]
    return sorted(made, key=lambda row: row[0])
