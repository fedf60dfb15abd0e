"""The audit log read as it lies there, and what is wrong with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from attrs import define, field, frozen

from ..config.databases import Storage, sqlite_url
from ..config.variables import DEFAULT_DATABASE
from ..core.audit.chain import Anchor, linked_of_line
from ..core.audit.settings import NOWHERE, STDOUT
from ..core.audit.verify import Problem, Report, Verifier
from .faults import Fault
from .output import Output, Progress
from .storage import check_revision, located, reading
from .target import DATA

if TYPE_CHECKING:
    from ..core.audit.chain import Linked

FILE, SQL = "file", "sql"
_OF_THE_LOG = frozenset({"audit.open", "audit.seal", "audit.torn", "audit.lost"})
"""What a sink notes of itself is in no other."""

SETTLED = 10.0
"""Seconds after which a record is where it belongs, unless a sink is away."""

_MAX_LINE = 1024 * 1024


@frozen
class Places:
    """
    @ivar files: the oldest first.
    @ivar database: a URL, or C{None}.
    """

    files: tuple[str, ...]
    database: str | None = field(repr=False)

    @classmethod
    def found(
        cls,
        storage: Storage,
        path: str | None,
        log_file: str | None,
        data: str | None,
        no_file: bool,
        no_database: bool,
    ) -> Places:
        """
        @param path: of C{--file}.
        @param log_file: what the proxy's environment says.
        @raise Fault: a file that was named is not there, or there is nothing to verify.
        """
        # Quickstart's directory is looked for only where nothing else says where a proxy keeps what it has.
        is_described = storage.database_url != sqlite_url(DEFAULT_DATABASE)
        in_data = data or (DATA if os.path.isdir(DATA) and not is_described else None)
        database = storage.database_url
        named = path or log_file or None
        if in_data is not None:
            database = "sqlite:///" + os.path.join(in_data, "llmproxy.db")
            named = named or os.path.join(in_data, "audit.log")
        files = () if no_file or named in (*NOWHERE, STDOUT) else continuations(named or _default_file(database))
        if path is not None and not files and not no_file:
            raise Fault(f"{path}: there is no such file")
        places = cls(files, None if no_database else database)
        if not places.files and places.database is None:
            raise Fault("there is nothing to verify: name the log with --file, the database with --database")
        return places


def _default_file(database_url: str) -> str:
    from ..app.auditfiles import audit_file_of

    return audit_file_of(database_url, DEFAULT_DATABASE)


@define
class Verdict:
    """
    @ivar reports: by C{file} and C{sql}.
    @ivar between: what is in one and not in the other.
    """

    reports: dict[str, Report] = field(factory=dict)
    between: list[Problem] = field(factory=list)
    notes: list[str] = field(factory=list)

    @property
    def count(self) -> int:
        return sum(report.problem_count for report in self.reports.values()) + len(self.between)


@define
class _Seen:
    """
    What is compared of one place.

    @ivar ids: of records with their times, by the chain that they are in.
    @ivar lost: how many the place itself says that it lost.
    @ivar alone: for a time it was the only one.
    @ivar begins: what is older may be gone, microseconds since the epoch.
    """

    ids: dict[str, dict[str, int]] = field(factory=dict)
    lost: int = 0
    alone: bool = False
    begins: int = 0

    def add(self, link: Linked) -> None:
        record = link.record
        if record.action == "audit.lost":
            count = record.details.get("count")
            self.lost += count if isinstance(count, int) else 1
        if record.action == "audit.start" and len(record.details.get("sinks", ())) < 2:
            self.alone = True
        if record.action not in _OF_THE_LOG:
            self.ids.setdefault(link.chain, {})[record.id] = record.timestamp


def continuations(path: str) -> tuple[str, ...]:
    """A log's files, the oldest first: C{path.2}, C{path.1}, C{path}."""
    directory, name = os.path.split(path)
    try:
        there = os.listdir(directory or ".")
    except OSError:
        return ()
    numbers = sorted((int(end) for each in there if (end := each.removeprefix(name + ".")).isdecimal()), reverse=True)
    older = [f"{path}.{number}" for number in numbers if os.path.exists(f"{path}.{number}")]
    return (*older, *([path] if os.path.exists(path) else []))


def verified(places: Places, heads: Sequence[str] = ()) -> Verdict:
    """Read everything once, the file before the database: what comes meanwhile is in the one that is read later."""
    given = [_head(text) for text in heads]
    verdict = Verdict()
    anchors = _anchors(places.database)
    in_file, in_table = _Seen(), _Seen()
    if places.files:
        verdict.reports[FILE] = _verify_files(places.files, [*anchors.get(FILE, []), *given], in_file)
    elif anchors.get(FILE):
        verdict.between.append(Problem(FILE, "the database knows of a file, and there is none"))
    if places.database is not None:
        verdict.reports[SQL] = _verify_table(places.database, given, in_table)
    else:
        verdict.notes.append("without the database, what was cut off at the end of the file is not found")
    if in_file.alone or in_table.alone:
        verdict.notes.append("for a time records went to one place only: file and database are not compared")
    elif places.files and in_table.ids:
        verdict.between += _compared(in_file, in_table, time.time())
    return verdict


def _anchors(url: str | None) -> dict[str, list[Anchor]]:
    from ..store.auditlinks import anchors_of

    if url is None:
        return {}
    location = located(url)
    with reading(location) as connection:
        check_revision(location, connection)
        return anchors_of(connection)


def _verify_files(paths: Sequence[str], anchors: Iterable[Anchor], seen: _Seen) -> Report:
    # Anchors of other machines' files are not of this one.
    mine = _chain_of(paths)
    verifier = Verifier([anchor for anchor in anchors if anchor.chain == mine or mine is None], may_begin_late=True)
    total = sum(os.path.getsize(path) for path in paths)
    with Progress("bytes", total) as advance:
        for path in paths:
            for number, line in _lines(path):
                verifier.line(f"{path}:{number}", line)
                _add(seen, line)
                advance(len(line) + 1)
    return verifier.finish()


def _add(seen: _Seen, line: bytes) -> None:
    try:
        seen.add(linked_of_line(line))
    except ValueError:
        pass


def _verify_table(url: str, given: Sequence[Anchor], seen: _Seen) -> Report:
    from ..store.auditverify import verify_table

    location = located(url)
    with reading(location) as connection, Progress("records") as advance:

        def see(link: Linked) -> None:
            seen.add(link)
            advance(1)

        report, cuts = verify_table(connection, given, see)
    seen.begins = cuts.before
    return report


def _compared(in_file: _Seen, in_table: _Seen, now: float) -> list[Problem]:
    """
    What both should have: what the processes wrote that wrote this file, while both were written.

    What was noted only just now may still be on its way to one of them.
    """
    file_ids = {record_id: at for ids in in_file.ids.values() for record_id, at in ids.items()}
    shared = {
        record_id: at for ids in in_table.ids.values() if ids.keys() & file_ids.keys() for record_id, at in ids.items()
    }
    if not shared or not file_ids:
        missing = [record_id for record_id, at in file_ids.items() if at >= in_table.begins]
        return [] if len(missing) <= in_table.lost else [_absent("database", missing)]
    begin = max(min(file_ids.values()), min(shared.values()), in_table.begins)
    end = min(max(file_ids.values()), max(shared.values()), round((now - SETTLED) * 1_000_000))
    problems = []
    for here, there, name, lost in (
        (file_ids, shared, "database", in_table.lost),
        (shared, file_ids, "file", in_file.lost),
    ):
        missing = [each for each, at in here.items() if begin <= at <= end and each not in there]
        if len(missing) > lost:
            problems.append(_absent(name, missing))
    return problems


def _absent(name: str, ids: Sequence[str]) -> Problem:
    shown = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
    return Problem(name, f"{len(ids)} records that are in the other are not in the {name}: {shown}")


def _chain_of(paths: Sequence[str]) -> str | None:
    for path in paths:
        for _, line in _lines(path):
            try:
                return linked_of_line(line).chain
            except ValueError:
                continue
    return None


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(_MAX_LINE):
                number += 1
                yield number, line.rstrip(b"\n")
    except OSError as error:
        raise Fault(f"{path}: cannot be read: {error.strerror}") from None


def _head(text: str) -> Anchor:
    chain, _, rest = text.partition(":")
    count, _, head = rest.partition(":")
    if not (chain and count.isdecimal() and len(head) == 64):
        raise click.UsageError(f"--head: expected CHAIN:COUNT:HASH, got {text!r}")
    return Anchor(chain, int(count), head)


def report(verdict: Verdict, output: Output) -> None:
    """Problems first, then what else there is to know, and where each chain has come to."""
    for name, report in verdict.reports.items():
        for problem in report.problems:
            output.say(f"{problem.where}: {problem.what}")
        if report.problem_count > len(report.problems):
            output.say(f"{name}: and {report.problem_count - len(report.problems)} more")
    for problem in verdict.between:
        output.say(f"{problem.where}: {problem.what}")
    for note in (*verdict.notes, *(note for report in verdict.reports.values() for note in report.notes)):
        output.say(f"note: {note}")
    for name, report in verdict.reports.items():
        output.say(f"{name}: {report.records} records, {report.problem_count} problems")
        for anchor in report.heads.values():
            output.say(f"head {anchor.chain}:{anchor.count}:{anchor.head}")
    output.say("Everything is in order." if not verdict.count else f"{verdict.count} problems.", _plain(verdict))


def _plain(verdict: Verdict) -> dict[str, Any]:
    reports = {
        name: {
            "records": report.records,
            "problem_count": report.problem_count,
            "problems": [{"where": each.where, "what": each.what} for each in report.problems],
            "notes": report.notes,
            "heads": [f"{each.chain}:{each.count}:{each.head}" for each in report.heads.values()],
        }
        for name, report in verdict.reports.items()
    }
    between = [{"where": each.where, "what": each.what} for each in verdict.between]
    return {"problem_count": verdict.count, **reports, "between": between, "notes": verdict.notes}
