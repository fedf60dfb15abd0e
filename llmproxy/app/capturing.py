"""Capture put together: what a proxy keeps of what is said, for the events of its sinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.budget import Budget
from ..middleware.capture import HELD, Capture, CaptureCounts

if TYPE_CHECKING:
    from ..core.masking import Masking
    from ..message import Api
    from ..sinks.metrics import ProxyMetrics


class Capturing:
    """
    It outlives configurations: what is held, and what was counted, goes on.

    @param masking: knows the secrets of this process.
    """

    def __init__(self, reactor: Any, masking: Masking, most: int = HELD) -> None:
        self._seconds = reactor.seconds
        self._masking = masking
        self.counts = CaptureCounts()
        self._budget = Budget(most)
        self._current: Capture | None = None

    def middleware(self, apis: Sequence[Api]) -> Capture | None:
        """That of a configuration; C{None} where none of its APIs is captured."""
        self._current = None
        if any(api.settings.capture is not None for api in apis):
            self._current = Capture(apis, self._masking.content, self._seconds, self.counts, self._budget)
        return self._current

    def held(self) -> int:
        """Bytes that are held now."""
        return self._budget.used if self._current is None else self._current.held()

    def show(self, metrics: ProxyMetrics) -> None:
        """What is kept, and what is not."""
        counts, counter = self.counts, metrics.counter
        metrics.gauge("llmproxy_capture_bytes", "Bytes of bodies that are held until they are in events.", self.held)
        counter("llmproxy_capture_exchanges", "Exchanges that were captured.", lambda: counts.captured)
        text = "Exchanges that were not captured because their client did not want it."
        counter("llmproxy_capture_opted_out", text, lambda: counts.opted_out)
        text = "Bodies that were not kept because too much was held."
        counter("llmproxy_capture_overload", text, lambda: counts.overload)
        text = "Bodies that were left out because what is to be taken out of them could not be."
        counter("llmproxy_capture_unredacted", text, lambda: counts.unredacted)
