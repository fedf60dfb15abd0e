"""The verdict on the limits of the system: descriptors, memory, disks."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..descriptors import connections_within
from .database import free_space
from .findings import Finding, fault, note, ok, warning
from .words import READ_BY_OTHERS, WRITTEN_BY_OTHERS, mode_words, size_words

PLENTY = 1000
"""Clients at once that are enough for most."""

PROCESS = 150 * 1024 * 1024
"""Bytes that a worker has without anything in its cache, about."""

FEW_FILES = 0.02
"""Share of the files that a file system can have, still free."""


@frozen
class DiskFacts:
    """
    A directory that the proxy writes to.

    @ivar use: what it is for.
    @ivar exists: whether it is there; if not, C{writable} is about the one that it would be made in.
    @ivar mode: its permissions; C{None} where they are nobody's business.
    @ivar free: bytes; C{None} if that is not known.
    @ivar files_left: share of the files that can still be made; C{None} where there is no such limit.
    """

    use: str
    path: str
    exists: bool = True
    writable: bool = True
    mode: int | None = None
    free: int | None = None
    files_left: float | None = None


@frozen
class SystemFacts:
    """
    @ivar descriptors: how many a process may have, after the proxy has raised what it may; C{None} is without limit.
    @ivar connections: C{limits.connections}.
    @ivar workers: processes.
    @ivar memory: bytes that this machine or this container has; C{None} if that is not known.
    @ivar available: bytes of it that are free.
    @ivar cache: bytes that stored answers may have in each worker.
    @ivar processors: that may be used.
    @ivar is_root: it runs as the user who may do everything.
    """

    descriptors: int | None = None
    connections: int | None = None
    workers: int = 1
    memory: int | None = None
    available: int | None = None
    cache: int = 0
    processors: int = 1
    is_root: bool = False
    disks: tuple[DiskFacts, ...] = ()


def judge_system(facts: SystemFacts) -> Iterator[Finding]:
    """What is scarce."""
    yield _of_descriptors(facts)
    yield from _of_memory(facts)
    if facts.workers > 2 * facts.processors:
        says = f"{facts.workers} workers share {facts.processors} processors"
        yield warning(says, "--workers auto starts one for each")
    if facts.is_root:
        yield note("this is the user root; a proxy needs no such rights", "run it as a user of its own")
    for disk in facts.disks:
        yield from _of_disk(disk)


def _of_descriptors(facts: SystemFacts) -> Finding:
    if facts.descriptors is None:
        return ok("open files: without limit")
    most = connections_within(facts.descriptors)
    says = f"open files: {facts.descriptors}, enough for {most} clients at once in each worker"
    wanted = facts.connections
    if wanted is not None and most >= wanted:
        return ok(says)
    mend = "raise it with ulimit -n, LimitNOFILE= or --ulimit nofile="
    whole = f"{says}; limits.connections is {'without limit' if wanted is None else wanted}"
    return warning(whole, mend) if most < PLENTY else note(whole, mend)


def _of_memory(facts: SystemFacts) -> Iterator[Finding]:
    if facts.memory is None:
        return
    wanted = facts.workers * (PROCESS + facts.cache)
    says = f"memory: {size_words(facts.memory)}, of which {facts.workers} workers may want {size_words(wanted)}"
    if wanted > facts.memory:
        yield warning(says, "lower HTTP_CACHE_MEMORY_BYTES, use fewer workers, or give it more memory")
    else:
        yield ok(says)
    if facts.available is not None and facts.available < PROCESS:
        yield warning(f"memory: only {size_words(facts.available)} are free now", "see what else runs here")


def _of_disk(disk: DiskFacts) -> Iterator[Finding]:
    what = f"{disk.use}: {disk.path}"
    if not disk.writable:
        verb = "cannot be written by this user" if disk.exists else "cannot be made by this user"
        yield fault(f"{what}: {verb}", "run as the proxy's user, or chown the directory to it")
        return
    if disk.mode is not None and disk.mode & (READ_BY_OTHERS | WRITTEN_BY_OTHERS):
        says = f"{what}: other users of the machine can look into it (mode {mode_words(disk.mode)})"
        yield warning(says, f"chmod 700 {disk.path}")
    if disk.files_left is not None and disk.files_left < FEW_FILES:
        yield warning(f"{what}: hardly any more files can be made there", "see what has so many (df -i)")
    if disk.free is not None:
        yield free_space(what, disk.free)
