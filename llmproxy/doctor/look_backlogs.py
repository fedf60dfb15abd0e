"""A look at what waits on disk; no lock is taken, and nothing is touched."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from ..core.doctor.backlogs import BacklogFacts, LedgerFacts, SpoolFacts
from ..core.events.places import letters_of, sinks_directory, spool_of
from ..core.ledger.settings import ledger_directory
from .subject import Subject

_SEGMENT = re.compile(r"([0-9a-f]{32})\.[0-9]{8}\.ledger")
_LETTERS = ".dead.jsonl"

LOCKS = Path("/proc/locks")


def look_at_backlogs(subject: Subject) -> BacklogFacts:
    """What waits in the ledger and in the spools of sinks."""
    apis = subject.apis
    if apis is None:
        return BacklogFacts()
    url = subject.database_url
    ledger = None
    if apis.ledger.enabled:
        directory = ledger_directory(apis.ledger.directory, url) if url else None
        ledger = LedgerFacts("") if directory is None else look_at_ledger(directory, apis.ledger.most_waiting)
    return BacklogFacts(ledger, tuple(_spools(subject)))


def look_at_ledger(directory: str, most: int, locks: Path = LOCKS, now: float | None = None) -> LedgerFacts:
    """
    Its files. A process has one that it writes to; what is beyond that waits for the database.

    @param most: bytes that they may have.
    @param locks: where the kernel lists the locks that are held.
    """
    moment = time.time() if now is None else now
    files: dict[str, list[os.stat_result]] = {}
    for name, status in _files(directory):
        match = _SEGMENT.fullmatch(name)
        if match is not None:
            files.setdefault(match[1], []).append(status)
    held = _held(locks)
    dead = None if held is None else [each for each in files.values() if not any(_inode(one) in held for one in each)]
    everything = [status for each in files.values() for status in each]
    waiting = sum(len(each) - 1 for each in files.values())
    return LedgerFacts(
        directory,
        held=sum(status.st_size for status in everything),
        most=most,
        waiting=waiting,
        oldest=max(0.0, moment - min((status.st_mtime for status in everything), default=moment)),
        dead=None if dead is None else len(dead),
        running=dead is not None and len(dead) < len(files),
    )


def _spools(subject: Subject) -> Iterator[SpoolFacts]:
    apis = subject.apis
    assert apis is not None
    usual = sinks_directory(subject.database_url)
    known = {sink.name: sink for sink in apis.sinks}
    for name, sink in known.items():
        directory = sink.directory or usual
        if directory is not None:
            yield look_at_spool(name, directory, sink.spool)
    for name in _names_in(usual or ""):
        if name not in known:
            yield look_at_spool(name, usual or "", 1, orphan=True)


def _names_in(directory: str) -> list[str]:
    """Of all sinks that have left anything in a directory."""
    found = {name.removesuffix(_LETTERS) for name, _ in _files(directory) if name.endswith(_LETTERS)}
    try:
        found |= {each.name for each in os.scandir(directory) if each.is_dir(follow_symlinks=False)}
    except OSError:
        pass
    return sorted(found)


def look_at_spool(sink: str, directory: str, most: int, orphan: bool = False, now: float | None = None) -> SpoolFacts:
    """What waits for the receiver of a sink, and what it never took."""
    moment = time.time() if now is None else now
    spool, letters = spool_of(directory, sink), letters_of(directory, sink)
    waiting = [
        status
        for slot in Path(spool).glob("slot-*")
        for name, status in _files(str(slot))
        if name.endswith(".jsonl") and status.st_size
    ]
    dead = sum(os.path.getsize(path) for path in (letters, f"{letters}.1") if os.path.isfile(path))
    oldest = max(0.0, moment - min((status.st_mtime for status in waiting), default=moment))
    return SpoolFacts(sink, spool, sum(status.st_size for status in waiting), max(1, most), oldest, dead, orphan)


def _files(directory: str) -> list[tuple[str, os.stat_result]]:
    try:
        with os.scandir(directory) as entries:
            return [(each.name, each.stat(follow_symlinks=False)) for each in entries if each.is_file()]
    except OSError:
        return []


def _inode(status: os.stat_result) -> str:
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"


def _held(locks: Path) -> set[str] | None:
    """Devices and inodes of the files that are locked (proc(5)); C{None} where that cannot be seen."""
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return None
    return {words[5] for line in lines if len(words := line.replace("-> ", "").split()) > 6 and words[1] == "FLOCK"}
