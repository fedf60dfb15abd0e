"""The sink C{stdout}: a line of JSON for each event, for those who read the output of the process."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..interfaces.events import IEventSink
from .eventformats import lines_of
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from .registry import SinkTools


@implementer(IEventSink)
class StdoutSink:
    """
    Settings: C{schema}.

    It is written on a thread: a pipe that nobody reads stops this sink, and nothing else.

    @ivar descriptor: where it goes.
    """

    descriptor = 1

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        self._run = tools.run_in_thread
        read = SinkSettings(settings)
        self._lines = lines_of(read)
        read.done()

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        lines = self._lines(batch)
        return self._run(self._write, b"".join(line + b"\n" for line in lines))

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.descriptor, data) :]

    def close(self) -> Deferred[None]:
        return succeed(None)
