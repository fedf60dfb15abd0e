"""Rows of C{usage_records}, and the entries of the ledger that they are."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter, le
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import String

from ..core.ledger.entry import Counts, Entry, Tried
from ..core.usagesums import COUNTED, HIT, MICRO, MOST, amount, micros, money_of, whole
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
_TEXTS = [name for name in COLUMNS if name in _BOTH and type(usage_records.c[name].type) is String]
_LENGTHS: list[int] = [getattr(usage_records.c[name].type, "length", 0) for name in _TEXTS]
_FLAGS = ("counted", "streamed", "unknown", "estimated", "truncated")
_WHOLE = (*COUNTED, "bytes_in", "bytes_out")

AT = {name: at for at, name in enumerate(COLUMNS)}
"""Where a column stands in a row."""

_IN_ENTRY = {name: at for at, name in enumerate(Entry.__struct_fields__)}
_PICKED = itemgetter(*(_IN_ENTRY.get("seconds" if name == "audio" else name, 0) for name in COLUMNS))
_TEXTS_AT, _WHOLE_AT = [AT[name] for name in _TEXTS], [AT[name] for name in _WHOLE]
_TEXTS_OF, _WHOLE_OF = itemgetter(*_TEXTS_AT), itemgetter(*_WHOLE_AT)
_STARTED, _ENDED, _SETTLED = AT["started_at"], AT["ended_at"], AT["settled_at"]
_DURATION, _FIRST_BYTE, _FIRST_TOKEN, _AUDIO = (AT[n] for n in ("duration", "first_byte", "first_token", "audio"))
_STATUS, _ATTEMPTS, _GROUPED = AT["status"], AT["attempts"], AT["grouped_model"]
_COST, _COST_REST, _SAVED, _SAVED_REST = (AT[n] for n in ("cost", "cost_rest", "cost_saved", "cost_saved_rest"))
_COUNTED_IN = itemgetter(*(AT[name] for name in COUNTED))
_INPUT, _OUTPUT, _IMAGES = AT["input_tokens"], AT["output_tokens"], AT["images"]
_ENDING, _CACHE, _UNKNOWN_AT = AT["ending"], AT["cache"], AT["unknown"]
_ESTIMATED, _TRUNCATED = AT["estimated"], AT["truncated"]
_RAW, _SAVED_COUNTS, _TAGS, _METADATA, _TRIED = (AT[n] for n in ("raw", "saved", "tags", "metadata", "tried"))


def moment_of(entry: Entry) -> float:
    """When an exchange ended; of one that was cut by the end of its process it is known when it began."""
    return _moment(entry.started_at if entry.ended_at is None else entry.ended_at)


def _moment(at: float) -> float:
    """One that is a date."""
    if 0.0 <= at <= LATEST:
        return at
    return LATEST if at > LATEST else 0.0


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
    # Most values are stored as they are: the others are put over them, in place of a call for each.
    row: list[Any] = [*_PICKED(msgspec.structs.astuple(entry))]
    texts = _TEXTS_OF(row)
    # As good as always nothing is to be cleaned; each text by itself takes longer to look at.
    if not ("".join(texts).isprintable() and all(map(le, map(len, texts), _LENGTHS))):
        for at, text, length in zip(_TEXTS_AT, texts, _LENGTHS, strict=True):
            row[at] = clean(text, length)
    for at, value in zip(_WHOLE_AT, _WHOLE_OF(row), strict=True):
        if value is not None and not 0 <= value <= MOST:
            row[at] = whole(value)
    row[_STATUS], row[_ATTEMPTS] = _small(entry.status), _small(entry.attempts)
    row[_COST], row[_COST_REST] = money_of(entry.cost) or _UNKNOWN
    row[_SAVED], row[_SAVED_REST] = money_of(entry.cost_saved) or _UNKNOWN
    row[_STARTED] = micros(_moment(entry.started_at))
    row[_ENDED] = micros(moment_of(entry))
    row[_SETTLED] = micros(settled_at)
    row[_DURATION] = micros(entry.duration) or 0
    row[_FIRST_BYTE], row[_FIRST_TOKEN] = micros(entry.first_byte), micros(entry.first_token)
    row[_AUDIO] = micros(entry.seconds)
    row[_GROUPED] = grouped_model
    if entry.raw is not None:
        row[_RAW] = _text(entry.raw)
    if entry.saved is not None:
        row[_SAVED_COUNTS] = _counts(entry.saved)
    row[_TAGS] = _mapping(entry.tags) if entry.tags else None
    row[_METADATA] = _mapping(entry.metadata) if entry.metadata else None
    row[_TRIED] = _text(_json([msgspec.structs.asdict(each) for each in entry.tried])) if entry.tried else None
    return tuple(row)


def numbers_in(row: Sequence[Any]) -> tuple[int, ...]:
    """
    What an exchange adds, as L{llmproxy.core.usagesums.numbers_of} has it.

    @param row: of L{row_of}.
    """
    cost, audio = row[_COST], row[_AUDIO]
    priced = cost is not None or row[_INPUT] is row[_OUTPUT] is row[_IMAGES] is audio is None
    return (
        1,
        1 if row[_STATUS] >= 400 or row[_ENDING] != "complete" else 0,
        *[value or 0 for value in _COUNTED_IN(row)],
        audio or 0,
        cost or 0,
        row[_COST_REST] or 0,
        1 if row[_CACHE] == HIT else 0,
        row[_SAVED] or 0,
        row[_SAVED_REST] or 0,
        1 if row[_UNKNOWN_AT] else 0,
        1 if row[_ESTIMATED] else 0,
        1 if row[_TRUNCATED] else 0,
        0 if priced else 1,
    )


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
    return value if 0 <= value < 2**31 else 0 if value < 0 else 2**31 - 1


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
