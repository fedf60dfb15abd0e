"""The run of a webhook and a file: processes that are killed and paused, and what is judged at the end."""

from __future__ import annotations

import glob
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field, frozen

from .receiver import POISONED_EVERY, is_poisoned

ROOT = Path(__file__).parents[2]

IN_MEMORY = 2000 + 2000
"""Events that a sender which is killed may lose: those of its queue, and those on their way to the disk."""

PATIENCE = 180.0


@frozen
class Scene:
    """
    @ivar events: how many.
    @ivar rate: of them a second.
    @ivar kills: the sender is killed too (SIGKILL), and may lose what is in its memory.
    """

    events: int
    seed: int
    rate: int = 2000
    kills: bool = False


@define
class Outcome:
    """
    @ivar at_hook: how often each event came to the webhook, by its number; C{in_file} likewise.
    @ivar dead: those in the dead letters of the webhook.
    @ivar lost: what the sinks counted as lost.
    @ivar faults: what was done, by its name.
    @ivar killed_at: how many events had been published when the sender was killed.
    """

    at_hook: Counter[int] = field(factory=Counter)
    in_file: Counter[int] = field(factory=Counter)
    dead: Counter[int] = field(factory=Counter)
    lost: int = 0
    faults: Counter[str] = field(factory=Counter)
    killed_at: list[int] = field(factory=list)
    took: float = 0.0


class Stage:
    """The processes of a run."""

    def __init__(self, scene: Scene, directory: str) -> None:
        self._scene = scene
        self._directory = directory
        self._chance = random.Random(scene.seed)
        with socket.create_server(("127.0.0.1", 0)) as one:
            self._port = one.getsockname()[1]
        self._starts = 0
        self._output = os.path.join(directory, "sender.out")
        self._receiver = self._start_receiver()
        self._sender = self._start_sender()
        self.outcome = Outcome()

    def play(self) -> Outcome:
        begun = time.monotonic()
        try:
            while self.published() < self._scene.events:
                time.sleep(self._chance.uniform(0.2, 1.0))
                self._do(self._chance.choice(list(self._faults())))
                for process in (self._sender, self._receiver):
                    assert process.poll() is None, Path(self._directory, "stderr").read_text()[-2000:]
            self._wait()
            self._end(self._sender, signal.SIGTERM)
        finally:
            for process in (self._sender, self._receiver):
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                process.wait(10)
        self.outcome.took = time.monotonic() - begun
        self._judge()
        return self.outcome

    def published(self) -> int:
        """How many events the sender says that it has published."""
        said = [line.split() for line in Path(self._output).read_text().splitlines() if line.startswith("published")]
        return max((int(words[1]) - 1 for words in said if len(words) == 2 and words[1].isdigit()), default=0)

    def _faults(self) -> Iterator[str]:
        yield from ("receiver killed", "receiver killed", "receiver paused", "receiver paused", "nothing")
        yield "sender killed" if self._scene.kills else "sender stopped"

    def _do(self, fault: str) -> None:
        self.outcome.faults[fault] += 1
        if fault == "receiver killed":
            self._end(self._receiver, signal.SIGKILL)
            time.sleep(self._chance.uniform(0, 1.5))
            self._receiver = self._start_receiver()
        elif fault == "receiver paused":
            self._receiver.send_signal(signal.SIGSTOP)
            time.sleep(self._chance.uniform(0, 1.5))
            self._receiver.send_signal(signal.SIGCONT)
        elif fault.startswith("sender"):
            killed = fault == "sender killed"
            self._end(self._sender, signal.SIGKILL if killed else signal.SIGTERM)
            if killed:
                self.outcome.killed_at.append(self.published())
            self._sender = self._start_sender()
            before = self.published()
            for _ in range(400):
                if self.published() > before or before >= self._scene.events:
                    break
                time.sleep(0.05)

    def _start_receiver(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        seed = self._scene.seed * 1000 + self._starts
        process = self._start("receiver", self._port, os.path.join(self._directory, "hook.log"), seed)
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self._port)) == 0:
                    break
            time.sleep(0.05)
        return process

    def _start_sender(self) -> subprocess.Popen[bytes]:
        Path(self._output).touch()
        first = self.published() + 1
        count = self._scene.events - first + 1
        return self._start("sender", self._port, self._directory, first, count, self._scene.rate)

    def _start(self, module: str, *arguments: object) -> subprocess.Popen[bytes]:
        with open(self._output, "ab") as out, open(os.path.join(self._directory, "stderr"), "ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", f"tests.sinkrun.{module}", *map(str, arguments)],
                cwd=ROOT,
                stdout=out,
                stderr=errors,
            )

    def _end(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        process.send_signal(number)
        process.wait(30)

    def _wait(self) -> None:
        """Nothing more happens: everything arrives."""
        deadline = time.monotonic() + PATIENCE
        expected = self._scene.events - self._scene.events // POISONED_EVERY
        before = -1
        while time.monotonic() < deadline:
            time.sleep(1)
            found = len(numbers(Path(self._directory, "hook.log")))
            if found >= expected or (self._scene.kills and found == before and not self._spooled()):
                break
            before = found
        time.sleep(1)

    def _spooled(self) -> list[str]:
        return glob.glob(os.path.join(self._directory, "*", "slot-*", "*.jsonl"))

    def _judge(self) -> None:
        outcome, directory = self.outcome, self._directory
        outcome.at_hook = numbers(Path(directory, "hook.log"))
        for path in glob.glob(os.path.join(directory, "events.jsonl*")):
            if not path.endswith(".lock"):
                outcome.in_file += _ids(Path(path))
        for path in glob.glob(os.path.join(directory, "hook.dead.jsonl*")):
            if not path.endswith(".lock"):
                outcome.dead += _ids(Path(path), "event")
        for line in Path(self._output).read_text().splitlines():
            words = line.split()
            if words[:1] == ["sink"]:
                outcome.lost += int(words[4])


def numbers(path: Path) -> Counter[int]:
    """Of a log of ids; the last line may be cut."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return Counter(int(line.rpartition("-")[2]) for line in lines if line.startswith("e-"))


def _ids(path: Path, below: str = "") -> Counter[int]:
    found: Counter[int] = Counter()
    for line in path.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            # Half a line of a sender that was killed; what it was to say comes again.
            continue
        id = (event[below] if below else event)["id"]
        if id.startswith("e-"):
            found[int(id[2:])] += 1
    return found


def problems(scene: Scene, outcome: Outcome) -> list[str]:
    """What is not as it is promised."""
    found = []
    all_of_them = set(range(1, scene.events + 1))
    poisoned = {number for number in all_of_them if is_poisoned(f"e-{number}")}
    for name, came, never in (("webhook", outcome.at_hook, poisoned), ("file", outcome.in_file, set[int]())):
        missing = {each for each in all_of_them - never - came.keys() if not _may_be_lost(each, outcome.killed_at)}
        if missing:
            found.append(f"{name}: {len(missing)} events did not arrive, among them {sorted(missing)[:5]}")
        if came.keys() - all_of_them:
            found.append(f"{name}: events arrived that were never sent")
    wrong = outcome.dead.keys() - poisoned
    if wrong:
        found.append(f"dead letters: {len(wrong)} that are not poisoned, among them {sorted(wrong)[:5]}")
    alive = {each for each in poisoned - outcome.dead.keys() if not _may_be_lost(each, outcome.killed_at)}
    if alive:
        found.append(f"dead letters: {len(alive)} poisoned events are not there, among them {sorted(alive)[:5]}")
    if outcome.at_hook.keys() & poisoned:
        found.append("webhook: it has taken what it never takes")
    if outcome.lost:
        found.append(f"{outcome.lost} events were counted as lost")
    return found


def _may_be_lost(number: int, killed_at: list[int]) -> bool:
    return any(at - IN_MEMORY < number <= at + 200 for at in killed_at)


def lines(scene: Scene, outcome: Outcome) -> Iterator[str]:
    """What happened, for people."""
    again = sum(outcome.at_hook.values()) - len(outcome.at_hook)
    faults = ", ".join(f"{count} x {what}" for what, count in outcome.faults.items())
    yield f"{scene.events} events in {outcome.took:.0f} s; {faults}"
    yield f"webhook: {len(outcome.at_hook)} events, {again} of them again; {len(outcome.dead)} dead letters"
    yield f"file: {len(outcome.in_file)} events; counted as lost: {outcome.lost}"
    if scene.kills:
        missing = scene.events - len(outcome.in_file)
        yield f"killed {len(outcome.killed_at)} times: {missing} events are in no file, {IN_MEMORY} each time may be"
    yield from problems(scene, outcome) or ["all is as it is promised"]
