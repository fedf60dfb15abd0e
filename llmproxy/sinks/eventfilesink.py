"""The sink C{file}: a line of JSON for each event, in a file that is rotated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..interfaces.events import IEventSink
from .eventfile import EventFile, Rotation
from .eventformats import lines_of
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .registry import SinkTools

MAX_SIZE = 100 * 1024 * 1024


@implementer(IEventSink)
class EventFileSink:
    """
    Settings: C{path}; C{max_size} and C{every}, when another file is begun; C{keep}, how many are kept; C{gzip};
    C{sync}, for a disk that has each batch before it counts as delivered; C{schema}.
    """

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        self._tools = tools
        read = SinkSettings(settings)
        path = read.required("path")
        rotation = Rotation(
            read.size("max_size", MAX_SIZE),
            read.duration("every", 0.0),
            read.number("keep", 10, 0, 1000),
            read.flag("gzip", False),
        )
        self._file = EventFile(path, rotation, read.flag("sync", False))
        self._lines = lines_of(read)
        read.done()

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        now = self._tools.reactor.seconds()
        return self._tools.run_in_thread(self._append, batch, now)

    def _append(self, batch: Sequence[Event], now: float) -> None:
        data = b"".join(line + b"\n" for line in self._lines(batch))
        if data:
            self._file.append(data, now)

    def close(self) -> Deferred[None]:
        return self._tools.run_in_thread(self._file.close)
