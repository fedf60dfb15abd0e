"""The run: processes, the mishaps that they have, and the judgement of what came of it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from ..integration.processes import environment, free_port, heeding_interrupts
from ..integration.redisserver import RedisServer
from .events import DEADLY, POISON, id_of, numbered
from .receiver import digest

STREAM, GROUP = "events", "run"

CLAIM = 1.0
"""Seconds after which what a dead dispatcher had is taken over."""

KINDS = (
    *("kill dispatcher", "kill dispatcher", "stop dispatcher", "pause dispatcher"),
    *("kill redis", "pause redis", "kill receiver", "pause receiver"),
)

PAUSE = (0.3, 2.5)
"""Seconds of a pause: some are longer than a claim takes, and than a delivery may."""


@frozen
class Scene:
    """
    @ivar rate: events a second that are published.
    @ivar mishaps: how many there are at least; they go on until everything is published.
    @ivar every: seconds between two of them, from and to.
    @ivar poisoned: how many events the receiver refuses; C{deadly} end each dispatcher that has them; C{garbage} are
        no events.
    @ivar within: seconds for what is left when nothing happens any more.
    """

    count: int = 50_000
    rate: int = 1000
    seed: int = 1
    dispatchers: int = 2
    mishaps: int = 40
    every: tuple[float, float] = (0.3, 1.5)
    poisoned: int = 20
    deadly: int = 3
    garbage: int = 5
    within: float = 300.0


@define
class Outcome:
    """
    @ivar arrived: digests of each id, as often as it came.
    @ivar letters: dead letters.
    @ivar pending: what the group has not acknowledged in the end.
    """

    mishaps: Counter[str] = field(factory=Counter)
    arrived: dict[str, list[str]] = field(factory=dict)
    letters: list[Any] = field(factory=list)
    lost: int = 0
    pending: int = 0
    unread: int = 0
    restarts: int = 0
    seconds: float = 0.0

    @property
    def twice(self) -> int:
        """How many came more than once."""
        return sum(len(each) > 1 for each in self.arrived.values())


class Stage:
    """All processes of a run."""

    def __init__(self, scene: Scene, directory: str) -> None:
        self.scene = scene
        self.directory = directory
        self.redis = RedisServer(appendonly="yes", appendfsync="always")
        self.port = free_port()
        self.log = os.path.join(directory, "received")
        self.config = os.path.join(directory, "dispatcher.yaml")
        self.restarts = 0
        draw = random.Random(scene.seed)
        chosen = draw.sample(range(scene.count), scene.poisoned + scene.deadly)
        self.poisoned, self.deadly = chosen[: scene.poisoned], chosen[scene.poisoned :]
        self.receiver: subprocess.Popen[bytes] | None = None
        self.publisher: subprocess.Popen[bytes] | None = None
        self.dispatchers: list[subprocess.Popen[bytes] | None] = [None] * scene.dispatchers

    def open(self) -> None:
        os.makedirs(self.directory, exist_ok=True)
        Path(self.config).write_text(
            "sinks:\n"
            f"  - {{name: hook, type: mortal, url: 'http://127.0.0.1:{self.port}/in', timeout: 2s, batch: 50,"
            " flush_interval: 20ms}\n"
        )
        self.redis.start()
        self.keep()
        for _ in range(self.scene.garbage):
            self.redis.ask("XADD", STREAM, "*", "data", "no event")
        scene = {
            "url": f"redis://127.0.0.1:{self.redis.port}/0",
            "stream": STREAM,
            "directory": os.path.join(self.directory, "spool"),
            "count": self.scene.count,
            "rate": self.scene.rate,
            "poisoned": self.poisoned,
            "deadly": self.deadly,
        }
        self.publisher = self._process("publisher", json.dumps(scene), out="published")

    def keep(self) -> None:
        """Start what has ended."""
        if self.receiver is None or self.receiver.poll() is not None:
            self.receiver = self._process("receiver", str(self.port), self.log)
        for number, each in enumerate(self.dispatchers):
            if each is None or each.poll() is not None:
                self.restarts += each is not None
                self.dispatchers[number] = self._process(
                    "dispatcher",
                    *("dispatcher", "--config", self.config, "--listen", "off"),
                    *("--group", GROUP, "--stream", STREAM, "--directory", os.path.join(self.directory, "letters")),
                )

    def close(self) -> None:
        for each in (self.publisher, self.receiver, *self.dispatchers):
            if each is not None:
                each.kill()
                each.wait()
        self.redis.close()

    def _process(self, module: str, *words: str, out: str = "") -> subprocess.Popen[bytes]:
        variables = environment(
            REDIS_ADDR=f"127.0.0.1:{self.redis.port}",
            REDIS_STREAM_BLOCK_TIME="200ms",
            REDIS_STREAM_CLAIM_TIME=f"{CLAIM}s",
            LOG_LEVEL="warn",
        )
        with open(os.path.join(self.directory, f"{module}.log"), "ab") as log, heeding_interrupts():
            stdout = open(os.path.join(self.directory, out), "wb") if out else log  # noqa: SIM115
            try:
                return subprocess.Popen(
                    [sys.executable, "-m", f"tests.eventrun.{module}", *words], env=variables, stdout=stdout, stderr=log
                )
            finally:
                if out:
                    stdout.close()

    # -- in the end

    def asked(self, *words: str) -> Any:
        try:
            return self.redis.ask(*words)
        except (AssertionError, OSError):
            return None

    def left(self) -> tuple[int, int]:
        """What the group has not acknowledged, and what it has not read: 1 for anything."""
        pending = self.asked("XPENDING", STREAM, GROUP)
        groups, stream = self.asked("XINFO", "GROUPS", STREAM), self.asked("XINFO", "STREAM", STREAM)
        if not pending or not groups or not stream:
            return -1, -1
        # Redis does not always know how many (lag), after it was killed.
        facts, all_of_it = (dict(zip(each[::2], each[1::2], strict=False)) for each in (groups[0], stream))
        return int(pending[0]), int(facts[b"last-delivered-id"] != all_of_it[b"last-generated-id"])


class Mishaps:
    """What happens to the processes, by a seed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._draw = random.Random(stage.scene.seed + 1)
        self.counts: Counter[str] = Counter()

    def wait(self) -> None:
        """Until the next one; what ends by itself meanwhile is started again."""
        until = time.monotonic() + self._draw.uniform(*self._stage.scene.every)
        while time.monotonic() < until:
            self._stage.keep()
            time.sleep(0.05)

    def happen(self) -> None:
        kind = self._draw.choice(KINDS)
        self.counts[kind] += 1
        deed, _, name = kind.partition(" ")
        if name == "redis":
            self._redis(deed)
            return
        process = self._stage.receiver if name == "receiver" else self._draw.choice(self._stage.dispatchers)
        assert process is not None
        if deed == "pause":
            process.send_signal(signal.SIGSTOP)
            time.sleep(self._draw.uniform(*PAUSE))
            process.send_signal(signal.SIGCONT)
        elif deed == "stop":
            process.terminate()
        else:
            process.kill()
            time.sleep(self._draw.uniform(0.0, 0.5))

    def _redis(self, deed: str) -> None:
        redis, seconds = self._stage.redis, self._draw.uniform(*PAUSE)
        if deed == "kill":
            redis.kill()
            time.sleep(seconds / 2)
            redis.start()
        else:
            redis.signal(signal.SIGSTOP)
            time.sleep(seconds)
            redis.signal(signal.SIGCONT)


def played(scene: Scene, directory: str) -> Outcome:
    """A run from its beginning to its end."""
    os.makedirs(directory, exist_ok=True)
    stage = Stage(scene, directory)
    mishaps = Mishaps(stage)
    began = time.monotonic()
    try:
        stage.open()
        assert stage.publisher is not None
        while stage.publisher.poll() is None or sum(mishaps.counts.values()) < scene.mishaps:
            mishaps.wait()
            mishaps.happen()
        until = time.monotonic() + scene.within
        while stage.left() != (0, 0) and time.monotonic() < until:
            stage.keep()
            time.sleep(0.1)
        outcome = Outcome(mishaps.counts, restarts=stage.restarts, seconds=time.monotonic() - began)
        outcome.pending, outcome.unread = stage.left()
    finally:
        stage.close()
    _read(outcome, stage)
    return outcome


def _read(outcome: Outcome, stage: Stage) -> None:
    for line in Path(stage.log).read_text().splitlines():
        name, _, found = line.partition(" ")
        outcome.arrived.setdefault(name, []).append(found)
    for path in Path(stage.directory, "letters").glob("*.jsonl*"):
        if not path.name.endswith(".lock"):
            outcome.letters += [json.loads(line) for line in path.read_text().splitlines()]
    outcome.lost = json.loads(Path(stage.directory, "published").read_text() or '{"lost": -1}')["lost"]


def problems(scene: Scene, outcome: Outcome) -> list[str]:
    """What is not as it should be; nothing, in a good run."""
    from llmproxy.core.events import encode

    stage = Stage(scene, "")
    paths = dict.fromkeys(stage.poisoned, POISON) | dict.fromkeys(stage.deadly, DEADLY)
    buried = Counter(each["event"]["id"] for each in outcome.letters if isinstance(each["event"], dict))
    found = []
    for number in range(scene.count):
        name, path = id_of(number), paths.get(number, "/v1/chat/completions")
        if path != "/v1/chat/completions":
            if name not in buried:
                found.append(f"event {number} ({path}) is no dead letter")
            if name in outcome.arrived:
                found.append(f"event {number} ({path}) has arrived")
            continue
        if name in buried:
            found.append(f"event {number} is a dead letter, and nothing is wrong with it")
        elif name not in outcome.arrived:
            found.append(f"event {number} is lost")
        elif set(outcome.arrived[name]) != {digest(json.loads(encode(numbered(number))))}:
            found.append(f"event {number} came as another")
    garbage = sum(each["event"] == "no event" for each in outcome.letters)
    if garbage < scene.garbage:
        found.append(f"of {scene.garbage} entries that are no events {garbage} are dead letters")
    if (outcome.lost, outcome.pending, outcome.unread) != (0, 0, 0):
        found.append(f"lost {outcome.lost}, not acknowledged {outcome.pending}, not read {outcome.unread}")
    unknown = set(outcome.arrived) - {id_of(number) for number in range(scene.count)}
    if unknown:
        found.append(f"{len(unknown)} came that were never published")
    return found[:20]


def lines(scene: Scene, outcome: Outcome) -> list[str]:
    """For people."""
    deeds = ", ".join(f"{count} x {name}" for name, count in sorted(outcome.mishaps.items()))
    bad = problems(scene, outcome)
    times = sum(len(each) for each in outcome.arrived.values())
    return [
        f"{scene.count:,} events in {outcome.seconds:.0f} s; {sum(outcome.mishaps.values())} mishaps: {deeds}",
        f"dispatchers were started again {outcome.restarts} times",
        f"arrived: {len(outcome.arrived):,} events, {outcome.twice:,} of them more than once ({times:,} in all)",
        f"dead letters: {len(outcome.letters)}; lost: {outcome.lost}; not acknowledged: {outcome.pending}",
        *(bad or ["nothing is wrong"]),
    ]
