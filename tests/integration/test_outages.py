"""What users see while the database is away; L{tests.integration.outage} shows it as a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twisted.trial.unittest import TestCase

from llmproxy.store import backend as locations
from llmproxy.store import database as database_module

from .databases import clean_database, server
from .harness import MANAGEMENT_TOKEN
from .outage import LIMIT, Scene, Seen, full, locked, scenes

if TYPE_CHECKING:
    _Base = TestCase
else:
    _Base = object


class _Outages(_Base):
    timeout = 120

    def setUp(self) -> None:
        # Ten seconds for what does not answer are too long for a test.
        self.patch(locations, "BUSY_TIMEOUT", 1.0)
        self.patch(locations, "LOCKED_TIMEOUT", 1.0)
        self.patch(locations, "CONNECT_TIMEOUT", 1)
        self.patch(database_module, "BUSY_TIMEOUT", 1.0)
        self.patch(database_module, "CHECK_WITHIN", 0.5)

    def nothing_is_lost(self, seen: Seen) -> None:
        """Who was known works on; each use is counted, once; who needs a new lease meanwhile gets 503."""
        self.assertEqual(set(seen.warm.statuses), {200})
        self.assertEqual(seen.warm_counted, seen.warm.statuses[200])
        self.assertEqual(seen.limited_counted, seen.limited.statuses[200])
        self.assertLessEqual(set(seen.limited.statuses), {200, 503})
        self.assertLess(seen.limited_counted, LIMIT)


class _ServerOutages(_Outages):
    kind = ""

    async def play(self, name: str) -> Seen:
        one = server(self.kind)
        self.addCleanup(lambda: one.process is None and one.start())
        self.addCleanup(one.resume)
        scene = Scene(clean_database(self, self.kind))
        await scene.start()
        self.addCleanup(scene.stop)
        seen = await scene.play(*scenes(self.kind)[name])
        self.nothing_is_lost(seen)
        return seen

    def was_away(self, seen: Seen) -> None:
        """What could not be known or done was refused as such, and nothing of it was acknowledged."""
        self.assertEqual((seen.cold_status, seen.changed), (503, 503))
        self.assertGreaterEqual(seen.unready_after, 0.0)
        self.assertGreaterEqual(seen.ready_after, 0.0)

    async def test_stopped(self) -> None:
        """A server that is stopped and started again."""
        self.was_away(await self.play("stopped"))

    async def test_paused(self) -> None:
        """A server that keeps its connections and says nothing."""
        self.was_away(await self.play("paused"))

    async def test_restarted(self) -> None:
        """A server that is restarted: the connections that died are replaced, and nobody notices."""
        seen = await self.play("restarted")
        self.assertEqual((seen.cold_status, seen.changed), (200, 204))


class PostgresqlOutageTests(_ServerOutages, TestCase):
    kind = "postgresql"


class MysqlOutageTests(_ServerOutages, TestCase):
    kind = "mysql"


class SqliteOutageTests(_Outages, TestCase):
    async def test_full(self) -> None:
        """A full disk: what is known is known, nothing that could not be written was acknowledged, nothing is lost."""
        seen = await full()
        self.nothing_is_lost(seen)
        self.assertEqual(seen.cold_status, 200)
        self.assertIn(503, (seen.changed, *seen.limited.statuses))

    async def test_locked(self) -> None:
        """Another process writes and takes its time: reading goes on, writing is refused and C{/ready} says so."""
        seen = await locked(clean_database(self, "sqlite"))
        self.nothing_is_lost(seen)
        self.assertEqual((seen.cold_status, seen.changed), (200, 503))
        self.assertGreaterEqual(seen.unready_after, 0.0)
        self.assertGreaterEqual(seen.ready_after, 0.0)

    async def test_removed(self) -> None:
        """The file goes: who is known works on, and nothing is acknowledged that would be gone with the process."""
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        scene = Scene(f"sqlite:///{directory}/d.db")
        await scene.start()
        self.addCleanup(scene.stop)
        self.assertEqual((await scene.get("/v1/x", scene.secrets["warm"]))[0], 200)
        os.rename(directory, directory + ".gone")
        self.assertEqual((await scene.get("/ready"))[0], 503)
        changed, _ = await scene.get("/manage/tokens/cold0", MANAGEMENT_TOKEN, b"DELETE")
        self.assertEqual(changed, 503)
        self.assertEqual((await scene.get("/v1/x", scene.secrets["limited"]))[0], 503)
        self.assertEqual((await scene.get("/v1/x", scene.secrets["warm"]))[0], 200)
        os.rename(directory + ".gone", directory)
        self.assertEqual((await scene.get("/ready"))[0], 200)
        changed, _ = await scene.get("/manage/tokens/cold0", MANAGEMENT_TOKEN, b"DELETE")
        self.assertEqual(changed, 204)
