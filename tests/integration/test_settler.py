"""Tests of the settler with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from sqlalchemy import func, select
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from llmproxy.app.settler import COMMAND, Settler
from llmproxy.errors import Unavailable
from llmproxy.store.engine import open_database
from llmproxy.store.schema import usage_records, usage_rollups
from llmproxy.store.settlerloop import framed
from llmproxy.store.usagerecords import UsageRecords

from ..tables import row
from ..usagereports import an_entry
from .databases import KINDS, new_database


class SettlerTests(TestCase):
    timeout = 180

    async def opened(self, kind: str = "sqlite") -> tuple[Any, str]:
        url = new_database(self, kind)
        database = open_database(reactor, url)
        await database.start()
        self.addCleanup(database.close)
        return database, url

    def settler(self, database: Any, url: str) -> Settler:
        settler = Settler(reactor, UsageRecords(reactor, database), url)
        self.addCleanup(settler.stop)
        return settler

    async def until_ready(self, settler: Settler) -> Any:
        while settler.process is None or not settler.process.ready:
            await deferLater(reactor, 0.05)
        return settler.process

    async def counted(self, database: Any) -> tuple[int, int]:
        """Records, and requests in the roll-ups, which are the same in each."""
        records = await database.read(lambda each: each.scalar(select(func.count()).select_from(usage_records)))
        rolled = select(func.sum(usage_rollups.c.requests)).group_by(usage_rollups.c.cube, usage_rollups.c.level)
        [requests] = await database.read(lambda each: set(map(int, each.scalars(rolled))))
        return records, requests

    async def settle(self, settler: Settler, batch: Any) -> int:
        """As the ledger does: until it is said to be written. How often that was."""
        for attempt in range(1, 100):
            try:
                await settler.settle(batch)
            except Unavailable:
                await deferLater(reactor, 0.05)
            else:
                return attempt
        raise AssertionError("not settled")

    async def test_killed(self) -> None:
        """Records that a process writes which is killed at any time stand in the database once each."""
        now = reactor.seconds()  # type: ignore[attr-defined]
        for kind in KINDS:
            with row(kind):
                database, url = await self.opened(kind)
                settler = self.settler(database, url)
                batches = [[an_entry(500 * each + number, now) for number in range(500)] for each in range(12)]
                for batch in batches[:4]:
                    await self.settle(settler, batch)
                process = await self.until_ready(settler)
                for batch in batches[4:8]:
                    self.assertEqual(await self.settle(settler, batch), 1)
                asked = self.settle(settler, batches[8])
                reactor.callLater(0.02, os.kill, process.transport.pid, signal.SIGKILL)  # type: ignore[attr-defined]
                await asked
                for batch in batches[9:]:
                    await self.settle(settler, batch)
                self.assertEqual(await self.counted(database), (6000, 6000))
                await settler.stop()

    async def test_gone_with_its_proxy(self) -> None:
        """A stop of all processes does not end it, the end of its input does: however its proxy has ended."""
        _, url = await self.opened()
        process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(framed(url.encode()))
        process.stdin.flush()
        self.assertTrue(process.stdout.read(8))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        await deferLater(reactor, 0.2)
        self.assertIsNone(process.poll())
        _, words = process.communicate(timeout=30)
        self.assertEqual((process.returncode, words), (0, b""))

    async def test_not_opened(self) -> None:
        """What it cannot open it names by what is wrong, without a secret of the URL."""
        url = "postgresql://u:password-canary@127.0.0.1:1/x"
        done = subprocess.run(COMMAND, input=framed(url.encode()), capture_output=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"Unavailable", done.stderr)
        self.assertNotIn(b"canary", done.stdout + done.stderr)

    def test_command(self) -> None:
        """Nothing of what is secret is in its arguments."""
        self.assertEqual(COMMAND, (sys.executable, "-m", "llmproxy.store.settlerloop"))
