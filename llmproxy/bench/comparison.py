"""The runs of a benchmark: every target in turn, several rounds, so that all share the machine's moods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from attrs import frozen

from .processes import LoadFailed, probe, run, share
from .search import Trial, failed, held, next_rate, next_step
from .stats import events_per_second
from .values import LoadSpec, Result, Target

Rounds = dict[str, list[Result]]
"""The results by the target's name, in the order of the rounds."""

NO_BOUND = 1 << 63

TRIALS = 12
"""No search takes more."""

TRIAL_SECONDS = 1.5

EVENTS_START = 2000.0
"""Events a second with which the search for the most begins."""


@frozen
class Settings:
    """
    @ivar duration: measured seconds of each target in each kind of run, over all rounds.
    @ivar warmup: seconds before each round that are not counted.
    @ivar check: C{"status"}, C{"length"} or C{"body"}: how closely answers are compared with the probe's.
    @ivar pace: whether the streams' pace is asked for in the query, as our own upstream reads it.
    """

    payload: bytes
    connections: int = 64
    duration: float = 10.0
    warmup: float = 0.5
    rounds: int = 5
    processes: int = 1
    timeout: float = 30.0
    check: str = "length"
    streams: int = 2000

    @property
    def round_seconds(self) -> float:
        return self.duration / self.rounds


Watch = Callable[[str, float, int], object]
"""Told what runs, for how many seconds it will, and how many answers have come."""


class Comparison:
    """
    Measures all targets in the same way.

    @ivar answers: what each target's right answer is, from one request beforehand.
    """

    def __init__(self, targets: Sequence[Target], settings: Settings, watch: Watch) -> None:
        self.targets = targets
        self._settings = settings
        self._watch = watch
        self._answers = {target.name: self._probed(target) for target in targets}

    def _probed(self, target: Target) -> bytes:
        status, content = probe(target, target.request(self._settings.payload), self._settings.timeout)
        if status != 200:
            raise LoadFailed(f"{target.name} ({target.url}) answers {status}: {content[:200].decode('latin-1')}")
        return content

    def differing(self) -> list[str]:
        """The targets whose answer is not that of the first one, byte for byte."""
        first = self._answers[self.targets[0].name]
        return [target.name for target in self.targets if self._answers[target.name] != first]

    def _spec(self, target: Target, **what: object) -> LoadSpec:
        settings = self._settings
        answer = self._answers[target.name]
        common: dict[str, object] = {
            "host": target.host,
            "port": target.port,
            "tls": target.tls,
            "request": target.request(settings.payload).decode("latin-1"),
            "connections": settings.connections,
            "warmup": settings.warmup,
            "duration": settings.round_seconds,
            "timeout": settings.timeout,
            "length": None if settings.check == "status" else len(answer),
            "body": answer.decode("latin-1") if settings.check == "body" else None,
            "pids": target.pids,
        }
        return LoadSpec.from_json({**common, **what})

    def _run(self, name: str, spec: LoadSpec) -> Result:
        lasts = spec.warmup + spec.duration + (spec.ramp if spec.mode == "sse" else 0)
        return run(share(spec, self._settings.processes), lambda done: self._watch(name, lasts, done))

    def _interleaved(self, label: str, one: Callable[[Target], LoadSpec]) -> Rounds:
        """Each round begins with another target: none is always the first after a pause."""
        rounds: Rounds = {target.name: [] for target in self.targets}
        for number in range(self._settings.rounds):
            first = number % len(self.targets)
            for target in (*self.targets[first:], *self.targets[:first]):
                name = f"{label}, round {number + 1}: {target.name}"
                rounds[target.name].append(self._run(name, one(target)))
        return rounds

    def closed(self) -> Rounds:
        return self._interleaved("closed loop", lambda target: self._spec(target, mode="closed"))

    def open(self, rate: float) -> Rounds:
        return self._interleaved("fixed rate", lambda target: self._spec(target, mode="open", rate=rate))

    def bounds(self, target: Target, milliseconds: Sequence[float], ceiling: float) -> dict[float, float]:
        """The highest rate at which the 99th percentile stays within each bound."""
        trials: list[Trial] = []
        found: dict[float, float] = {}
        for bound in sorted(milliseconds, reverse=True):
            for _ in range(TRIALS):
                rate = next_rate(trials, int(bound * 1e6), ceiling)
                if rate is None:
                    break
                trials.append(self._trial(target, rate, bound))
            found[bound] = held(trials, int(bound * 1e6))
        return found

    def _trial(self, target: Target, rate: float, bound: float) -> Trial:
        spec = self._spec(target, mode="open", rate=rate, warmup=0.3, duration=TRIAL_SECONDS)
        result = self._run(f"p99 within {bound:g} ms, {rate:,.0f}/s: {target.name}", spec)
        return trial_of(rate, result.latency.percentile(99), result.per_second, result.failed)

    def streams(self, events: float) -> Rounds:
        """Hold the streams at this many events a second in all."""
        return self._interleaved("streams", lambda target: self._streams(target, events, self._settings.round_seconds))

    def _streams(self, target: Target, events: float, seconds: float) -> LoadSpec:
        settings = self._settings
        interval = max(1, round(settings.streams / events * 1000))
        ramp = max(1.0, settings.streams / 2000)
        # Streams begin one after another: the first must last until the window of all of them ends.
        count = math.ceil((ramp + settings.warmup + seconds + 0.5) * 1000 / interval)
        request = target.at(f"sse={count}&interval={interval}").request(settings.payload).decode("latin-1")
        pace = {"connections": settings.streams, "ramp": ramp, "events": count, "duration": seconds}
        return self._spec(target, mode="sse", request=request, length=None, body=None, **pace)

    def most_events(self, target: Target) -> float:
        """The highest number of events a second of which nearly all arrive in time."""
        trials: list[Trial] = []
        for _ in range(TRIALS):
            rate = next_step(trials, EVENTS_START)
            if rate is None:
                break
            spec = self._streams(target, rate, TRIAL_SECONDS)
            result = self._run(f"{rate:,.0f} events/s: {target.name}", spec)
            offered = self._offered(rate)
            errors = result.failed + result.lost
            reached = events_per_second(result) * rate / offered
            trials.append(trial_of(rate, result.delay.percentile(99), reached, errors))
        return held(trials, NO_BOUND)

    def _offered(self, rate: float) -> float:
        """What the streams bring in truth: their interval is in whole milliseconds."""
        streams = self._settings.streams
        return streams * 1000 / max(1, round(streams / rate * 1000))


def trial_of(rate: float, p99: int, per_second: float, errors: int) -> Trial:
    return Trial(rate, p99, errors == 0 and per_second >= 0.97 * rate)


__all__ = ["Comparison", "Rounds", "Settings", "Watch", "failed"]
