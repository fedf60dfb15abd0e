"""Capture put together: what a proxy keeps of what is said, for the events of its sinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..middleware.capture import HELD, Capture, Held

if TYPE_CHECKING:
    from ..core.masking import Masking
    from ..message import Api
    from ..sinks.metrics import ProxyMetrics


class Capturing:
    """
    It outlives configurations: what is held, and what was counted, goes on.

    @param masking: knows the secrets of this process.
    @param most: bytes that it holds.
    @ivar held: what is held now, and what came of what was.
    """

    def __init__(self, reactor: Any, masking: Masking, most: int = HELD) -> None:
        self._seconds = reactor.seconds
        self._masking = masking
        self.held = Held(most)

    def middleware(self, apis: Sequence[Api]) -> Capture | None:
        """That of a configuration; C{None} where none of its APIs is captured."""
        if all(api.settings.capture is None for api in apis):
            return None
        return Capture(apis, self._masking, self._seconds, self.held)

    def show(self, metrics: ProxyMetrics) -> None:
        """What is kept, and what is not."""
        held, counter = self.held, metrics.counter
        metrics.gauge(
            "llmproxy_capture_bytes", "Bytes of bodies that are held until they are in events.", lambda: held.size
        )
        counter("llmproxy_capture_exchanges", "Exchanges that were captured.", lambda: held.captured)
        text = "Exchanges that were not captured because their client did not want it."
        counter("llmproxy_capture_opted_out", text, lambda: held.opted_out)
        text = "Bodies that were not kept because too much was held."
        counter("llmproxy_capture_overload", text, lambda: held.overload)
        text = "Bodies that were left out because what is to be taken out of them could not be."
        counter("llmproxy_capture_unredacted", text, lambda: held.unredacted)
