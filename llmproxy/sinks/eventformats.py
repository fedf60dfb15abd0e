"""The formats in which sinks write events: schema 1, or the reference's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.events.encoding import encode
from ..core.events.legacy import encode_legacy, has_legacy

if TYPE_CHECKING:
    from ..core.events import Event
    from .sinksettings import SinkSettings

Lines = Callable[[Sequence["Event"]], "list[bytes]"]
"""The JSON of events; those that the format has not are left out."""


def lines_of(read: SinkSettings) -> Lines:
    """By the setting C{schema}: C{1} or C{legacy}."""
    return _legacy if read.one_of("schema", "1", "1", "legacy") == "legacy" else _ours


def _ours(events: Sequence[Event]) -> list[bytes]:
    return [encode(event) for event in events]


def _legacy(events: Sequence[Event]) -> list[bytes]:
    return [encode_legacy(event) for event in events if has_legacy(event)]
