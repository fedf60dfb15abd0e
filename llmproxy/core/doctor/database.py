"""The verdict on a database: whether it answers, its schema, its room, and who may read its files."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .findings import Finding, fault, note, ok, skipped, warning
from .words import READ_BY_OTHERS, WRITTEN_BY_OTHERS, mode_words, size_words, span_words

SLOW = 0.1
"""Seconds of one question to a database that a start, each miss of a token and the ledger wait for."""

LEAST_FREE = 100 * 1024 * 1024
LOW_FREE = 1024 * 1024 * 1024

LARGE_LOG = 256 * 1024 * 1024
"""Bytes of SQLite's write-ahead log: it is usually taken back at 4 MiB."""

NETWORK_FILES = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "ceph"})
"""File systems on which SQLite's locks cannot be relied on (sqlite.org/wal.html: all on the same host)."""


@frozen
class FileFacts:
    """
    The file of SQLite.

    @ivar free: bytes of its file system; C{None} if that is not known.
    @ivar kind: of its file system; C{""} if that is not known.
    @ivar log: bytes of its write-ahead log.
    """

    path: str
    exists: bool = True
    mode: int | None = None
    directory_mode: int | None = None
    writable: bool = True
    free: int | None = None
    size: int = 0
    log: int = 0
    kind: str = ""


@frozen
class DatabaseFacts:
    """
    @ivar label: without credentials; C{""} where the configuration names none that can be understood.
    @ivar error: why it does not answer; C{""} if it does.
    @ivar answered_in: seconds of one question.
    @ivar revision: of its schema; C{None} where there are no tables.
    @ivar needs: the revision that this program has.
    @ivar works: whether this program works on it as it is.
    @ivar is_later: its schema is a later release's.
    @ivar foreign: it has tables of another program.
    @ivar most_connections: of the server; C{None} if it does not say.
    @ivar wanted: connections of all workers of this configuration.
    @ivar file: of SQLite.
    """

    label: str
    error: str = ""
    answered_in: float | None = None
    revision: str | None = None
    needs: str = ""
    works: bool = False
    is_later: bool = False
    foreign: bool = False
    most_connections: int | None = None
    wanted: int = 0
    file: FileFacts | None = None


def judge_database(facts: DatabaseFacts) -> Iterator[Finding]:
    """What is wrong with a database."""
    if not facts.label:
        yield skipped("the configuration names no database that can be asked")
        return
    if facts.file is not None:
        yield from _of_file(facts.file)
        if not facts.file.exists:
            return
    if facts.error:
        yield fault(f"{facts.label}: does not answer: {facts.error}", "see that it runs, and that the URL is right")
        return
    if facts.answered_in is not None:
        says = f"{facts.label}: answers in {span_words(facts.answered_in)}"
        yield ok(says) if facts.answered_in < SLOW else warning(says, "put it nearer, or see what keeps it busy")
    yield _of_schema(facts)
    if facts.most_connections is not None and facts.wanted > facts.most_connections:
        says = f"{facts.label}: takes {facts.most_connections} connections, all workers may want {facts.wanted}"
        yield warning(says, "lower DATABASE_POOL_SIZE, use fewer workers, or raise max_connections there")


def _of_schema(facts: DatabaseFacts) -> Finding:
    if facts.revision is None:
        if facts.foreign:
            return fault(f"{facts.label}: it has tables of another program", "name an empty database")
        return note(f"{facts.label}: has no tables yet; the first start makes them")
    if facts.revision == facts.needs:
        return ok(f"{facts.label}: its schema is up to date (revision {facts.revision})")
    if facts.works:
        return note(f"{facts.label}: its schema ({facts.revision}) is a later release's, and lets this one work")
    if facts.is_later:
        says = f"{facts.label}: its schema ({facts.revision}) is newer than this program, which knows {facts.needs}"
        return fault(says, "run the release that made it, or a later one")
    says = f"{facts.label}: its schema is revision {facts.revision}, this program needs {facts.needs}"
    return warning(says, "the next start upgrades it; llmproxy db backup first, or llmproxy db upgrade by hand")


def _of_file(file: FileFacts) -> Iterator[Finding]:
    if not file.exists:
        if file.writable:
            yield note(f"{file.path}: is not there yet; the first start makes it")
        else:
            yield fault(f"{file.path}: cannot be made", "let the proxy's user write its directory")
    elif not file.writable:
        yield fault(f"{file.path}: this user cannot write it", "run as the proxy's user, or chown the file to it")
    if file.mode is not None and file.mode & (READ_BY_OTHERS | WRITTEN_BY_OTHERS):
        says = f"{file.path}: other users of the machine can read or write it (mode {mode_words(file.mode)})"
        yield warning(says, f"chmod 600 {file.path} (and its -wal and -shm)")
    if file.directory_mode is not None and file.directory_mode & 0o002 and not file.directory_mode & 0o1000:
        says = f"{file.path}: everybody on the machine can replace it (mode {mode_words(file.directory_mode)})"
        yield fault(says, "chmod o-w its directory")
    if file.kind in NETWORK_FILES:
        says = f"{file.path}: is on a network ({file.kind}), where the locks of SQLite cannot be relied on"
        yield fault(says, "put it on a disk of this machine, or use PostgreSQL or MySQL")
    if file.log > LARGE_LOG:
        says = f"{file.path}: its write-ahead log has grown to {size_words(file.log)}"
        yield warning(says, "something reads it for long: a backup, or a program that has it open")
    if file.free is not None:
        yield free_space(file.path, file.free)


def free_space(path: str, free: int) -> Finding:
    """Of the file system of a path."""
    says = f"{path}: {size_words(free)} are free there"
    if free < LEAST_FREE:
        return fault(says, "make room: what cannot be written down is lost, or refused")
    return warning(says, "make room before it is full") if free < LOW_FREE else ok(says)
