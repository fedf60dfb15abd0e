"""
A database of the size that the admin pages have to bear: 100,000 projects, 1,000,000 tokens, 10,000,000 records.

C{python -m tests.benchmarks.manyrows DIRECTORY [sqlite] [postgresql] [mysql]} makes one of each kind below a directory,
where L{tests.benchmarks.adminpages} finds it again; one that is there is left as it is. A tenth of the projects and of
the tokens has a budget. The records are of 100 projects and 1,000 tokens in the 90 days before the database was made,
rolled up by what is not a value of their callers'. With 10,000,000 of them a file takes some 12 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Table, create_engine
from twisted.internet import task

from llmproxy.core.rollups import PLAIN
from llmproxy.store.backend import locate
from llmproxy.store.database import Database
from llmproxy.store.engine import open_database
from llmproxy.store.schema import audit_events, projects, tokens
from llmproxy.store.threads import NoThreads

from ..integration.databases import KINDS, MariaDB, PostgreSQL, Server
from ..integration.processes import free_port
from . import usagereports
from .usagereports import done

PROJECTS, TOKENS, RECORDS, EVENTS = 100_000, 1_000_000, 10_000_000, 1_000_000
DAYS = 90
DAY = 86_400

TEAMS = ("assistant", "billing", "checkout", "code review", "document search", "mail triage", "support", "translation")
STAGES = ("production", "staging", "nightly tests", "of a laptop")
BUDGET = '{"max_budget":"1000","budget_duration":"1mo"}'

_AT_ONCE = 5000


def server_at(kind: str, directory: str) -> Server:
    """The server whose files are below C{directory}, made where there are none; it ends with this process."""
    base: type[Server] = PostgreSQL if kind == "postgresql" else MariaDB

    class Kept(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self.directory = Path(directory, kind)
            self.data = self.directory / "data"
            self.port = free_port()
            self.process = None
            if not self.data.exists():
                self.directory.mkdir(parents=True, exist_ok=True)
                if os.geteuid() == 0:
                    shutil.chown(self.directory, self.user, self.user)
                self.initialise()
            self.start()

        def command(self) -> list[str]:
            more = ["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M"]
            # Another server that starts clears what this one has in a directory of both.
            return [*super().command(), *more, f"--tmpdir={self.data}"] if kind == "mysql" else super().command()

    return Kept()


def opened(url: str) -> Database:
    database = open_database(_now(), url, threads=NoThreads)
    done(database.start())
    return database


def _now() -> task.Clock:
    clock = task.Clock()
    clock.advance(time.time())
    return clock


def make(kind: str, directory: str, counts: Mapping[str, int]) -> None:
    """Make the database of a kind, unless it is there."""
    ready = Path(directory, f"{kind}.ready")
    if ready.exists():
        return
    os.makedirs(directory, mode=0o755, exist_ok=True)
    if kind == "sqlite":
        Path(directory, "manyrows.db").unlink(missing_ok=True)
        _fill(kind, f"{directory}/manyrows.db", counts)
    else:
        server = server_at(kind, directory)
        try:
            server.execute("DROP DATABASE IF EXISTS manyrows")
            server.execute("CREATE DATABASE manyrows")
            _fill(kind, server.url("manyrows"), counts)
        finally:
            server.stop()
    ready.touch()


def _fill(kind: str, url: str, counts: Mapping[str, int]) -> None:
    database = opened(url)
    now = time.time()
    for table, rows in (
        (projects, project_rows(counts["projects"], now)),
        (tokens, token_rows(counts["tokens"], counts["projects"], now)),
        (audit_events, event_rows(counts["events"], counts["projects"], now)),
    ):
        began = time.perf_counter()
        _insert(database, table, rows)
        print(f"{kind}: {table.name}: {time.perf_counter() - began:.0f} s", flush=True)
    for index in usagereports.INDEXES:
        on = " ON usage_records" if kind == "mysql" else ""
        done(database.run(lambda connection, index=index, on=on: connection.exec_driver_sql(f"DROP INDEX {index}{on}")))
    done(database.close())
    began = time.perf_counter()
    usagereports.END = int(now) // DAY * DAY
    fill = {"sqlite": usagereports.fill_sqlite, "postgresql": usagereports.fill_postgresql, "mysql": fill_mysql}[kind]
    fill(url, DAYS, counts["records"], PLAIN)
    print(f"{kind}: records: {time.perf_counter() - began:.0f} s", flush=True)


def _insert(database: Database, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    some: list[dict[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == _AT_ONCE:
            done(database.run(lambda connection, some=some: connection.execute(table.insert(), some)))
            some = []
    if some:
        done(database.run(lambda connection: connection.execute(table.insert(), some)))


def project_rows(count: int, now: float) -> Iterator[dict[str, Any]]:
    for number in range(count):
        made = now - (count - number) * 90.0
        yield {
            "id": f"project-{number}",
            "name": f"{TEAMS[number * 7 % len(TEAMS)]} {number:06}",
            "api_key": "",
            "api_key_for": "",
            "is_active": number % 20 != 19,
            "deactivated_at": made + 60 if number % 20 == 19 else None,
            "created_at": made,
            "updated_at": made,
            "version": 1,
            "limits": BUDGET if number % 10 < 2 or number < 100 else None,
        }


def token_rows(count: int, of: int, now: float) -> Iterator[dict[str, Any]]:
    for number in range(count):
        # Those that the records are of are of the projects that those are of.
        owner = number // 10 if number < 1000 else number % of
        made = now - (count - number) * 9.0
        is_active = number % 100 != 77
        yield {
            "id": f"token-{number}",
            "token_hash": f"{number:064x}",
            "hint": f"sk-{number % 10_000:04}***",
            "project_id": f"project-{owner}",
            "name": f"{TEAMS[number * 13 % len(TEAMS)]} {STAGES[number % len(STAGES)]} {number:07}",
            "expires_at": made + (10 if number % 50 == 3 else 400 * DAY),
            "is_active": is_active,
            "deactivated_at": None if is_active else made + 60,
            "request_count": number % 1000,
            "leased": 0,
            "max_requests": 5000 if number % 4 == 0 else None,
            "created_at": made,
            "last_used_at": made + 3600,
            "cache_hit_count": 0,
            "version": 1,
            "limits": BUDGET if number % 10 == 0 else None,
        }


ACTIONS = ("project.create", "project.update", "token.create", "token.revoke", "token.list", "usage.read")


def event_rows(count: int, of: int, now: float) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "id": f"{number:032x}",
            "timestamp": now - (count - number) * 7.0,
            "action": ACTIONS[number % len(ACTIONS)],
            "actor": f"admin-{number % 17}",
            "project_id": f"project-{number % of}",
            "request_id": f"request-{number}",
            "client_ip": f"10.0.{number % 250}.7",
            "method": "POST",
            "path": f"/manage/projects/project-{number % of}",
            "user_agent": "a browser",
            "outcome": "success" if number % 40 else "denied",
            "metadata": '{"origin":"admin-ui"}',
        }


def fill_mysql(url: str, days: int, records: int, cubes: Sequence[Any]) -> None:
    """The statements of L{tests.benchmarks.usagereports}, as MariaDB reads them."""
    engine = create_engine(locate(url, 1).url)
    connection: Any = engine.raw_connection()
    cursor = connection.cursor()
    for setting in ("sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", "unique_checks = 0", "foreign_key_checks = 0"):
        cursor.execute(f"SET SESSION {setting}")

    def execute(statement: str) -> Any:
        series = f"FROM (SELECT seq AS n FROM seq_0_to_{records - 1}) AS c"
        if usagereports.all_of(records) in statement:
            statement = statement.replace(usagereports.all_of(records), "").replace("FROM c", series)
        for ours, theirs in ((" / ", " DIV "), ("AS VARCHAR", "AS CHAR"), ("AS BIGINT", "AS SIGNED")):
            statement = statement.replace(ours, theirs)
        cursor.execute(statement)
        found = cursor.fetchall()
        connection.commit()
        return found

    def many(table: str, rows: list[tuple[Any, ...]]) -> None:
        cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)
        connection.commit()

    usagereports.fill(execute, many, days, records, cubes)
    for name, keys in usagereports.INDEXES.items():
        cursor.execute(f"CREATE INDEX {name} ON usage_records ({keys})")
    for table in ("projects", "tokens", "audit_events", "usage_records", "usage_rollups", "usage_series"):
        cursor.execute(f"ANALYZE TABLE {table}")
        cursor.fetchall()
    connection.commit()
    connection.close()
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    for name, count in (("projects", PROJECTS), ("tokens", TOKENS), ("records", RECORDS), ("events", EVENTS)):
        parser.add_argument(f"--{name}", type=int, default=count)
    options = parser.parse_args()
    for kind in options.kinds:
        make(kind, os.path.abspath(options.directory), vars(options))


if __name__ == "__main__":
    main()
