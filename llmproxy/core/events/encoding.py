"""The encoding of events: JSON in schema 1, one object, without what says nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from .event import Event
from .legacy import event_of_legacy, is_legacy


def encode(event: Event) -> bytes:
    """One line of JSON, without its end. It never fails: what cannot be written in JSON is written as text."""
    try:
        return _encode(event)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return _encode(_plain(event))


def decode(data: bytes) -> Event:
    """
    The event that L{encode}, or the reference, has written.

    @raise ValueError: it is none, or one of a schema that is not known here.
    """
    try:
        event = _decode(data)
    except msgspec.DecodeError as error:
        if is_legacy(data):
            return event_of_legacy(data)
        raise ValueError(f"not an event: {error}") from None
    except RecursionError:
        raise ValueError("not an event: it is nested too deeply") from None
    if event.schema_version != 1:
        raise ValueError(f"an event of schema {event.schema_version}, and only 1 is known here")
    return event


def _plain(value: Any, depth: int = 0) -> Any:
    """The same as JSON has it, whatever it is."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if depth < _DEEPEST and isinstance(value, msgspec.Struct):
        written = msgspec.structs.asdict(value)
        defaults = _defaults(type(value))
        return {name: _plain(each, depth + 1) for name, each in written.items() if each != defaults.get(name)}
    if depth < _DEEPEST and isinstance(value, dict):
        return {_plain(str(name)): _plain(each, depth + 1) for name, each in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each, depth + 1) for each in value]
    if depth >= _DEEPEST:
        # Its text would be as deep.
        return "nested too deeply"
    return _plain(value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)[:_LONGEST])


def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {each.name: each.default for each in msgspec.structs.fields(kind)}


_DEEPEST = 64
_LONGEST = 1024
_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Event).decode
