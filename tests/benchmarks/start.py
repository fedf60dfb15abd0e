"""
How long a start takes and what memory the proxy has at rest: C{python -m tests.benchmarks.start}.

C{twistd llmproxy} is started again and again, with a new database, with one that is there, and with two workers, until
C{/ready} answers 200; in turns with a bare Python and with C{twistd web}, a stock C{Site} with files. Memory (C{VmRSS},
and of it what no file has, C{RssAnon}) is read a little later. Then what imports take, each in a process of its own.
C{python -m tests.benchmarks.atrest} tells what the memory is taken by.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from llmproxy.bench.proc import family
from llmproxy.bench.proxied import CONFIG

from .proxied import free_port

TWISTD = "from twisted.scripts.twistd import run; run()"
KEYS = {"MANAGEMENT_TOKEN": "benchmark", "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}


def answers(port: int) -> bool:
    """Whether C{/ready} is answered with 200 now."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"GET /ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            return client.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


class Started:
    """One process that serves: how long it took, and what it has at rest."""

    def __init__(self, command: list[str], port: int, directory: str) -> None:
        began = time.perf_counter()
        with open(Path(directory, "log"), "w") as log:
            self.process = subprocess.Popen(
                command, cwd=directory, env={**os.environ, **KEYS, "PYTHONPATH": os.getcwd()}, stdout=log, stderr=log
            )
        while not answers(port):
            assert self.process.poll() is None, Path(directory, "log").read_text()
            time.sleep(0.002)
        self.seconds = time.perf_counter() - began

    def memory(self) -> list[tuple[float, float]]:
        """MiB of the process, and of each of its children; all, and what no file has."""
        return [held(pid) for pid in sorted(family([self.process.pid]), key=lambda pid: pid != self.process.pid)]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def held(pid: int) -> tuple[float, float]:
    """What C{proc(5)} says of one process, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    all_of_it, own = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return all_of_it, own


def workers(directory: str, port: int) -> list[str]:
    return [*twistd(directory, port), "--workers", "2"]


def twistd(directory: str, port: int) -> list[str]:
    listen = f"tcp:{port}:interface=127.0.0.1"
    return [sys.executable, "-c", TWISTD, "-n", "--pidfile", "", "llmproxy", "--config", "apis.yaml",
            "--database", "sqlite:///llmproxy.db", "--listen", listen, "--access-log", "access.log"]  # fmt: skip


def stock(directory: str, port: int) -> list[str]:
    return [sys.executable, "-c", TWISTD, "-n", "--pidfile", "", "web", "--listen", f"tcp:{port}", "--path", directory]


def took(script: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], check=True)
    return time.perf_counter() - began


def imported(name: str) -> float:
    """Seconds of the import itself."""
    script = f"import time; b=time.perf_counter(); import {name}; print(time.perf_counter() - b)"
    return float(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)


class Starts:
    """
    All kinds of starts in turn.

    @ivar seconds: by kind.
    @ivar mib: memory at rest by kind, all and what no file has.
    """

    def __init__(self, settle: float) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.mib: dict[str, list[tuple[float, float]]] = {}
        self._settle = settle

    def turn(self) -> None:
        self._note("python -c pass", took("pass"))
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "ready").write_text("ok")
            self._serve("twistd web", directory, stock)
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "apis.yaml").write_text(CONFIG.format(port=9))
            self._serve("twistd llmproxy, new database", directory, twistd)
            self._serve("twistd llmproxy", directory, twistd)
            self._serve("twistd llmproxy, two workers", directory, workers)

    def _serve(self, name: str, directory: str, command: Callable[[str, int], list[str]]) -> None:
        port = free_port()
        started = Started(command(directory, port), port, directory)
        try:
            time.sleep(self._settle)
            first, *children = started.memory()
            self.mib.setdefault(name, []).append(first)
            if children:
                self.mib.setdefault("each worker of them", []).extend(children)
        finally:
            started.stop()
        self._note(name, started.seconds)

    def _note(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def show(self) -> None:
        print("| start | median s | fastest s | at rest MiB | of them its own |\n|---|---|---|---|---|")
        for name in {**self.seconds, **self.mib}:
            seconds, mib = self.seconds.get(name), self.mib.get(name)
            times = f"{statistics.median(seconds):.2f} | {min(seconds):.2f}" if seconds else "- | -"
            held = " | ".join(f"{statistics.median(each):.1f}" for each in zip(*mib)) if mib else "- | -"
            print(f"| {name} | {times} | {held} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--settle", type=float, default=2.0, help="seconds until memory at rest is read")
    options = parser.parse_args()
    starts = Starts(options.settle)
    for _round in range(options.rounds):
        starts.turn()
    starts.show()
    print("\n| import | median ms | fastest ms |\n|---|---|---|")
    for name in ("llmproxy", "llmproxy.tap", "llmproxy.service", "twisted.web.server"):
        times = [imported(name) * 1000 for _ in range(options.rounds)]
        print(f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} |")


if __name__ == "__main__":
    main()
