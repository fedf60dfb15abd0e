"""The runs of a benchmark: every target in turn, several rounds, so that all share the machine's moods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from .processes import LoadFailed, probe, run, share
from .search import Trial, held, next_rate, next_step, trial_of
from .stats import events_per_second, kib_per_stream
from .streams import STAMP
from .values import LoadSpec, Result, Target

Rounds = dict[str, list[Result]]
"""The results by the target's name, in the order of the rounds."""

NO_BOUND = 1 << 63


@frozen
class Settings:
    """
    @ivar payload: the body of a request; C{stream_payload} that of one for a stream.
    @ivar requests: if not 0, how many a closed loop asks of each target in all, and no more.
    @ivar duration: measured seconds of each target in each kind of run, over all rounds.
    @ivar warmup: seconds before each round that are not counted.
    @ivar trials: no search takes more.
    @ivar trial_seconds: what one trial of a search measures.
    @ivar first_events: events a second with which the search for the most begins.
    """

    payload: bytes
    stream_payload: bytes
    connections: int = 64
    requests: int = 0
    duration: float = 5.0
    warmup: float = 0.5
    rounds: int = 5
    processes: int = 1
    timeout: float = 30.0
    cache: bool = False
    streams: int = 2000
    trials: int = 12
    trial_seconds: float = 1.5
    first_events: float = 2000.0

    @property
    def round_seconds(self) -> float:
        return self.duration / self.rounds


Watch = Callable[[str, float, int], object]
"""Called with what runs, for how many seconds it will, and how many answers have come."""


class Comparison:
    """
    Measures all targets in the same way.

    @param run: makes a load of several processes, and C{probe} one request: for tests, which do neither.
    @raise LoadFailed: a target does not give a right answer to one request.
    @ivar lengths: of each target's answer, in bytes; C{None} if two answers differed in it.
    @ivar same: all targets gave the same answer, byte for byte.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        settings: Settings,
        watch: Watch,
        run: Callable[[Sequence[LoadSpec], Callable[[int], object]], Result] = run,
        probe: Callable[[Target, bytes, float], tuple[int, bytes]] = probe,
    ) -> None:
        self.targets = targets
        self._run_all = run
        self._probe = probe
        self._settings = settings
        self._watch = watch
        answers = {target.name: self._probed(target) for target in targets}
        self.same = len({content for content, _ in answers.values()}) == 1
        self.lengths = {name: length for name, (_, length) in answers.items()}

    def _probed(self, target: Target) -> tuple[bytes, int | None]:
        first = self._content(target, self._settings.payload)
        if self._settings.requests:
            return first, None
        second = self._content(target, self._settings.payload)
        return first, len(first) if len(first) == len(second) else None

    def _content(self, target: Target, body: bytes) -> bytes:
        status, content = self._probe(target, target.request(body), self._settings.timeout)
        if status == 401:
            raise LoadFailed(f"{target.name} ({target.shown}) answers 401: it takes no such token")
        if status != 200:
            words = content[:200].decode("utf-8", "replace")
            raise LoadFailed(f"{target.name} ({target.shown}) answers {status}: {words}")
        return content

    def _spec(self, target: Target, **what: object) -> LoadSpec:
        settings = self._settings
        common: dict[str, object] = {
            "host": target.host,
            "port": target.port,
            "tls": target.tls,
            "request": target.request(settings.payload).decode("latin-1"),
            "connections": settings.connections,
            "cache": settings.cache,
            "warmup": settings.warmup,
            "duration": settings.round_seconds,
            "timeout": settings.timeout,
            "length": self.lengths[target.name],
            "pids": target.pids,
        }
        return LoadSpec.from_json({**common, **what})

    def _run(self, name: str, spec: LoadSpec) -> Result:
        lasts = spec.warmup + spec.duration
        return self._run_all(share(spec, self._settings.processes), lambda done: self._watch(name, lasts, done))

    def _interleaved(self, rounds: Rounds, label: str, one: Callable[[Target], LoadSpec]) -> None:
        """Each round begins with another target: none is always the first after a pause."""
        for number in range(self._settings.rounds):
            first = number % len(self.targets)
            for target in (*self.targets[first:], *self.targets[:first]):
                name = f"{label}, round {number + 1} of {self._settings.rounds}: {target.name}"
                rounds.setdefault(target.name, []).append(self._run(name, one(target)))

    def closed(self, rounds: Rounds) -> None:
        """
        As many as can be, or the stated number of requests.

        @param rounds: where the results go as they come: one who interrupts has those that there are.
        """
        settings = self._settings
        if not settings.requests:
            self._interleaved(rounds, "closed loop", lambda target: self._spec(target, mode="closed"))
            return
        for target in self.targets:
            connections = min(settings.connections, settings.requests)
            limits = {"requests": settings.requests, "connections": connections, "warmup": 0.0}
            spec = self._spec(target, mode="counted", duration=settings.duration, **limits)
            rounds[target.name] = [self._run(f"{settings.requests} requests: {target.name}", spec)]

    def reach(self, target: Target) -> float:
        """Requests a second of a short closed loop, for those who have not measured it."""
        spec = self._spec(target, mode="closed", warmup=0.3, duration=self._settings.trial_seconds)
        return self._run(f"closed loop, in short: {target.name}", spec).per_second

    def open(self, rounds: Rounds, rate: float) -> None:
        self._interleaved(rounds, f"{rate:,.0f} requests/s", lambda target: self._spec(target, mode="open", rate=rate))

    def bounds(self, found: dict[float, float], target: Target, milliseconds: Sequence[float], ceiling: float) -> None:
        """The highest rate at which the 99th percentile stays within each bound."""
        trials: list[Trial] = []
        for bound in sorted(milliseconds, reverse=True):
            for _ in range(self._settings.trials):
                rate = next_rate(trials, int(bound * 1e6), ceiling)
                if rate is None:
                    break
                trials.append(self._trial(target, rate, bound))
            found[bound] = held(trials, int(bound * 1e6))

    def _trial(self, target: Target, rate: float, bound: float) -> Trial:
        spec = self._spec(target, mode="open", rate=rate, warmup=0.3, duration=self._settings.trial_seconds)
        result = self._run(f"p99 within {bound:g} ms at {rate:,.0f} requests/s: {target.name}", spec)
        return trial_of(rate, result.latency.percentile(99), result.per_second, result.failed)

    def streaming(self) -> str:
        """
        How the targets stream: C{"paced"} if all do as they are asked in the query, as our own upstream does;
        C{"free"} if they do so in a way of their own; empty if one of them does not stream at all.
        """
        how = "paced"
        for target in self.targets:
            content = self._content(target.at("sse=3&interval=1"), self._settings.stream_payload)
            if b"data:" not in content:
                return ""
            if len(STAMP.findall(content)) != 3:
                how = "free"
        return how

    def streams(self, rounds: Rounds, events: float) -> None:
        """Hold the streams at this many events a second in all; 0 leaves their pace to upstream."""
        seconds = self._settings.round_seconds
        label = f"{self._settings.streams} streams"
        if events:
            self._interleaved(rounds, label, lambda target: self._paced(target, events, seconds))
        else:
            self._interleaved(rounds, label, lambda target: self._free(target, seconds))

    @property
    def _ramp(self) -> float:
        return max(0.5, self._settings.streams / 1000)

    def _free(self, target: Target, seconds: float) -> LoadSpec:
        request = target.request(self._settings.stream_payload).decode("latin-1")
        # What is measured begins when all of them have been asked for.
        times = {"ramp": self._ramp, "warmup": self._ramp + self._settings.warmup, "duration": seconds}
        return self._spec(target, mode="sse", request=request, connections=self._settings.streams, length=None, **times)

    def _paced(self, target: Target, events: float, seconds: float) -> LoadSpec:
        interval = self._interval(events)
        # Streams begin one after another: the first must last until the window of all of them ends.
        count = math.ceil((self._ramp + self._settings.warmup + seconds + 0.5) * 1000 / interval)
        return evolve(self._free(target.at(f"sse={count}&interval={interval}"), seconds), events=count)

    def _interval(self, events: float) -> int:
        """Milliseconds between two events of a stream: whole ones."""
        return max(1, round(self._settings.streams / events * 1000))

    def offered(self, events: float) -> float:
        """What the streams bring in truth when this many events a second are asked for."""
        return self._settings.streams * 1000 / self._interval(events)

    def kib_per_stream(self, target: Target) -> float:
        """
        What the target's processes take for one stream while all are held, at an event a second.

        To be asked first: what a process has once taken under load it may keep.
        """
        streams = self._settings.streams
        spec = self._paced(target, streams, self._settings.trial_seconds)
        return kib_per_stream(self._run(f"memory of {streams} streams: {target.name}", spec))

    def most_events(self, target: Target, first: float = 0.0) -> float:
        """
        The highest number of events a second of which nearly all arrive in time: before the next of their stream is
        made. Beyond that a gateway may carry more, several in one piece, each of them late.

        @param first: with which to begin, if there is a better guess than C{first_events}.
        """
        trials: list[Trial] = []
        for _ in range(self._settings.trials):
            wanted = next_step(trials, first or self._settings.first_events)
            if wanted is None:
                break
            rate = self.offered(wanted)
            if trials and rate in [trial.rate for trial in trials]:
                break
            trials.append(self._events_trial(target, rate))
        return held(trials, NO_BOUND)

    def _events_trial(self, target: Target, rate: float) -> Trial:
        spec = self._paced(target, rate, self._settings.trial_seconds)
        result = self._run(f"{rate:,.0f} events/s: {target.name}", spec)
        p99 = result.delay.percentile(99)
        late = p99 > self._interval(rate) * 1_000_000
        return trial_of(rate, p99, events_per_second(result), result.failed + result.lost + late)
