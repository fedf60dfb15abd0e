"""
How long reports of usage take over ten million records of 100 projects, 1,000 tokens and 20 models in 90 days.

C{python -m tests.benchmarks.usagereports [--records N] [--days N] [sqlite] [postgresql]} makes the records as rows,
rolls them up with statements of its own, and prints for each question the median of some rounds, and of what they took
of a processor, which other work on the machine does not change. Tokens, models and
users are spread evenly, which is the worst case: each combination that there can be comes up.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from twisted.python.failure import Failure

from llmproxy.core.reports import UsageQuestion, UsageReport
from llmproxy.core.rollups import CUBES, DIMENSIONS, WIDTHS, Cube
from llmproxy.core.usagesums import COUNTED, NUMBERS
from llmproxy.store.backend import locate
from llmproxy.store.database import Database
from llmproxy.store.engine import open_database
from llmproxy.store.schema import usage_records
from llmproxy.store.threads import NoThreads
from llmproxy.store.usagequeries import UsageReports
from llmproxy.store.usageseries import number_of, range_of

from ..integration.databases import server
from ..store.databases import clock_at

ROUNDS = 5
DAY = 86_400
END = 1_760_000_000 // DAY * DAY
"""Seconds since the epoch, when the last record ended."""

SINGLE = (
    *("hour", "day", "week", "month", "project", "token", "api", "model", "served_model", "endpoint", "status"),
    *("user", "session", "program", "tag:team", "metadata.job"),
)
COMBINED = (
    *("day,project,model", "project,model", "token,model", "day,token", "day,model", "hour,project", "hour,model"),
    *("day,status", "project,status", "token,status", "model,status", "api,model,served_model", "month,token"),
    *("project,user", "day,user", "tag:team,model", "day,tag:team", "program,model"),
)


TOKEN, MODEL = "(n * 7919 % 1000)", "((n / 1000 * 7 + n * 13) % 20)"
STATUS = "(CASE WHEN n % 53 = 0 THEN 1 WHEN n % 97 = 0 THEN 2 ELSE 0 END)"
STATUSES = (200, 429, 502)
MANY = 1_000_000
"""More than any value has."""


def text(*parts: str) -> str:
    return f"CAST(({' || '.join(f'({part})' for part in parts)}) AS VARCHAR)"


def values(days: int, records: int) -> dict[str, str]:
    """Numbers of what record C{n} has of what it can have several of."""
    return {
        "user": f"({TOKEN} * 2 + n % 2)",
        "session": f"({TOKEN} / 10 + 100 * (n / {max(1, records // days)} * 5 + n % 5))",
        "program": "(n % 5)",
        "tag": "(n * 17 % 10)",
    }


def moment(days: int, records: int) -> str:
    return f"({END - days * DAY} * CAST(1000000 AS BIGINT) + n * {days * DAY * 1_000_000 // records})"


def columns(days: int, records: int) -> dict[str, str]:
    """Each column of record C{n} as an expression of C{n}."""
    said = values(days, records)
    found = {
        "id": text("'record-'", "n"),
        **dict.fromkeys(("started_at", "ended_at", "settled_at"), moment(days, records)),
        "project_id": text("'project-'", f"{TOKEN} / 10"),
        "token_id": text("'token-'", TOKEN),
        "api": f"CASE WHEN {MODEL} < 15 THEN 'openai' ELSE 'anthropic' END",
        "endpoint": f"CASE WHEN {MODEL} < 15 THEN '/v1/chat/completions' ELSE '/v1/messages' END",
        "method": "'POST'",
        "status": f"CASE {STATUS} WHEN 0 THEN 200 WHEN 1 THEN 429 ELSE 502 END",
        "ending": "'complete'",
        "model": text("'model-'", MODEL),
        "served_model": text("'model-'", MODEL, "'-2025-06-01'"),
        **{name: number for name, number in SUMMED.items() if name in usage_records.c},
        "images": "NULL",
        **{kind: text(f"'{kind}-'", said[kind]) for kind in ("user", "session", "program")},
        "tags": text('\'{"team":"tag-\'', said["tag"], "'\"}'"),
        "raw": '\'{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}\'',
    }
    for column in usage_records.columns:
        found.setdefault(column.name, "NULL" if column.nullable else _zero(str(column.type)))
    return found


def _zero(kind: str) -> str:
    return {"BOOLEAN": "FALSE"}.get(kind, "''" if kind.startswith("VARCHAR") else "0")


SUMMED = {
    "requests": "1",
    "errors": f"(CASE WHEN {STATUS} > 0 THEN 1 ELSE 0 END)",
    **{name: f"(n % {number * 97 + 11})" for number, name in enumerate(COUNTED) if name != "images"},
    "cost": "(n % 9973)",
    "cost_rest": "(n % 999983)",
}
OF_SUMS = ", ".join(f"sum(r.{name})" for name in NUMBERS)


def fill(
    execute: Callable[[str], Any],
    many: Callable[[str, list[tuple[Any, ...]]], Any],
    days: int,
    records: int,
    cubes: Sequence[Cube] = CUBES,
) -> None:
    """
    @param execute: a statement, whose rows come back.
    @param many: writes rows into a table.
    @param cubes: those that are rolled up.
    """
    began = time.perf_counter()
    made = columns(days, records)
    names = ", ".join(f'"{name}"' for name in made)
    execute(f"INSERT INTO usage_records ({names}) {all_of(records)} SELECT {', '.join(made.values())} FROM c")
    print(f"  records: {time.perf_counter() - began:.0f} s", flush=True)
    for cube in cubes:
        for kind, value in values(days, records).items() if cube.valued else (("", "0"),):
            _roll_up(execute, many, cube, kind, value, days, records)


def all_of(records: int) -> str:
    """All C{n}; PostgreSQL is quicker with a series of its own, see L{fill_postgresql}."""
    return f"WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {records}) "


def _roll_up(execute: Any, many: Any, cube: Cube, kind: str, value: str, days: int, records: int) -> None:
    """Keys as numbers, of the records; series by these; then each further level of that before it."""
    began = time.perf_counter()
    kept = cube.dimensions
    who = TOKEN if "token_id" in kept else f"({TOKEN} / 10)" if "project_id" in kept else "0"
    what = MODEL if "model" in kept else f"({MODEL} / 15 * 15)" if "api" in kept else "0"
    key = f"(({who} * 20 + {what}) * 3 + {STATUS if 'status' in kept else '0'}) * CAST({MANY} AS BIGINT) + {value}"
    at = f"{moment(days, records)} / {WIDTHS[cube.levels[0]] * 1_000_000}"
    sums = ", ".join(f"sum({number}) AS {name}" for name, number in SUMMED.items())
    execute(f"CREATE TABLE made AS {all_of(records)} SELECT {at} AS bucket, {key} AS k, {sums} FROM c GROUP BY 1, 2")
    execute("CREATE TABLE numbers (k BIGINT PRIMARY KEY, id BIGINT)")
    series = {row[0]: _series(cube, kind, row[0]) for row in execute("SELECT DISTINCT k FROM made")}
    many("usage_series", [(number_of(each), *each) for each in series.values()])
    many("numbers", [(k, number_of(each)) for k, each in series.items()])
    names = f"cube, level, bucket, series, {', '.join(NUMBERS)}"
    numbers = ", ".join(f"made.{each}" if each in SUMMED else "0" for each in NUMBERS)
    execute(
        f"INSERT INTO usage_rollups ({names}) SELECT {cube.number}, {cube.levels[0]}, bucket, numbers.id, {numbers} "
        f"FROM made JOIN numbers ON numbers.k = made.k ORDER BY bucket, numbers.id"
    )
    for before, level in pairwise(cube.levels):
        execute(
            f"INSERT INTO usage_rollups ({names}) "
            f"SELECT {cube.number}, {level}, r.bucket / {WIDTHS[level] // WIDTHS[before]}, r.series, {OF_SUMS} "
            f"FROM usage_rollups r WHERE r.cube = {cube.number} AND r.level = {before} "
            f"AND r.series BETWEEN {range_of(*_value(kind))[0]} AND {range_of(*_value(kind))[1]} GROUP BY 3, 4"
        )
    execute("DROP TABLE made")
    execute("DROP TABLE numbers")
    print(f"  cube {cube.number} {kind}: {len(series):,} series, {time.perf_counter() - began:.0f} s", flush=True)


def _value(kind: str) -> tuple[str, str]:
    return kind, "team" if kind == "tag" else ""


def _series(cube: Cube, kind: str, key: int) -> Any:
    """What stands in the columns of the series that a key is of."""
    rest, value = divmod(key, MANY)
    rest, status = divmod(rest, 3)
    who, what = divmod(rest, 20)
    known = {
        "project_id": f"project-{who // 10 if 'token_id' in cube.dimensions else who}",
        "token_id": f"token-{who}",
        "api": "openai" if what < 15 else "anthropic",
        "endpoint": "/v1/chat/completions" if what < 15 else "/v1/messages",
        "model": f"model-{what}",
        "served_model": f"model-{what}-2025-06-01",
        "status": STATUSES[status],
    }
    kept = [known[name] if name in cube.dimensions else 0 if name == "status" else "" for name in DIMENSIONS]
    return (cube.number, *kept, *_value(kind), f"{kind}-{value}" if kind else "")


INDEXES = {
    "ix_usage_records_project_id": "project_id, ended_at, id",
    "ix_usage_records_token_id": "token_id, ended_at, id",
    "ix_usage_records_ended_at": "ended_at, id",
}


def filled(kind: str, directory: str, days: int, records: int) -> tuple[str, Database]:
    url = f"{directory}/usage.db" if kind == "sqlite" else server(kind).new_database()
    database = open_database(clock_at(), url, threads=NoThreads)
    done(database.start())
    began = time.perf_counter()
    for index in INDEXES:
        done(database.run(lambda connection, index=index: connection.exec_driver_sql(f"DROP INDEX {index}")))
    done(database.close())
    if kind == "sqlite":
        fill_sqlite(url, days, records)
    else:
        fill_postgresql(url, days, records)
    print(f"{kind}: {records:,} records made in {time.perf_counter() - began:.0f} s", flush=True)
    database = open_database(clock_at(), url, threads=NoThreads)
    done(database.start())
    return url, database


def fill_sqlite(path: str, days: int, records: int, cubes: Sequence[Cube] = CUBES) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000", "temp_store=FILE"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")

    def many(table: str, rows: list[tuple[Any, ...]]) -> None:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    fill(lambda statement: connection.execute(statement).fetchall(), many, days, records, cubes)
    for name, keys in INDEXES.items():
        connection.execute(f"CREATE INDEX {name} ON usage_records ({keys})")
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def fill_postgresql(url: str, days: int, records: int, cubes: Sequence[Cube] = CUBES) -> None:
    engine = create_engine(locate(url, 1).url)
    connection: Any = engine.raw_connection()
    cursor = connection.cursor()
    for setting in ("jit = off", "work_mem = '512MB'", "maintenance_work_mem = '1GB'", "synchronous_commit = off"):
        cursor.execute(f"SET {setting}")

    def execute(statement: str) -> Any:
        series = f"WITH c(n) AS (SELECT CAST(n AS BIGINT) FROM generate_series(0, {records - 1}) AS n) "
        cursor.execute(statement.replace(all_of(records), series))
        return cursor.fetchall() if cursor.description else None

    def many(table: str, rows: list[tuple[Any, ...]]) -> None:
        cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)

    fill(execute, many, days, records, cubes)
    for name, keys in INDEXES.items():
        cursor.execute(f"CREATE INDEX {name} ON usage_records ({keys})")
    connection.commit()
    connection.driver_connection.autocommit = True
    cursor.execute("VACUUM ANALYZE")
    connection.close()
    engine.dispose()


def done(deferred: Any) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def questions(days: int) -> Iterator[tuple[str, UsageQuestion]]:
    since = END - days * DAY + 900.0
    for groups in (*SINGLE, *COMBINED):
        yield groups, UsageQuestion(tuple(groups.split(",")), since)
    berlin = {"since": since, "tz": "Europe/Berlin"}
    for groups in ("hour", "day", "month", "day,project", "day,model", "day,token", "day,project,model", "token,model"):
        yield f"{groups} in Berlin", UsageQuestion(tuple(groups.split(",")), **berlin)
    for groups in ("day", "day,token"):
        yield f"{groups} in Kolkata", UsageQuestion(tuple(groups.split(",")), since, tz="Asia/Kolkata")
    for groups in ("hour", "day,model", "hour,model", "user", "hour,model,status"):
        yield f"{groups} of a token", UsageQuestion(tuple(groups.split(",")), since, tokens=("token-77",))
    for groups in ("hour", "day,token,model", "user", "hour,model"):
        yield f"{groups} of a project", UsageQuestion(tuple(groups.split(",")), since, projects=("project-7",))
    yield "project of a model", UsageQuestion(("project",), since, models=("model-3",))
    yield "day,user of a week", UsageQuestion(("day", "user"), END - 7 * DAY + 1.0)
    yield "nothing, all time", UsageQuestion()


def worked(database: Database) -> float:
    """Seconds of a processor that this process, and PostgreSQL's for this connection, have taken until now."""
    pids = done(
        database.read(lambda c: c.exec_driver_sql("SELECT pg_backend_pid()").scalar() if _is_server(c) else None)
    )
    fields = [] if pids is None else Path(f"/proc/{pids}/stat").read_text().rpartition(")")[2].split()[11:13]
    return time.process_time() + sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")


def _is_server(connection: Any) -> bool:
    return bool(connection.dialect.name == "postgresql")


def milliseconds(database: Database, question: UsageQuestion, rounds: int) -> tuple[float, float, UsageReport]:
    """The median of some rounds, after one that is not counted, and of the processor time in them."""
    reports = UsageReports(database)
    report, taken, busy = done(reports.grouped(question)), [], []
    for _ in range(rounds):
        before, began = worked(database), time.perf_counter()
        done(reports.grouped(question))
        taken.append((time.perf_counter() - began) * 1000)
        busy.append((worked(database) - before) * 1000)
    return statistics.median(taken), statistics.median(busy), report


def measure(kind: str, database: Database, days: int, rounds: int) -> None:
    for name, question in questions(days):
        began = time.perf_counter()
        try:
            taken, busy, report = milliseconds(database, question, rounds)
        except Exception as error:
            print(
                f"{kind:11}{name:32} after {(time.perf_counter() - began) * 1000:.0f} ms: {str(error)[:150]}",
                flush=True,
            )
            continue
        rows = len(report.rows) + report.more
        print(
            f"{kind:11}{name:32}{taken:9.0f} ms{busy:9.0f} ms busy{rows:10,} rows{report.totals.requests:13,} requests",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--directory", help="where SQLite's file is made, and used again if it is there")
    parser.add_argument("kinds", nargs="*", default=["sqlite", "postgresql"])
    options = parser.parse_args()
    for kind in options.kinds:
        directory = options.directory or tempfile.mkdtemp()
        os.makedirs(directory, exist_ok=True)
        if kind == "sqlite" and os.path.exists(f"{directory}/usage.db"):
            database = open_database(clock_at(), f"{directory}/usage.db", threads=NoThreads)
            done(database.start())
        else:
            _, database = filled(kind, directory, options.days, options.records)
        measure(kind, database, options.days, options.rounds)
        done(database.close())
        if not options.directory:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
