"""
A proxy under load while something happens to its database, and what those who used it saw.

C{python -m tests.integration.outage} plays every scene with every database and prints a table.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import Factory, define
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
from llmproxy.service import ServiceOptions, make_service

from .databases import server
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
        options = ServiceOptions(
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
        await database.projects.create(Project("p", "scene", "sk-upstream"))
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

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> float:
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
        await proxy.quota.settle_all()
        seen.warm_counted = (await proxy.database.tokens.get("warm")).request_count  # type: ignore[union-attr]
        seen.limited_counted = (await proxy.database.tokens.get("limited")).request_count  # type: ignore[union-attr]


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


async def _main() -> None:
    from twisted.trial.unittest import SynchronousTestCase

    from .databases import clean_database

    print("database    what        ready:no  ready:yes  cold      longest  warm                limited")
    for kind in ("postgresql", "mysql"):
        for name, scene in scenes(kind).items():
            test: Any = SynchronousTestCase("run")
            played = Scene(clean_database(test, kind))
            await played.start()
            seen = await played.play(*scene)
            await played.stop()
            print(
                f"{kind:11} {name:11} {seen.unready_after:7.2f}s {seen.ready_after:9.2f}s "
                f"{seen.cold_status} {seen.cold_took:4.1f}s {seen.warm.longest:7.2f}s "
                f"{dict(seen.warm.statuses)} counted {seen.warm_counted}; "
                f"{dict(seen.limited.statuses)} counted {seen.limited_counted}, change {seen.changed}"
            )


def main() -> None:
    from twisted.internet.task import react

    os.chdir(tempfile.mkdtemp())
    react(lambda _: Deferred.fromCoroutine(_main()))


if __name__ == "__main__":
    sys.exit(main())
