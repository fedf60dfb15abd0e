"""The formats in which sinks write events: schema 1, or one of the reference's three."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..core.events.encoding import encode
from ..core.events.legacy import encode_legacy, has_legacy

if TYPE_CHECKING:
    from ..core.events import Event
    from .sinksettings import SinkSettings

Lines = Callable[[Sequence["Event"]], "list[bytes]"]
"""The JSON of events; those that the format has not are left out."""


SCHEMAS = ("1", "legacy", "legacy-log", "legacy-dispatcher")
"""
Ours; then the reference's: what it publishes on its bus, the lines of its log of events (C{FILE_EVENT_LOG}), and those
of its dispatcher.
"""


def lines_of(read: SinkSettings) -> Lines:
    """By the setting C{schema}, see L{SCHEMAS}; with C{verbose} a dispatcher's lines have header fields of answers."""
    schema = read.one_of("schema", "1", *SCHEMAS)
    verbose = read.flag("verbose", False) if schema == "legacy-dispatcher" else False
    if schema in ("1", "legacy"):
        return _legacy if schema == "legacy" else _ours
    from ..core.events.vendors import reference

    encode_line = reference.encode_log_line
    if schema == "legacy-dispatcher":
        encode_line = partial(reference.encode_payload, verbose=verbose)
    return lambda events: [encode_line(event) for event in events if has_legacy(event)]


def _ours(events: Sequence[Event]) -> list[bytes]:
    return [encode(event) for event in events]


def _legacy(events: Sequence[Event]) -> list[bytes]:
    return [encode_legacy(event) for event in events if has_legacy(event)]
