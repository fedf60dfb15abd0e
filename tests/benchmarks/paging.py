"""
How long a page of tokens takes, at the beginning, in the middle and at the end of a list of 100,000, on each database.

C{python -m tests.benchmarks.paging [--tokens N] [--limit N]} starts the servers, fills them, and prints a table;
the last column is the same list read whole, which is what pages are instead of.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import update
from twisted.python.failure import Failure

from llmproxy.message import Page, Token
from llmproxy.store.database import Database
from llmproxy.store.engine import open_database
from llmproxy.store.paging import position
from llmproxy.store.schema import tokens
from llmproxy.store.threads import NoThreads

from ..integration.databases import KINDS, server
from ..store.databases import NOW, clock_at, project, token

ROUNDS = 20


def done(deferred: Any) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def filled(kind: str, count: int) -> Database:
    """A database with so many tokens of ten projects, one of a hundred revoked; ten were made in each moment."""
    url = tempfile.mkdtemp() + "/paging.db" if kind == "sqlite" else server(kind).new_database()
    database = open_database(clock_at(), url, threads=NoThreads)
    done(database.start())
    for number in range(10):
        done(database.projects.create(project(f"p{number}")))
    rows = [row_of(number) for number in range(count)]
    for start in range(0, count, 5000):
        done(
            database.run(
                lambda connection, start=start: connection.execute(tokens.insert(), rows[start : start + 5000])
            )
        )
    revoke = update(tokens).where(tokens.c.id.like("%77")).values(is_active=False)
    done(database.run(lambda connection: connection.execute(revoke)))
    return database


def row_of(number: int) -> dict[str, Any]:
    made = token(f"t{number:08}", f"p{number % 10}", created_at=NOW + number // 10)
    named = {column.name: getattr(made, column.name, None) for column in tokens.columns}
    return {**named, "leased": 0, "token_hash": f"{number:064x}"}


def after(number: int) -> str:
    """Behind which row a page begins."""
    return position((int(NOW) + number // 10) * 1_000_000 + 250_000, f"t{number:08}")


def milliseconds(call: Callable[[], Page[Token]], expected: int) -> float:
    """The median of some rounds, after one that is not counted."""
    call()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page = call()
        taken.append((time.perf_counter() - began) * 1000)
        assert len(page.items) == expected, len(page.items)
    return statistics.median(taken)


def measure(kind: str, count: int, limit: int) -> None:
    database = filled(kind, count)
    store = database.tokens
    pages: dict[str, Callable[[], Page[Token]]] = {
        "first": lambda: done(store.page(limit)),
        "middle": lambda: done(store.page(limit, after(count // 2))),
        "last": lambda: done(store.page(limit, after(limit))),
        "project": lambda: done(store.page(limit, after(count // 2), project_id="p5")),
        "revoked": lambda: done(store.page(limit, after(count // 2), is_active=False)),
    }
    times = [f"{milliseconds(call, limit):9.1f}" for call in pages.values()]
    began = time.perf_counter()
    assert len(done(store.list())) == count
    print(f"{kind:11}" + "".join(times) + f"{(time.perf_counter() - began) * 1000:9.0f}", flush=True)
    done(database.close())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    print(f"median of {ROUNDS} rounds, in ms: {options.limit} of {options.tokens} tokens")
    print("database   " + "".join(f"{name:>9}" for name in ("first", "middle", "last", "project", "revoked", "all")))
    for kind in KINDS:
        measure(kind, options.tokens, options.limit)


if __name__ == "__main__":
    main()
