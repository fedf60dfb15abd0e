"""A look at upstreams once a second, for sinks that ask for what happens to them: requests pay nothing for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from ..core.events.notices import events_of_circuits, events_of_upstreams, key_of
from ..net.clockedcall import ClockedCall

if TYPE_CHECKING:
    from ..core.circuits import CircuitState
    from ..core.upstreamreports import UpstreamReport
    from .eventbus import EventBus

LOOKS_EVERY = 1.0


class UpstreamWatch:
    """
    @param reports: gives what this process knows of its upstreams now.
    @param circuits: gives those of its circuits that are in trouble.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        bus: EventBus,
        reports: Callable[[], Sequence[UpstreamReport]],
        circuits: Callable[[], Sequence[CircuitState]],
    ) -> None:
        self._seconds = clock.seconds
        self._bus = bus
        self._reports = reports
        self._circuits = circuits
        self._upstreams: dict[tuple[str, str], UpstreamReport] = {}
        self._open: dict[tuple[str, str, str], CircuitState] = {}
        self._loop = ClockedCall(clock, self.look)

    def start(self) -> None:
        self._loop.start(LOOKS_EVERY, now=True)

    def stop(self) -> None:
        self._loop.stop()

    def look(self) -> None:
        """Publish what has happened since the last look; it never fails, as the loop would end."""
        try:
            self._look()
        except Exception:
            self._log.failure("events: upstreams could not be looked at")

    def _look(self) -> None:
        now, reports, circuits = self._seconds(), list(self._reports()), list(self._circuits())
        events = [*events_of_upstreams(self._upstreams, reports, now), *events_of_circuits(self._open, circuits, now)]
        self._upstreams = {(each.api, each.upstream): each for each in reports}
        self._open = {key_of(each): each for each in circuits if each.state != "closed"}
        if events:
            self._bus.publish(events)
