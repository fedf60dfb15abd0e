"""
A proxy under load while something happens to its database, and what those who used it saw.

C{python -m tests.integration.outage} plays every scene with every database and prints a table.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

from attrs import Factory, define
from sqlalchemy import event
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Site

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.core.tokens import generate, hint, token_hash
from llmproxy.message import Project, Token
from llmproxy.service import Settings, make_service

from .databases import clean_database, server
from .harness import MANAGEMENT_TOKEN

reactor: Any = global_reactor
LIMIT = 100_000
CLIENTS = 3
"""For each token."""


class _Ok(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"ok"


@define
class Asker:
    """Requests with one token, one after the other by each of some clients, and how they were answered."""

    secret: str
    statuses: Counter[int] = Factory(Counter)
    longest: float = 0.0
    asking: bool = True
    running: list[Deferred[Any]] = Factory(list)


@define
class Seen:
    """
    What was seen. Durations are seconds.

    @ivar unready_after: until C{/ready} said so, from when it happened.
    @ivar ready_after: until it said that all is well, from when it was over; likewise C{cold_after} for a token
        that nobody had asked for before.
    @ivar changed: the status of a revocation while it happened.
    """

    warm: Asker
    limited: Asker
    unready_after: float = -1.0
    cold_status: int = 0
    cold_took: float = 0.0
    changed: int = 0
    ready_after: float = -1.0
    cold_after: float = -1.0
    warm_counted: int = 0
    limited_counted: int = 0
    leased: int = 0


class Scene:
    """A proxy with its upstream, and those who use it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 20
        self._agent = Agent(reactor, connectTimeout=5, pool=self._pool)
        self._cold: list[str] = []

    async def start(self) -> None:
        self._upstream = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Site(_Ok()))
        api = APIProviderConfig(
            base_url=f"http://127.0.0.1:{self._upstream.getHost().port}",
            allowed_endpoints=["/v1"],
            allowed_methods=["GET"],
        )
        options = Settings(
            apis=APIConfig({"api": api}, "api"),
            management_token=MANAGEMENT_TOKEN,
            encryption_key=bytes(32),
            database_url=self._url,
            listen=["tcp:0:interface=127.0.0.1"],
            access_log=None,
            drain_seconds=1.0,
        )
        self.service = make_service(reactor, options)
        self.service.startService()
        await self.service.started
        self.base = f"http://127.0.0.1:{self.service.ports[0].getHost().port}"  # type: ignore[attr-defined]
        await self._issue()

    async def stop(self) -> None:
        await self.service.stopService()
        await self._pool.closeCachedConnections()
        await maybeDeferred(self._upstream.stopListening)
        await deferLater(reactor, 0.05)

    async def _issue(self) -> None:
        database = self.service.proxy.database
        await database.projects.create(Project("p", "scene", {"api": ("sk-upstream",)}))
        self.secrets = {}
        for name in ("warm", "limited", *(f"cold{n}" for n in range(50))):
            secret = self.secrets[name] = generate(os.urandom)
            limit = LIMIT if name == "limited" else None
            made = Token(name, token_hash(secret.encode()), hint(secret), "p", None, max_requests=limit)
            await database.tokens.create(made)
        self._cold = [f"cold{n}" for n in range(50)]

    async def get(self, path: str, secret: str = "", method: bytes = b"GET") -> tuple[int, float]:
        """The status of an answer, and how long it took; 0 if there was none."""
        began = reactor.seconds()
        headers = Headers({b"Authorization": [b"Bearer " + secret.encode()]})
        try:
            response = await self._agent.request(method, (self.base + path).encode(), headers)
            await readBody(response)
            return response.code, reactor.seconds() - began
        except Exception:
            return 0, reactor.seconds() - began

    def ask(self, name: str) -> Asker:
        asker = Asker(self.secrets[name])

        async def go() -> None:
            while asker.asking:
                status, took = await self.get("/v1/x", asker.secret)
                asker.statuses[status] += 1
                asker.longest = max(asker.longest, took)
                await deferLater(reactor, 0.005)

        asker.running = [Deferred.fromCoroutine(go()) for _ in range(CLIENTS)]
        return asker

    async def ask_cold(self) -> tuple[int, float]:
        return await self.get("/v1/x", self.secrets[self._cold.pop()])

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> float:
        """Seconds until something is so."""
        began = reactor.seconds()
        while not await condition():
            if reactor.seconds() - began > seconds:
                raise AssertionError("it never came to be")
            await deferLater(reactor, 0.02)
        return reactor.seconds() - began

    async def is_ready(self) -> bool:
        return (await self.get("/ready"))[0] == 200

    async def is_unready(self) -> bool:
        return (await self.get("/ready"))[0] == 503

    async def cold_works(self) -> bool:
        return (await self.ask_cold())[0] == 200

    async def play(
        self, away: Callable[[], object], back: Callable[[], object], seconds: float, notices: bool = True
    ) -> Seen:
        """
        Load; C{away} happens; C{seconds} later C{back}.

        @param notices: whether C{/ready} notices what happens.
        """
        seen = Seen(self.ask("warm"), self.ask("limited"))
        await deferLater(reactor, 0.5)
        await deferToThread(away)
        over = deferLater(reactor, seconds)
        if notices:
            seen.unready_after = await self.until(self.is_unready)
        cold = Deferred.fromCoroutine(self.ask_cold())
        seen.changed, _ = await self.get("/manage/tokens/cold0", MANAGEMENT_TOKEN, b"DELETE")
        seen.cold_status, seen.cold_took = await cold
        await over
        await deferToThread(back)
        seen.ready_after = await self.until(self.is_ready)
        seen.cold_after = await self.until(self.cold_works)
        await deferLater(reactor, 0.5)
        await self._count(seen)
        return seen

    async def _count(self, seen: Seen) -> None:
        seen.warm.asking = seen.limited.asking = False
        await gatherResults([*seen.warm.running, *seen.limited.running])
        proxy = self.service.proxy
        await proxy.stored.quota.settle_all()
        seen.warm_counted = (await proxy.database.tokens.get("warm")).request_count  # type: ignore[union-attr]
        seen.limited_counted = (await proxy.database.tokens.get("limited")).request_count  # type: ignore[union-attr]


class FullDisk:
    """A small file system with an SQLite database in it; where none can be mounted, a limit of SQLite's own."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="llmproxy-")
        command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", self.directory]
        self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        self.url = f"sqlite:///{self.directory}/llm.db"

    def fill(self, scene: Scene) -> None:
        if not self.mounted:
            self._limit(scene, 1)
            return
        with open(f"{self.directory}/filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
        # What its log takes already SQLite goes on writing to: for as long as that is enough nothing happens.
        with closing(sqlite3.connect(f"{self.directory}/llm.db", isolation_level=None)) as connection:
            for size in (200_000, 4_000, 1):
                _hog(connection, size)

    def free(self, scene: Scene) -> None:
        if self.mounted:
            os.unlink(f"{self.directory}/filler")
        else:
            self._limit(scene, 1_000_000)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.directory], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _limit(self, scene: Scene, pages: int) -> None:
        """SQLite takes the present size where less is asked for."""

        def limit(connection: Any, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count={pages}")

        event.listen(scene.service.proxy.database._engine, "checkout", limit)


def _hog(connection: sqlite3.Connection, size: int) -> None:
    """Write so many bytes again and again, until nothing of that size finds room."""
    try:
        for number in range(10_000):
            name = f"hog{size}-{number}"
            connection.execute("INSERT INTO settings VALUES (?, ?)", (name, "x" * size))
    except sqlite3.OperationalError:
        return
    raise AssertionError("the disk is not full")


class Lock:
    """Another process that writes to the SQLite database, and takes its time."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), check_same_thread=False)
        self._connection.isolation_level = None

    def take(self) -> None:
        self._connection.execute("PRAGMA busy_timeout=10000")
        self._connection.execute("BEGIN IMMEDIATE")

    def leave(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.close()


Scenes = dict[str, tuple[Callable[[], object], Callable[[], object], float, bool]]


def scenes(kind: str) -> Scenes:
    """What can happen to a server: how it begins, how it ends, how long it takes, whether it shows."""
    one = server(kind)

    def restart() -> None:
        one.stop()
        one.start()

    return {
        "stopped": (one.stop, one.start, 3.0, True),
        "paused": (one.pause, one.resume, 3.0, True),
        "restarted": (restart, lambda: None, 0.0, False),
    }


async def full() -> Seen:
    """The disk of SQLite is full for a while."""
    disk = FullDisk()
    scene = Scene(disk.url)
    await scene.start()
    try:
        return await scene.play(lambda: disk.fill(scene), lambda: disk.free(scene), 3.0, disk.mounted)
    finally:
        await scene.stop()
        disk.remove()


async def locked(url: str) -> Seen:
    """Another process holds the lock of SQLite for a while."""
    scene = Scene(url)
    await scene.start()
    lock = Lock(url)
    try:
        return await scene.play(lock.take, lock.leave, 3.0, True)
    finally:
        await scene.stop()


async def _played(kind: str, name: str) -> Seen:
    from twisted.trial.unittest import SynchronousTestCase

    test: Any = SynchronousTestCase("run")
    if kind == "sqlite":
        return await (full() if name == "full" else locked(clean_database(test, kind)))
    scene = Scene(clean_database(test, kind))
    await scene.start()
    try:
        return await scene.play(*scenes(kind)[name])
    finally:
        await scene.stop()


async def _main() -> None:
    print(f"{'':21}  /ready says no, yes    cold token     change  longest  warm token          limited token")
    for kind in ("sqlite", "postgresql", "mysql"):
        for name in ("locked", "full") if kind == "sqlite" else ("stopped", "paused", "restarted"):
            seen = await _played(kind, name)
            no = "never" if seen.unready_after < 0 else f"{seen.unready_after:.2f} s"
            print(
                f"{kind:10} {name:10}  {no:>7} {seen.ready_after:10.2f} s {seen.cold_status:9} {seen.cold_took:4.1f} s"
                f" {seen.changed:9} {seen.warm.longest:6.2f} s  {_counts(seen.warm, seen.warm_counted)};"
                f" {_counts(seen.limited, seen.limited_counted)}",
                flush=True,
            )


def _counts(asker: Asker, counted: int) -> str:
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(asker.statuses.items()))
    return f"{answers} ({counted} counted)"


def main() -> None:
    from twisted.internet.task import react

    os.chdir(tempfile.mkdtemp())
    react(lambda _: Deferred.fromCoroutine(_main()))


if __name__ == "__main__":
    sys.exit(main())
