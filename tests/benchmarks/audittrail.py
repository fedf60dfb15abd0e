"""
How long a page of the audit log takes among 100,000 events, by cursor and by filter, on each database; and how long
writing and verifying all of them takes.

C{python -m tests.benchmarks.audittrail [--events N] [--limit N]} starts the servers, fills them, and prints a table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from click.testing import CliRunner

from llmproxy.cli.main import cli
from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.audit.search import AuditFilter
from llmproxy.core.masking import Masking
from llmproxy.sinks.auditfile import AuditFile
from llmproxy.store.audit import AuditTable
from llmproxy.store.audittrail import AuditTrail
from llmproxy.store.engine import open_database
from llmproxy.store.paging import position
from llmproxy.store.threads import NoThreads

from ..integration.databases import KINDS, server
from ..store.databases import NOW, clock_at
from .paging import ROUNDS, done

BATCH = 500


def event(number: int) -> AuditRecord:
    details = {"project_id": f"p{number % 50}", "request_id": f"r-{number}", "client_ip": f"10.0.{number % 256}.1"}
    action = ("token.create", "token.revoke", "project.update")[number % 3]
    return audit_record(f"e{number:09}", NOW + number, action, f"admin{number % 7}", "success", details, Masking())


def own(action: str, **details: Any) -> AuditRecord:
    return AuditRecord(f"own-{action}", 0, action, "system", "success", details=details)


def timed(call: Callable[[], Any]) -> float:
    """The median of some rounds in milliseconds, after one that is not counted."""
    call()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def measure(kind: str, count: int, limit: int) -> None:
    url = tempfile.mkdtemp() + "/audit.db" if kind == "sqlite" else server(kind).new_database()
    database = open_database(clock_at(), url, threads=NoThreads)
    done(database.start())
    table = AuditTable(clock_at(), database, lambda heads: AuditRecord("open", 0, "audit.open", "system", "success"))
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        done(table.write([event(number) for number in range(start, start + BATCH)]))
    rate = count / (time.perf_counter() - began)
    trail = AuditTrail(database)
    middle = position(round((NOW + count // 2) * 1_000_000), f"e{count // 2:09}")
    pages: tuple[tuple[str | None, AuditFilter], ...] = (
        (None, AuditFilter()),
        (middle, AuditFilter()),
        (middle, AuditFilter(project_id="p7")),
        (middle, AuditFilter(actor="admin3", action="token.revoke")),
        (None, AuditFilter(search="r-77")),
        (None, AuditFilter(request_id=f"r-{count // 3}")),
    )
    times = [f"{timed(lambda each=each: done(trail.page(limit, *each))):9.1f}" for each in pages]  # type: ignore[misc]
    done(database.close())
    began = time.perf_counter()
    ended = CliRunner().invoke(cli, ["audit", "verify", "--no-file", "--database", url])
    assert ended.exit_code == 0, ended.output
    print(f"{kind:11}" + "".join(times) + f"{rate:11.0f}{count / (time.perf_counter() - began):11.0f}", flush=True)


def measure_file(count: int) -> None:
    path = os.path.join(tempfile.mkdtemp(), "audit.log")
    file = AuditFile(path, own)
    events = [event(number) for number in range(count)]
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        file.append(events[start : start + BATCH])
    rate = count / (time.perf_counter() - began)
    began = time.perf_counter()
    ended = CliRunner().invoke(cli, ["audit", "verify", "--no-database", "--file", path])
    assert ended.exit_code == 0, ended.output
    print(f"{'file':11}" + " " * 54 + f"{rate:11.0f}{count / (time.perf_counter() - began):11.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    print(f"median of {ROUNDS} rounds, in ms: {options.limit} of {options.events} events; then events a second")
    names = ("first", "middle", "project", "actor", "search", "request")
    print("           " + "".join(f"{name:>9}" for name in names) + "      write     verify")
    for kind in KINDS:
        measure(kind, options.events, options.limit)
    measure_file(options.events)


if __name__ == "__main__":
    main()
