"""One run: exchanges, kills, and what the database says afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import frozen
from sqlalchemy import func, select

from llmproxy.core.tokens import token_hash
from llmproxy.store.backend import locate
from llmproxy.store.engine import open_database
from llmproxy.store.schema import tokens, usage_records, usage_rollups
from llmproxy.store.threads import NoThreads

from ..store.databases import clock_at, project, token
from .clients import Client, Seen
from .judgement import Figures, Kept, figures, problems
from .proxy import KilledProxy
from .upstream import Upstream

CLIENTS = 24
SETTLES_WITHIN = 60.0


@frozen
class Scene:
    """
    @ivar count: of exchanges, at least.
    @ivar kills: there are more exchanges where there were not so many kills yet: a machine may be too fast for them.
    @ivar between: seconds between two kills, about.
    @ivar whole_of: one of so many kills is of the whole proxy.
    @ivar proxies: that share the database, as machines do; each has a directory of its own.
    """

    count: int = 20_000
    seed: int = 1
    workers: int = 2
    between: float = 0.7
    whole_of: int = 6
    proxies: int = 1
    kills: int = 0


@frozen
class Outcome:
    """
    @ivar problems: see L{problems}.
    @ivar left: files of the ledger that were still there when the proxy had stopped.
    @ivar took: seconds that clients had to do with.
    """

    figures: Figures
    problems: list[str]
    worker_kills: int
    proxy_kills: int
    broken: int
    statuses: dict[int, int]
    took: float
    left: list[str]


def played(scene: Scene, directory: str, url: str) -> Outcome:
    """
    @param directory: an empty one.
    @param url: of a database without tables or rows.
    """
    os.makedirs(os.path.join(directory, "data"), exist_ok=True)
    secrets = prepare(url, scene)
    return asyncio.run(_play(scene, directory, url, secrets))


def prepare(url: str, scene: Scene) -> list[str]:
    """Two tokens without a limit, one with one that is not reached, and one with one that is."""
    database = open_database(clock_at(time.time()), url, threads=NoThreads)
    _now(database.start())
    _now(database.projects.create(project(api_keys={})))
    secrets = []
    for number, limit in enumerate((None, None, 10 * scene.count, scene.count // 20)):
        secret = f"sk-{chr(65 + number) * 22}"
        made = token(f"t{number}", token_hash=token_hash(secret.encode()), expires_at=None, max_requests=limit)
        _now(database.tokens.create(made))
        secrets.append(secret)
    _now(database.close())
    return secrets


async def _play(scene: Scene, directory: str, url: str, secrets: list[str]) -> Outcome:
    upstream, seen = Upstream(scene.seed), Seen()
    await upstream.start()
    proxies = [
        KilledProxy(
            os.path.join(directory, f"proxy-{n}"), url, upstream.port, scene.workers, scene.seed + n, scene.proxies
        )
        for n in range(scene.proxies)
    ]
    try:
        for proxy in proxies:
            await proxy.start()
        began = time.monotonic()
        harassing = asyncio.gather(*(proxy.harass(scene.between, scene.whole_of) for proxy in proxies))
        names = _names(scene, lambda: sum(proxy.worker_kills + proxy.proxy_kills for proxy in proxies))
        ports = [proxies[n % len(proxies)].port for n in range(CLIENTS)]
        clients = [Client(port, secrets, names, seen, random.Random(scene.seed + n)) for n, port in enumerate(ports)]
        asking = asyncio.gather(*(client.run() for client in clients))
        await asyncio.wait([harassing, asking], return_when=asyncio.FIRST_COMPLETED)
        took = time.monotonic() - began
        harassing.cancel()
        if harassing.done() and not harassing.cancelled():
            harassing.result()
        await _ended(harassing)
        await asking
        for proxy in proxies:
            await proxy.settled(SETTLES_WITHIN)
        for proxy in proxies:
            # What is counted in memory is written down at the end.
            await proxy.stop()
    finally:
        for proxy in proxies:
            proxy.remove()
        upstream.stop()
    kept = kept_in(url)
    return Outcome(
        figures(seen, upstream.asked, kept),
        problems(seen, upstream.asked, kept),
        sum(proxy.worker_kills for proxy in proxies),
        sum(proxy.proxy_kills for proxy in proxies),
        seen.broken,
        dict(seen.statuses),
        took,
        sorted(name for ledger in {proxy.ledger for proxy in proxies} for name in os.listdir(ledger)),
    )


async def _ended(task: asyncio.Future[Any]) -> None:
    try:
        await task
    except asyncio.CancelledError:
        pass


def _names(scene: Scene, kills: Callable[[], int]) -> Iterator[str]:
    number = 0
    # A token has ten times as many requests as there are exchanges.
    while number < scene.count or (kills() < scene.kills and number < 8 * scene.count):
        yield f"lr-{number:06}"
        number += 1


def kept_in(url: str) -> Kept:
    """What a database has."""
    engine = locate(url, 1).engine()
    try:
        with engine.connect() as connection:
            records = list(connection.execute(select(usage_records)))
            counts = {row.id: row.request_count for row in connection.execute(select(tokens))}
            width = connection.scalar(select(func.min(usage_rollups.c.level)))
            sums = [func.sum(usage_rollups.c[name]) for name in ("requests", "input_tokens", "output_tokens")]
            cube = connection.scalar(select(func.min(usage_rollups.c.cube)))
            mine = usage_rollups.c.level == width, usage_rollups.c.cube == cube
            rolled_up = connection.execute(select(*sums).where(*mine)).one()
    finally:
        engine.dispose()
    return Kept(records, counts, tuple(int(each or 0) for each in rolled_up))  # type: ignore[arg-type]


def lines(outcome: Outcome) -> Iterable[str]:
    """What to tell of it."""
    found = outcome.figures
    yield f"{found.sent:,} requests in {outcome.took:.0f} s, answers {outcome.statuses}"
    yield (
        f"{outcome.worker_kills} workers and {outcome.proxy_kills} times the whole proxy killed, "
        f"{outcome.broken:,} connections broken"
    )
    yield (
        f"upstream was asked {found.asked:,} times, {found.whole:,} answers came whole; in the ledger "
        f"{found.complete:,} are complete ({found.only_upstream} ended in the moment of a kill), "
        f"{found.interrupted:,} were interrupted"
    )
    yield f"{found.input:,} tokens in, {found.output:,} out; {found.counted:,} count"
    yield from (f"WRONG: {each}" for each in outcome.problems)
    if outcome.left:
        yield f"WRONG: files are left: {outcome.left}"


def _now(deferred: Any) -> Any:
    result: list[Any] = []
    deferred.addCallbacks(result.append, lambda reason: reason.raiseException())
    return result[0]
