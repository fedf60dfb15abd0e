"""One run: requests at once, killed processes, and what was admitted and billed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from attrs import Factory, define, frozen

from ..integration.redisserver import RedisServer
from ..ledgerrun.clients import Client, Seen
from .machines import PARALLEL, SECRETS, Machine, prepare
from .upstream import MAX_TOKENS, Billing

_PLAIN = {"model": "m-1", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": MAX_TOKENS}
BODIES = tuple(json.dumps({**_PLAIN, "stream": streamed}).encode() for streamed in (False, True))
CLIENTS = 16
MOST_ROUNDS = 10
FREE_WITHIN = 40.0
"""Seconds after a kill, in which places have to be free again: twice the lease, and more."""


@frozen
class Scene:
    """
    @ivar at_once: requests against a rate of 100 a minute.
    @ivar count: of exchanges against the budget.
    @ivar budget: USD.
    @ivar between: seconds between two kills of each machine, about.
    @ivar places: whether a proxy is killed that holds places, which takes as long as a lease.
    """

    at_once: int = 1000
    count: int = 10_000
    budget: Decimal = Decimal(50)
    seed: int = 1
    machines: int = 2
    workers: int = 2
    between: float = 1.5
    whole_of: int = 6
    places: bool = True


@define
class Outcome:
    """
    @ivar rate: answers to the requests at once, by status; without those that could not be decided.
    @ivar undecided: 503s, after which was asked again.
    @ivar freed: seconds after a kill until all places were free; 0 where that was not played.
    @ivar billed: USD, as upstream says.
    """

    rate: Counter[int] = Factory(Counter)
    undecided: int = 0
    freed: float = 0.0
    held: int = 0
    exchanges: Counter[int] = Factory(Counter)
    billed: float = 0.0
    asked: int = 0
    kills: int = 0
    took: float = 0.0


def played(scene: Scene, directory: str) -> Outcome:
    """@param directory: an empty one."""
    redis = RedisServer().start()
    try:
        return asyncio.run(_play(scene, directory, redis))
    finally:
        redis.close()


async def _play(scene: Scene, directory: str, redis: RedisServer) -> Outcome:
    os.makedirs(directory, exist_ok=True)
    url = f"sqlite:///{directory}/llmproxy.db"
    prepare(url, scene.budget)
    upstream, outcome = Billing(scene.seed), Outcome()
    await upstream.start()
    machines = [
        Machine(
            os.path.join(directory, f"machine{number}"),
            url,
            upstream.port,
            redis.port,
            scene.workers,
            scene.seed + number,
        )
        for number in range(scene.machines)
    ]
    try:
        for each in machines:
            await each.start()
        upstream.open.set()
        await _rate(scene, machines, outcome)
        if scene.places:
            await _places(machines, upstream, outcome)
        await _budget(scene, machines, upstream, outcome)
    finally:
        for each in machines:
            each.remove()
        upstream.stop()
        # Connections of the dead end now, not with the loop.
        await asyncio.sleep(0.1)
    return outcome


async def _rate(scene: Scene, machines: list[Machine], outcome: Outcome) -> None:
    """
    As many requests at once, over all machines. Where some could not be decided, all that were not admitted are asked
    again: what was taken for those is given back, and others have been refused for it.
    """
    left = scene.at_once
    for number in range(MOST_ROUNDS):
        statuses = await asyncio.gather(
            *(_ask(machines[n % len(machines)].port, "rate", f"rate-{number}-{n}") for n in range(left))
        )
        found = Counter(statuses)
        outcome.undecided += found[503]
        outcome.rate[200] += found[200]
        outcome.rate[429] = found[429]
        left -= found[200]
        if not found[503]:
            break
        await asyncio.sleep(1.0)


async def _places(machines: list[Machine], upstream: Billing, outcome: Outcome) -> None:
    """A machine that holds all places is killed; another one has them when its lease is over."""
    upstream.open.clear()
    asking = [asyncio.ensure_future(_ask(machines[0].port, "parallel", f"held-{n}")) for n in range(PARALLEL + 4)]
    while upstream.running < PARALLEL:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    outcome.held = upstream.running
    machines[0].kill()
    killed_at = time.monotonic()
    await asyncio.gather(*asking, return_exceptions=True)
    upstream.open.set()
    number = 0
    while time.monotonic() - killed_at < FREE_WITHIN:
        number += 1
        if await _ask(machines[1].port, "parallel", f"after-{number}") == 200:
            outcome.freed = time.monotonic() - killed_at
            break
        await asyncio.sleep(0.2)
    await machines[0].start()


async def _budget(scene: Scene, machines: list[Machine], upstream: Billing, outcome: Outcome) -> None:
    upstream.asked.clear()
    seen = Seen()
    began = time.monotonic()
    harassing = [asyncio.ensure_future(each.harass(scene.between, scene.whole_of)) for each in machines]
    names = (f"budget-{number:06}" for number in range(scene.count))
    clients = [
        Client(
            machines[n % len(machines)].port, [SECRETS["budget"]], names, seen, random.Random(scene.seed + n), BODIES
        )
        for n in range(CLIENTS)
    ]
    await asyncio.gather(*(client.run() for client in clients))
    for task in harassing:
        task.cancel()
    for ended in await asyncio.gather(*harassing, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    outcome.took = time.monotonic() - began
    outcome.exchanges = seen.statuses
    outcome.kills = sum(each.worker_kills + each.proxy_kills for each in machines)
    outcome.asked, outcome.billed = len(upstream.asked), upstream.billed


async def _ask(port: int, kind: str, name: str) -> int:
    """The status of one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: proxy\r\nContent-Type: application/json\r\nConnection: close\r\n"
    )
    head += f"Authorization: Bearer {SECRETS[kind]}\r\nX-Request-ID: {name}\r\nContent-Length: {len(BODIES[0])}\r\n\r\n"
    writer.write(head.encode() + BODIES[0])
    try:
        answer = await reader.read()
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0


def problems(scene: Scene, outcome: Outcome) -> list[str]:
    """What is not as it has to be."""
    found = []
    # Some may be undecided to the end, on a machine that is busy: those were not admitted.
    if outcome.rate[200] != 100 or outcome.rate[429] > scene.at_once - 100:
        found.append(f"{scene.at_once} at once against rpm_limit: 100 were answered {dict(outcome.rate)}")
    if scene.places and (outcome.held != PARALLEL or not outcome.freed):
        found.append(
            f"{outcome.held} of {PARALLEL} places were held, and free again after {outcome.freed:.0f} s (0: never)"
        )
    if outcome.billed > float(scene.budget):
        found.append(f"upstream billed {outcome.billed:.4f} USD of a budget of {scene.budget}")
    if outcome.billed < float(scene.budget) / 2:
        found.append(
            f"upstream billed only {outcome.billed:.4f} USD of a budget of {scene.budget}: the run says nothing"
        )
    return found


def lines(scene: Scene, outcome: Outcome) -> Iterable[str]:
    """What to say of it."""
    yield (
        f"{scene.at_once:,} requests at once over {scene.machines} machines with {scene.workers} workers, "
        f"rpm_limit: 100: {outcome.rate[200]} admitted, {outcome.rate[429]} refused, {outcome.undecided} asked again"
    )
    if scene.places:
        words = f"a proxy that held all was killed, free after {outcome.freed:.0f} s"
        yield f"max_parallel_requests: {PARALLEL}: {words}"
    yield (
        f"budget of {scene.budget} USD: {sum(outcome.exchanges.values()):,} answers {dict(outcome.exchanges)} "
        f"in {outcome.took:.0f} s, {outcome.kills} kills; upstream was asked {outcome.asked:,} times and billed "
        f"{outcome.billed:.4f} USD"
    )
    yield from (f"WRONG: {each}" for each in problems(scene, outcome))
