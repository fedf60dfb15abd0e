"""
How long it takes to settle records of usage, and to settle them again, on each database.

C{python -m tests.benchmarks.settling [--batch N] [--rounds N] [KIND...]} prints for each batch of records what one of
them takes, in microseconds: on the clock, and of a processor in this process. C{same} are of one token and model,
C{spread} of a thousand tokens and twenty models at random, C{said} have a user, a session, a program and a tag besides.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from typing import Any

from llmproxy.core.ledger.entry import Entry
from llmproxy.store.database import Database
from llmproxy.store.engine import open_database
from llmproxy.store.threads import NoThreads
from llmproxy.store.usagerecords import UsageRecords

from ..integration.databases import KINDS, server
from ..store.databases import NOW, clock_at
from ..usagereports import an_entry
from .usagereports import done

SHAPES = ("same", "spread", "said")


def entry(chance: random.Random, number: int, shape: str) -> Entry:
    token, model = (0, 0) if shape == "same" else (chance.randrange(1000), chance.randrange(20))
    said: dict[str, Any] = {}
    if shape == "said":
        said = {
            "user": f"user-{chance.randrange(2000)}",
            "session": f"session-{chance.randrange(900)}",
            "program": f"program-{chance.randrange(10)}",
            "tags": {"team": f"team-{chance.randrange(20)}"},
        }
    return an_entry(
        number,
        NOW + number / 1000,
        project_id=f"project-{token // 10:028}",
        token_id=f"token-{token:030}",
        model=f"model-{model}",
        served_model=f"model-{model}-2025-06-01",
        **said,
    )


def measure(kind: str, database: Database, shape: str, batch: int, rounds: int, first: int) -> None:
    records, chance = UsageRecords(clock_at(), database), random.Random(1)
    taken, busy, again = [], [], []
    for each in range(rounds + 1):
        entries = [entry(chance, first + each * batch + number, shape) for number in range(batch)]
        began, worked = time.perf_counter(), time.process_time()
        assert done(records.settle(entries)) == batch
        taken.append((time.perf_counter() - began) / batch * 1e6)
        busy.append((time.process_time() - worked) / batch * 1e6)
        began = time.perf_counter()
        assert done(records.settle(entries)) == 0
        again.append((time.perf_counter() - began) / batch * 1e6)
    middle = [statistics.median(each[1:]) for each in (taken, busy, again)]
    print(f"{kind:11}{shape:8}" + "".join(f"{each:10.0f}" for each in middle), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    options = parser.parse_args()
    print(f"median of {options.rounds} batches of {options.batch}, µs for each record")
    print(f"{'':19}{'took':>10}{'busy':>10}{'again':>10}")
    for kind in options.kinds:
        url = tempfile.mkdtemp() + "/usage.db" if kind == "sqlite" else server(kind).new_database()
        database = open_database(clock_at(), url, threads=NoThreads)
        done(database.start())
        for at, shape in enumerate(SHAPES):
            measure(kind, database, shape, options.batch, options.rounds, at * 1_000_000)
        done(database.close())


if __name__ == "__main__":
    main()
