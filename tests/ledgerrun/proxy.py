"""A proxy with workers, in processes of its own, which are killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from glob import glob
from pathlib import Path

from ..integration.processes import MANAGEMENT_TOKEN, TWISTD, environment, free_port

CONFIG = """\
default_api: llm
apis:
  llm:
    base_url: http://127.0.0.1:{upstream}
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
    auth: none
    dialect: openai
"""
STARTS_WITHIN = 30.0


class KilledProxy:
    """
    @param directory: where its configuration, its log and its ledger are.
    @param url: of its database.
    @param sharing: how many such proxies there are beside one file of SQLite.
    @param workers: 0 for one process alone.
    @param more: further lines of its configuration.
    @ivar ledger: where its ledger is.
    @ivar worker_kills: workers that were killed.
    @ivar proxy_kills: how often all of it was.
    """

    def __init__(
        self,
        directory: str,
        url: str,
        upstream: int,
        workers: int,
        seed: int,
        sharing: int = 1,
        more: str = "",
        twistd: Sequence[str] = TWISTD,
    ) -> None:
        self.directory = directory
        beside = url.startswith("sqlite:///")
        self.ledger = os.path.join(
            os.path.dirname(url.removeprefix("sqlite:///")) if beside else os.path.join(directory, "data"), "ledger"
        )
        self._writers = max(1, workers * sharing if beside else workers)
        self._twistd = twistd
        self.port = free_port()
        self._url = url
        self._workers = workers
        self._draw = random.Random(seed)
        self._process: subprocess.Popen[bytes] | None = None
        self.worker_kills = self.proxy_kills = 0
        os.makedirs(directory, exist_ok=True)
        Path(directory, "apis.yaml").write_text(CONFIG.format(upstream=upstream) + more)

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [*self._twistd, "-n", "--pidfile=", "llmproxy", "--config", "apis.yaml", "--listen"]
        command += [f"tcp:{self.port}:interface=127.0.0.1", "--drain", "5s"]
        command += ["--workers", str(self._workers)] if self._workers else []
        more = {
            "DATABASE_URL": self._url,
            "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN,
            "ACCESS_LOG": "none",
            "AUDIT_ENABLED": "false",
        }
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.directory, env=environment(**more), stdout=log, stderr=log, start_new_session=True
            )
        await self._until(STARTS_WITHIN, lambda: self._says("/ready") == "ready\n")

    async def harass(self, between: float, whole_of: int) -> None:
        """
        Kill a worker every C{between} seconds or so, and every so many times all of it; until it is cancelled.
        """
        while True:
            await asyncio.sleep(between * (0.5 + self._draw.random()))
            if self._draw.randrange(whole_of):
                self.kill_worker()
            else:
                self.kill()
                await self.start()

    def kill(self) -> None:
        """All of its processes at once."""
        assert self._process is not None
        self.proxy_kills += 1
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    async def settled(self, within: float) -> None:
        """Wait until nothing waits for the database, in any worker, and what the dead have left is settled too."""
        await self._until(within, self._is_settled)

    async def stop(self) -> int:
        """End it in order; its status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.get_running_loop().run_in_executor(None, self._process.wait, 30)

    def remove(self) -> None:
        """Whatever is left of it."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def kill_worker(self) -> None:
        """One of those that run."""
        workers = self._worker_pids()
        if workers:
            self.worker_kills += 1
            with suppress(ProcessLookupError):
                os.kill(self._draw.choice(workers), signal.SIGKILL)

    def _worker_pids(self) -> list[int]:
        assert self._process is not None
        found = []
        for path in glob("/proc/[0-9]*/stat"):
            with suppress(OSError):
                fields = Path(path).read_text().rpartition(")")[2].split()
                if int(fields[1]) == self._process.pid and fields[0] != "Z":
                    found.append(int(path.split("/")[2]))
        return sorted(found)

    def _is_settled(self) -> bool:
        writers = {name.partition(".")[0] for name in os.listdir(self.ledger)}
        return self.metric("llmproxy_ledger_waiting") == 0 and len(writers) == self._writers

    def metric(self, name: str) -> float:
        """What it says of one without labels; -1 while it says nothing."""
        lines = [line.split() for line in self._says("/metrics").splitlines()]
        return next((float(words[1]) for words in lines if words[:1] == [name]), -1.0)

    def _says(self, path: str) -> str:
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": "text/plain"})
        with suppress(OSError), urllib.request.urlopen(asked, timeout=5) as answer:
            return answer.read().decode()
        return ""

    async def _until(self, seconds: float, happens: object) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not await loop.run_in_executor(None, happens):  # type: ignore[arg-type]
            assert self._process is not None
            if loop.time() > until or self._process.poll() is not None:
                log = Path(self.directory, "log").read_text(errors="replace")[-3000:]
                raise AssertionError(f"it never came; status {self._process.poll()}:\n{log}")
            await asyncio.sleep(0.1)
