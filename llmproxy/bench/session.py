"""One benchmark from its first probe to its last figure; what has been found stays found when it is interrupted."""

from __future__ import annotations

import time
from statistics import median

from attrs import define, field, frozen

from .comparison import Comparison, Rounds
from .proc import resident
from .processes import LoadFailed
from .values import Target

KINDS = ("closed", "open", "bounds", "streams")
"""In the order in which they are run: what is carried is asked first, as the others choose their rates by it."""

BOUNDS_MS = (1.0, 5.0, 10.0, 50.0)

SETTLE = 1.0
"""Seconds after the last run until the memory that stays in use is read."""


@frozen
class Plan:
    """
    What to run.

    @ivar rate: requests a second of the open loop; 0 is half of what the gateway carried.
    @ivar events: events a second of the held streams; 0 is half of the most that came through in time.
    """

    kinds: tuple[str, ...] = KINDS
    rate: float = 0.0
    events: float = 0.0
    bounds_ms: tuple[float, ...] = BOUNDS_MS


@define
class Findings:
    """
    @ivar reach: requests a second of the gateway, from the closed loop or a short one in its place.
    @ivar bounds: requests a second by the bound in milliseconds, by the target's name.
    @ivar most_events: events a second by the target's name.
    @ivar events: offered to the held streams, a second; 0 if their pace was upstream's.
    @ivar kib_per_stream: memory that a held stream costs the gateway; 0 if that is not known.
    @ivar memory: bytes of the gateway's processes before the first run and after the last.
    """

    closed: Rounds = field(factory=dict)
    open: Rounds = field(factory=dict)
    streams: Rounds = field(factory=dict)
    reach: float = 0.0
    rate: float = 0.0
    bounds: dict[str, dict[float, float]] = field(factory=dict)
    most_events: dict[str, float] = field(factory=dict)
    events: float = 0.0
    kib_per_stream: float = 0.0
    memory: tuple[int, int] = (0, 0)
    notes: list[str] = field(factory=list)
    complete: bool = False


class Session:
    """
    Runs a plan.

    @param comparison: its last target is the gateway, its first what stands beside it.
    @ivar findings: what was found so far.
    """

    def __init__(self, comparison: Comparison, plan: Plan) -> None:
        self._comparison = comparison
        self._plan = plan
        self.findings = Findings()

    @property
    def _direct(self) -> Target:
        return self._comparison.targets[0]

    @property
    def _gateway(self) -> Target:
        return self._comparison.targets[-1]

    def run(self) -> None:
        """
        Everything that is planned, in turn.

        @raise LoadFailed: a run could not be made; C{KeyboardInterrupt} passes.
        """
        runs = {"closed": self._closed, "open": self._open, "bounds": self._bounds, "streams": self._streams}
        before = resident(self._gateway.pids)
        self.findings.memory = (before, before)
        for kind in KINDS:
            if kind in self._plan.kinds:
                runs[kind]()
        if self._gateway.pids:
            time.sleep(SETTLE)
        self.findings.memory = (before, resident(self._gateway.pids))
        self.findings.complete = True

    def _closed(self) -> None:
        self._comparison.closed(self.findings.closed)
        self.findings.reach = median(result.per_second for result in self.findings.closed[self._gateway.name])

    def _reach(self) -> float:
        if not self.findings.reach:
            self.findings.reach = self._comparison.reach(self._gateway)
        if not self.findings.reach:
            raise LoadFailed(f"{self._gateway.name} ({self._gateway.shown}) answered nothing under load")
        return self.findings.reach

    def _open(self) -> None:
        self.findings.rate = self._plan.rate or round(self._reach() / 2, 1)
        self._comparison.open(self.findings.open, self.findings.rate)

    def _bounds(self) -> None:
        ceilings = {self._gateway.name: self._reach(), self._direct.name: self._comparison.reach(self._direct)}
        for target in self._comparison.targets:
            found = self.findings.bounds.setdefault(target.name, {})
            self._comparison.bounds(found, target, self._plan.bounds_ms, ceilings[target.name])

    def _streams(self) -> None:
        how = self._comparison.streaming()
        if not how:
            self.findings.notes.append("Streams were left out: one of the targets does not answer with events.")
            return
        if how == "free":
            self.findings.notes.append(
                "The streams' pace is upstream's own: what is behind the gateway does not take it from the query."
            )
        else:
            if self._gateway.pids:
                self.findings.kib_per_stream = self._comparison.kib_per_stream(self._gateway)
            self._pace()
        self._comparison.streams(self.findings.streams, self.findings.events)

    def _pace(self) -> None:
        """Half of the most that comes through in time, if nothing else is planned."""
        events = self._plan.events
        if not events:
            most = self.findings.most_events
            most[self._gateway.name] = self._comparison.most_events(self._gateway)
            most[self._direct.name] = self._comparison.most_events(self._direct, most[self._gateway.name])
            events = most[self._gateway.name] / 2
        if not events:
            raise LoadFailed(f"{self._gateway.name} ({self._gateway.shown}) brought no rate of events in time")
        self.findings.events = self._comparison.offered(events)
