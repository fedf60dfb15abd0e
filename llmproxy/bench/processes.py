"""Processes of a measurement, load and upstream: their start and their results."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from attrs import evolve

from .framing import Response
from .slots import CONNECT_TIMEOUT, connect
from .values import LoadSpec, Result, Target

GRACE = 60.0
"""Seconds that a load process may be silent beyond what its run takes."""


class LoadFailed(Exception):
    """A load process ended without a result, or a target does not answer."""


def share(spec: LoadSpec, processes: int) -> list[LoadSpec]:
    """The same load in equal parts; only the first part watches the other processes."""
    processes = max(1, min(processes, spec.connections))
    parts = []
    for index in range(processes):
        connections = spec.connections // processes + (index < spec.connections % processes)
        rate = spec.rate * connections / spec.connections
        phase = index / spec.rate if spec.rate else 0.0
        requests = spec.requests // processes + (index < spec.requests % processes)
        pids = spec.pids if index == 0 else ()
        parts.append(evolve(spec, connections=connections, requests=requests, rate=rate, phase=phase, pids=pids))
    return parts


class LoadProcess:
    """One C{llmproxy.bench.worker}."""

    def __init__(self, spec: LoadSpec) -> None:
        self.done = 0
        self.result: Result | None = None
        # A Ctrl-C is this process's to answer, with the figures so far.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "llmproxy.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._say(json.dumps(spec.to_json()))

    @property
    def output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def ready(self) -> None:
        """Wait until it is connected."""
        message = self._hear()
        if "ready" not in message:
            raise LoadFailed("a load process did not start")

    def go(self) -> None:
        self._say("go")

    def _hear(self) -> dict[str, Any]:
        line = self.output.readline()
        if not line:
            raise LoadFailed("a load process ended early; its error is above")
        message: dict[str, Any] = json.loads(line)
        return message

    def hear(self) -> bool:
        """Take in one message; whether that was the result."""
        message = self._hear()
        if "result" in message:
            self.result = Result.from_json(message["result"])
        else:
            self.done = message["done"]
        return self.result is not None

    def end(self) -> None:
        """However it stands with it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait()


def run(specs: Sequence[LoadSpec], progress: Callable[[int], object] = lambda done: None) -> Result:
    """
    Run these at the same time, and add up what they counted.

    @param progress: called with how many answers have come, some times a second.
    @raise LoadFailed: one of them ended early, or is silent for too long.
    """
    processes: list[LoadProcess] = []
    try:
        processes.extend(LoadProcess(spec) for spec in specs)
        for process in processes:
            process.ready()
        for process in processes:
            process.go()
        _listen(processes, progress)
        total = Result()
        for process in processes:
            assert process.result is not None
            total.add(process.result)
        return total
    finally:
        for process in processes:
            process.end()


def _listen(processes: Sequence[LoadProcess], progress: Callable[[int], object]) -> None:
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process.output, selectors.EVENT_READ, process)
        while selector.get_map():
            ready = selector.select(GRACE)
            if not ready:
                raise LoadFailed(f"a load process was silent for {GRACE:.0f} s")
            for key, _ in ready:
                if key.data.hear():
                    selector.unregister(key.fileobj)
            progress(sum(process.done for process in processes))


@contextmanager
def fast_upstream(port: int = 0, events: int = 100, interval: float = 50.0) -> Iterator[tuple[int, int]]:
    """
    The upstream for benchmarks in a process of its own: its port and pid.

    @param interval: milliseconds between two of the C{events} of a stream whose request does not say.
    @raise LoadFailed: the port is taken.
    """
    arguments = [sys.executable, "-m", "llmproxy.bench.upstream", str(port), str(events), str(interval)]
    process = subprocess.Popen(  # noqa: S603
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise LoadFailed(f"no upstream on port {port}")
        yield int(line), process.pid
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()


def probe(target: Target, request: bytes, timeout: float = CONNECT_TIMEOUT) -> tuple[int, bytes]:
    """
    One request, to learn what a right answer is: its status and content.

    @raise LoadFailed: there is no whole answer.
    """
    spec = LoadSpec("closed", target.host, target.port, "", tls=target.tls)
    try:
        with connect(spec) as sock:
            sock.settimeout(timeout)
            sock.sendall(request)
            return _answer(sock, time.monotonic() + timeout)
    except (OSError, ValueError) as failure:
        raise LoadFailed(f"{target.name} ({target.shown}): {failure}") from failure


def _answer(sock: socket.socket, deadline: float) -> tuple[int, bytes]:
    response, content = Response(), b""
    while not response.complete:
        data = sock.recv(65536)
        if time.monotonic() > deadline:
            raise OSError("no answer in time")
        if not data:
            break
        content += response.feed(data)
    if not response.closed() or response.head is None:
        raise OSError("the answer is cut short")
    return response.head.status, content
