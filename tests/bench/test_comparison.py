"""Tests for L{llmproxy.bench.comparison}."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.answers import STREAM_END, event
from llmproxy.bench.comparison import Comparison, Rounds, Settings
from llmproxy.bench.processes import LoadFailed
from llmproxy.bench.values import LoadSpec, Result, Target

from ..tables import row

DIRECT = Target("direct", "http://d:1/v1")
GATEWAY = Target("gateway", "http://g:2/v1", (("Authorization", "Bearer s3cret"),), (7,))

SETTINGS = Settings(b"{}", b'{"stream":true}', duration=3.0, rounds=3, streams=100)

MS = 1_000_000


class Machine:
    """
    Stands for the load processes: carries up to C{capacity} a second, with a latency that grows towards it.

    @ivar specs: of each run.
    @ivar delay: of each event, in nanoseconds.
    @ivar answers: status and content by the host.
    """

    def __init__(self) -> None:
        self.specs: list[LoadSpec] = []
        self.capacity = 1000.0
        self.delay = 0
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.probes: list[bytes] = []

    def probe(self, target: Target, request: bytes, timeout: float) -> tuple[int, bytes]:
        self.probes.append(request)
        return self.answers.get(target.host, (200, b"ok"))

    def run(self, specs: Sequence[LoadSpec], progress: Callable[[int], object]) -> Result:
        progress(1)
        [spec] = specs
        self.specs.append(spec)
        result = Result(seconds=spec.duration)
        rate = spec.rate or self.capacity
        if spec.mode == "sse" and spec.events:
            interval = int(spec.request.partition("interval=")[2].partition(" ")[0])
            rate = spec.connections * 1000 / interval
        carried = min(rate, self.capacity)
        for _ in range(int(carried * spec.duration)):
            result.latency.record(MS if rate < self.capacity / 2 else 20 * MS)
        result.events = result.latency.count
        result.delay.record(self.delay)
        return result


class ComparisonCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.machine = Machine()
        self.told: list[str] = []

    def comparison(self, settings: Settings = SETTINGS) -> Comparison:
        targets = (DIRECT, GATEWAY)
        return Comparison(
            targets, settings, lambda name, lasts, done: self.told.append(name), self.machine.run, self.machine.probe
        )


class ProbeTests(ComparisonCase):
    def test_wrong_answers(self) -> None:
        """A target that answers anything but 200 ends it before any load, and a wrong token is told as one."""
        for status, words in ((401, "takes no such token"), (503, "no room")):
            self.machine.answers["g"] = (status, b"no room")
            with row(status):
                failure = self.assertRaises(LoadFailed, self.comparison)
            self.assertIn(words, str(failure))
            self.assertIn("gateway (http://g:2/v1)", str(failure))
            self.assertNotIn("s3cret", str(failure))
        self.assertEqual(self.machine.specs, [])

    def test_same(self) -> None:
        """Whether the gateway gives the answer of what is behind it."""
        self.assertTrue(self.comparison().same)
        self.machine.answers["g"] = (200, b"other")
        self.assertFalse(self.comparison().same)

    def test_length(self) -> None:
        """Under load every answer must be as long as the first were, unless those differed."""
        comparison = self.comparison()
        comparison.closed({})
        self.assertEqual(self.machine.specs[0].length, 2)
        answers = iter([b"ok", b"longer"] * 2)
        self.machine.probe = lambda *_: (200, next(answers))  # type: ignore[method-assign]
        self.comparison().closed({})
        self.assertIsNone(self.machine.specs[-1].length)


class RoundTests(ComparisonCase):
    def test_in_turn(self) -> None:
        """Targets take turns, and none is always the first."""
        rounds: Rounds = {}
        self.comparison().closed(rounds)
        self.assertEqual([spec.host for spec in self.machine.specs], ["d", "g", "g", "d", "d", "g"])
        self.assertEqual({name: len(results) for name, results in rounds.items()}, {"direct": 3, "gateway": 3})
        self.assertEqual({spec.duration for spec in self.machine.specs}, {1.0})
        self.assertIn("closed loop, round 2 of 3: gateway", self.told)

    def test_watched(self) -> None:
        """Only the gateway's processes are watched, and only it gets its token."""
        self.comparison().closed({})
        direct, gateway = self.machine.specs[:2]
        self.assertEqual((direct.pids, gateway.pids), ((), (7,)))
        self.assertIn("s3cret", gateway.request)
        self.assertNotIn("s3cret", direct.request)

    def test_counted(self) -> None:
        """With a number of requests each target is asked that often under load, and once before it."""
        rounds: Rounds = {}
        self.comparison(evolve(SETTINGS, requests=5)).closed(rounds)
        self.assertEqual([(spec.requests, spec.connections) for spec in self.machine.specs], [(5, 5), (5, 5)])
        self.assertEqual({spec.warmup for spec in self.machine.specs}, {0.0})
        self.assertEqual(len(self.machine.probes), 2)

    def test_open(self) -> None:
        """Both targets get the same rate."""
        self.comparison().open({}, 123.0)
        self.assertEqual({spec.rate for spec in self.machine.specs}, {123.0})

    def test_interrupted(self) -> None:
        """What was measured before it was interrupted is not lost."""
        rounds: Rounds = {}
        run, left = self.machine.run, iter(range(3))

        def interrupted(*arguments: object) -> Result:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return run(*arguments)  # type: ignore[arg-type]

        self.machine.run = interrupted  # type: ignore[method-assign]
        self.assertRaises(KeyboardInterrupt, self.comparison().closed, rounds)
        self.assertEqual({name: len(results) for name, results in rounds.items()}, {"direct": 1, "gateway": 2})


class SearchTests(ComparisonCase):
    def test_bounds(self) -> None:
        """A tighter bound is kept at a lower rate only."""
        found: dict[float, float] = {}
        self.comparison().bounds(found, GATEWAY, (1.5, 50.0), 1000.0)
        self.assertEqual(found[50.0], 1000.0)
        self.assertLess(found[1.5], 500.0)
        self.assertGreater(found[1.5], 400.0)

    def test_reach(self) -> None:
        """What a short closed loop carries."""
        self.assertEqual(self.comparison().reach(GATEWAY), 1000.0)


class StreamsTests(ComparisonCase):
    def test_kinds(self) -> None:
        """Whether the pace can be asked for is found out; a target that does not stream is told."""
        three = event(1) * 3 + STREAM_END
        self.machine.answers = {"d": (200, three), "g": (200, three)}
        comparison = self.comparison()
        self.assertEqual(comparison.streaming(), "paced")
        self.machine.answers["g"] = (200, b"data: 1\n\n")
        self.assertEqual(comparison.streaming(), "free")
        self.machine.answers["g"] = (200, b"{}")
        self.assertEqual(comparison.streaming(), "")

    def test_paced(self) -> None:
        """The streams' events come to the rate, and no stream ends before all of them have been measured."""
        comparison = self.comparison()
        comparison.streams({}, 1000.0)
        spec = self.machine.specs[0]
        self.assertEqual((spec.connections, comparison.offered(1000.0)), (100, 1000.0))
        self.assertIn(f"?sse={spec.events}&interval=100 ", spec.request)
        self.assertIn('"stream":true', spec.request)
        self.assertGreaterEqual(spec.events * 0.1, spec.warmup + spec.duration)
        self.assertGreaterEqual(spec.warmup, spec.ramp)

    def test_free(self) -> None:
        """At upstream's own pace streams may bring any number of events."""
        self.comparison().streams({}, 0.0)
        self.assertEqual(self.machine.specs[0].events, 0)
        self.assertNotIn("sse=", self.machine.specs[0].request)

    def test_memory(self) -> None:
        """It is measured with all streams held and next to no events."""
        self.comparison().kib_per_stream(GATEWAY)
        [spec] = self.machine.specs
        self.assertIn("interval=1000 ", spec.request)
        self.assertEqual((spec.connections, spec.pids), (100, (7,)))

    def test_most(self) -> None:
        """The most events a second lie just below what is carried."""
        self.machine.capacity = 5000.0
        self.assertGreater(self.comparison().most_events(GATEWAY), 4000.0)
        self.assertLessEqual(self.comparison().most_events(GATEWAY, 100.0), 5200.0)

    def test_late(self) -> None:
        """A rate at which events come after the next of their stream is not held, even if all of them come."""
        self.machine.capacity = 5000.0
        self.machine.delay = 60 * MS
        most = self.comparison().most_events(GATEWAY)
        self.assertLessEqual(most, 100 * 1000 / 60)
        self.assertGreater(most, 1000.0)
