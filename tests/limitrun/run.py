"""One run: requests at once, killed processes, and what was admitted and billed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from attrs import Factory, define, frozen

from ..integration.databases import server
from ..integration.redisserver import RedisServer
from ..ledgerrun.clients import Client, Seen
from .machines import PARALLEL, SECRETS, Machine, prepare
from .upstream import LONGEST, MAX_TOKENS, OUTPUT_PRICE, PIECE_COST, Billing

_PLAIN = {"model": "m-1", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": MAX_TOKENS}
BODIES = tuple(json.dumps({**_PLAIN, "stream": streamed}).encode() for streamed in (False, True))
_OPEN = {**_PLAIN, "stream": True}
del _OPEN["max_tokens"]
OPEN_BODIES = (json.dumps(_OPEN).encode(),)
"""Of requests that do not say how long an answer may be."""

SHARED = ("redis", "postgresql", "mysql", "sqlite")
CLIENTS = 16
MOST_ROUNDS = 10
RATE = 100
"""Requests a minute, see L{Scene}."""

IN_FLIGHT = 4
"""Pieces of a stream that are on their way while it is cut."""

MOST_OPEN_COST = LONGEST * OUTPUT_PRICE / 1e6
FREE_WITHIN = 40.0
"""Seconds after a kill, in which places have to be free again: twice the lease, and more."""


@frozen
class Scene:
    """
    @ivar at_once: requests against a rate of 100 a minute.
    @ivar count: of exchanges against the budget.
    @ivar budget: USD.
    @ivar every: exchanges between two kills, about: a worker, or one of C{whole_of} times all of a machine.
    @ivar shared: what machines count in: Redis, or leases of a database without one.
    @ivar hard: it is a C{hard_budget}.
    @ivar bounded: requests say how many tokens an answer may have.
    @ivar places: whether a proxy is killed that holds places, which takes as long as a lease.
    """

    at_once: int = 1000
    count: int = 10_000
    budget: Decimal = Decimal(50)
    seed: int = 1
    machines: int = 2
    workers: int = 2
    every: int = 50
    whole_of: int = 6
    places: bool = True
    shared: str = "redis"
    hard: bool = False
    bounded: bool = True

    @property
    def allowed(self) -> float:
        """
        USD that upstream may bill beyond the budget. Answers that are bounded cost no more than was reserved; others
        pass it by what those that run cost beyond that, but of a hard budget, where it is what is on its way when a
        stream is cut.
        """
        if self.bounded:
            return 0.0
        return CLIENTS * (IN_FLIGHT * PIECE_COST if self.hard else MOST_OPEN_COST)


@define
class Outcome:
    """
    @ivar rate: answers to the requests at once, by status; without those that could not be decided.
    @ivar crowded: how many of them were admitted within a minute.
    @ivar undecided: 503s, after which was asked again.
    @ivar freed: seconds after a kill until all places were free; 0 where that was not played.
    @ivar billed: USD, as upstream says.
    """

    rate: Counter[int] = Factory(Counter)
    crowded: int = 0
    undecided: int = 0
    freed: float = 0.0
    held: int = 0
    exchanges: Counter[int] = Factory(Counter)
    billed: float = 0.0
    asked: int = 0
    kills: int = 0
    cut: int = 0
    took: float = 0.0


def played(scene: Scene, directory: str) -> Outcome:
    """@param directory: an empty one."""
    redis = RedisServer().start() if scene.shared == "redis" else None
    try:
        return asyncio.run(_play(scene, directory, None if redis is None else redis.port))
    finally:
        if redis is not None:
            redis.close()


async def _play(scene: Scene, directory: str, redis: int | None) -> Outcome:
    os.makedirs(directory, exist_ok=True)
    url = f"sqlite:///{directory}/llmproxy.db"
    if scene.shared in ("postgresql", "mysql"):
        url = server(scene.shared).new_database()
    prepare(url, scene.budget, scene.hard)
    upstream, outcome = Billing(scene.seed, bounded=scene.bounded), Outcome()
    await upstream.start()
    machines = [
        Machine(
            os.path.join(directory, f"machine{number}"),
            url,
            upstream.port,
            redis,
            scene.workers,
            scene.seed + number,
        )
        for number in range(scene.machines)
    ]
    try:
        for each in machines:
            await each.start()
        upstream.open.set()
        if scene.at_once:
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
    admitted: list[tuple[float, float]] = []

    async def one(port: int, name: str) -> int:
        began = time.monotonic()
        status = await ask(port, "rate", name)
        if status == 200:
            admitted.append((began, time.monotonic()))
        return status

    for number in range(MOST_ROUNDS):
        statuses = await asyncio.gather(
            *(one(machines[n % len(machines)].port, f"rate-{number}-{n}") for n in range(left))
        )
        found = Counter(statuses)
        outcome.undecided += found[503]
        outcome.rate[200] += found[200]
        outcome.rate[429] = found[429]
        left -= found[200]
        if not found[503] and outcome.rate[200] >= RATE:
            break
        await asyncio.sleep(1.0)
    outcome.crowded = crowded(admitted)


def crowded(admitted: Sequence[tuple[float, float]]) -> int:
    """
    How many were admitted within one minute at the most, of requests each of which was admitted between two moments.
    """
    counts = [sum(begin >= first and end <= first + 60 for begin, end in admitted) for first, _ in admitted]
    return max(counts, default=0)


async def _places(machines: list[Machine], upstream: Billing, outcome: Outcome) -> None:
    """A machine that holds all places is killed; another one has them when its lease is over."""
    upstream.open.clear()
    asking = [asyncio.ensure_future(ask(machines[0].port, "parallel", f"held-{n}")) for n in range(PARALLEL + 4)]
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
        if await ask(machines[1].port, "parallel", f"after-{number}") == 200:
            outcome.freed = time.monotonic() - killed_at
            break
        await asyncio.sleep(0.2)
    await machines[0].start()


async def _budget(scene: Scene, machines: list[Machine], upstream: Billing, outcome: Outcome) -> None:
    upstream.asked.clear()
    seen = Seen()
    began = time.monotonic()
    harassing = asyncio.ensure_future(_harass(scene, machines, seen))
    names = (f"budget-{number:06}" for number in range(scene.count))
    bodies = BODIES if scene.bounded else OPEN_BODIES
    clients = [
        Client(
            machines[n % len(machines)].port, [SECRETS["budget"]], names, seen, random.Random(scene.seed + n), bodies
        )
        for n in range(CLIENTS)
    ]
    await asyncio.gather(*(client.run() for client in clients))
    harassing.cancel()
    [ended] = await asyncio.gather(harassing, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
    outcome.took = time.monotonic() - began
    outcome.exchanges = seen.statuses
    outcome.kills = sum(each.worker_kills + each.proxy_kills for each in machines)
    outcome.asked, outcome.billed, outcome.cut = len(upstream.asked), upstream.billed, upstream.cut


async def _harass(scene: Scene, machines: list[Machine], seen: Seen) -> None:
    """Kill as many in a run however fast it is."""
    draw = random.Random(scene.seed)
    due = 0.0
    while True:
        due += scene.every * (0.5 + draw.random())
        while len(seen.sent) < due:
            await asyncio.sleep(0.02)
        machine = draw.choice(machines)
        if draw.randrange(scene.whole_of):
            machine.kill_worker()
        else:
            machine.kill()
            await machine.start()


async def ask(port: int, kind: str, name: str) -> int:
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
    # On one that is very busy all of it takes more than a minute, after which there is room for more.
    if scene.at_once and (outcome.rate[200] < RATE or outcome.crowded > RATE):
        answers = f"{dict(outcome.rate)}, {outcome.crowded} of them in a minute"
        found.append(f"{scene.at_once} at once against rpm_limit: {RATE} were answered {answers}")
    if scene.places and (outcome.held != PARALLEL or not outcome.freed):
        found.append(
            f"{outcome.held} of {PARALLEL} places were held, and free again after {outcome.freed:.0f} s (0: never)"
        )
    if outcome.billed > float(scene.budget) + scene.allowed:
        found.append(
            f"upstream billed {outcome.billed:.4f} USD of a budget of {scene.budget}, {scene.allowed:.4f} more may be"
        )
    if scene.hard and not outcome.cut:
        found.append("no stream was cut: the run says nothing")
    if outcome.billed < float(scene.budget) / 2:
        found.append(
            f"upstream billed only {outcome.billed:.4f} USD of a budget of {scene.budget}: the run says nothing"
        )
    return found


def lines(scene: Scene, outcome: Outcome) -> Iterable[str]:
    """What to say of it."""
    if scene.at_once:
        yield (
            f"{scene.at_once:,} requests at once over {scene.machines} machines with {scene.workers} workers, "
            f"rpm_limit: 100: {outcome.rate[200]} admitted, {outcome.rate[429]} refused, "
            f"{outcome.undecided} asked again"
        )
    if scene.places:
        words = f"a proxy that held all was killed, free after {outcome.freed:.0f} s"
        yield f"max_parallel_requests: {PARALLEL}: {words}"
    kind = "hard budget" if scene.hard else "budget"
    yield (
        f"{kind} of {scene.budget} USD, {scene.shared}: {sum(outcome.exchanges.values()):,} answers "
        f"{dict(outcome.exchanges)} in {outcome.took:.0f} s, {outcome.kills} kills; upstream was asked "
        f"{outcome.asked:,} times and billed {outcome.billed:.4f} USD; {scene.allowed:.4f} more would be as stated, "
        f"{outcome.cut} streams ended early"
    )
    yield from (f"WRONG: {each}" for each in problems(scene, outcome))
