"""The ledger of a real proxy while its database is away, and while its disk is full: nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ..ledgerrun.clients import Client, Seen
from ..ledgerrun.judgement import Kept, problems
from ..ledgerrun.proxy import KilledProxy
from ..ledgerrun.run import SETTLES_WITHIN, Scene, kept_in, prepare
from ..ledgerrun.upstream import Upstream
from .databases import server

SET_BACK = (
    sys.executable,
    "-c",
    "import os, time; now = time.time; time.time = lambda: now() - 3600 * os.path.exists('back'); "
    "from twisted.scripts.twistd import run; run()",
)
"""C{twistd} whose clock is set back by an hour once there is a file."""

CLIENTS = 8
PATIENCE = 30.0


class Outage:
    """
    A proxy of one worker, which knows the tokens that it was asked with before, and what was asked of it.

    @param options: of L{KilledProxy}.
    """

    def __init__(self, directory: str, url: str, **options: Any) -> None:
        self._secrets = prepare(url, Scene())[:2]
        self._url = url
        self.upstream, self.seen = Upstream(1), Seen()
        self._numbers = iter(range(100_000))
        self._make = lambda: KilledProxy(directory, url, self.upstream.port, **{"workers": 1, "seed": 1, **options})

    async def start(self) -> None:
        await self.upstream.start()
        self.proxy = self._make()
        await self.proxy.start()

    async def ask(self, count: int) -> None:
        """All of these are answered, whatever is away."""
        before, names = self.seen.statuses[200], iter([f"lo-{next(self._numbers):06}" for _ in range(count)])
        clients = [
            Client(self.proxy.port, self._secrets, names, self.seen, random.Random(number)) for number in range(CLIENTS)
        ]
        await asyncio.gather(*(client.run() for client in clients))
        assert self.seen.statuses[200] - before == count, self.seen.statuses

    async def says(self, name: str, enough: Callable[[float], bool]) -> None:
        """Wait for what a metric of all workers together says."""
        until = time.monotonic() + PATIENCE
        while not enough(found := self.proxy.metric(name)):
            assert time.monotonic() < until, (name, found)
            await asyncio.sleep(0.1)

    async def ended(self) -> Kept:
        await self.proxy.settled(SETTLES_WITHIN)
        await self.proxy.stop()
        return kept_in(self._url)

    def close(self) -> None:
        self.proxy.remove()
        self.upstream.stop()


class LedgerOutageTests(SynchronousTestCase):
    def play(self, outage: Outage, scene: Callable[[], Awaitable[None]]) -> None:
        """What was answered is there, once, with the numbers of upstream."""

        async def play() -> Any:
            try:
                await outage.start()
                await scene()
                return await outage.ended()
            finally:
                outage.close()

        kept = asyncio.run(play())
        self.assertEqual(problems(outage.seen, outage.upstream.asked, kept), [])
        self.assertEqual(os.listdir(outage.proxy.ledger), [])

    def test_database_away(self) -> None:
        """While PostgreSQL is stopped records wait in files, of killed processes too; then they are there, once."""
        one = server("postgresql")
        outage = Outage(self.directory(), one.new_database())
        self.addCleanup(lambda: one.process is None and one.start())

        async def scene() -> None:
            await outage.ask(100)
            await outage.says("llmproxy_ledger_waiting", lambda found: found == 0)
            one.stop()
            await outage.ask(150)
            await outage.says("llmproxy_ledger_waiting", lambda found: found == 150)
            await outage.says("llmproxy_ledger_oldest_seconds", lambda found: found > 1)
            outage.proxy.kill_worker()
            await asyncio.sleep(1.0)
            one.start()

        self.play(outage, scene)

    def test_full(self) -> None:
        """While the disk of the ledger is full records go through memory, which is said; then there are files again."""
        directory = self.directory()
        ledger = os.path.join(directory, "data", "ledger")
        os.makedirs(ledger)
        mounting = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", ledger]
        if os.geteuid() or subprocess.run(mounting, check=False, capture_output=True).returncode:
            raise SkipTest("a file system of its own cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", ledger], check=False)
        outage = Outage(directory, f"sqlite:///{directory}/data/llmproxy.db", more="ledger: {most_waiting: 1MiB}\n")
        junk = os.path.join(ledger, "junk")

        async def fill() -> None:
            """All that there is, and what becomes free of settled files."""
            with open(junk, "wb", buffering=0) as file:
                while True:
                    try:
                        file.write(b"x" * 4096)
                    except OSError:
                        await asyncio.sleep(0.01)

        async def scene() -> None:
            await outage.ask(50)
            filling = asyncio.ensure_future(fill())
            await asyncio.sleep(0.1)
            await outage.ask(600)
            await outage.says("llmproxy_ledger_in_memory", lambda found: found >= 1)
            await outage.says("llmproxy_ledger_lost_total", lambda found: found == 0)
            filling.cancel()
            await asyncio.wait([filling])
            os.remove(junk)
            await outage.says("llmproxy_ledger_in_memory", lambda found: found == 0)
            await outage.ask(50)

        self.play(outage, scene)

    def test_clock_set_back(self) -> None:
        """A clock that is set back by an hour stops nothing: what ends then is settled as soon as ever."""
        directory = self.directory()
        outage = Outage(directory, f"sqlite:///{directory}/data/llmproxy.db", workers=0, twistd=SET_BACK)

        async def scene() -> None:
            await outage.ask(20)
            open(os.path.join(directory, "back"), "w").close()
            await outage.ask(20)
            await outage.says("llmproxy_ledger_waiting", lambda found: found == 0)
            await outage.ask(20)

        self.play(outage, scene)

    def directory(self) -> str:
        directory = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(directory, "data"))
        return directory
