"""A look at the limits of the system, and at the disks that the proxy writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..core.audit.settings import STDOUT
from ..core.descriptors import wanted
from ..core.doctor.system import DiskFacts, SystemFacts
from ..core.events.places import sinks_directory
from ..core.ledger.settings import ledger_directory
from .look_configuration import mode_of
from .look_database import can_be_made, nearest, room_of
from .subject import Subject

try:
    import resource
except ImportError:
    # There is none on Windows.
    resource = None  # type: ignore[assignment]


def look_at_system(subject: Subject) -> SystemFacts:
    """Descriptors, memory, processors, disks."""
    settings, apis = subject.settings, subject.apis
    connections = None if apis is None else apis.limits.connections
    total, available = memory()
    uses_memory = settings is not None and settings.cache.enabled
    return SystemFacts(
        descriptors=_descriptors(connections),
        connections=connections,
        workers=subject.workers,
        memory=total,
        available=available,
        cache=settings.cache.memory_bytes if settings is not None and uses_memory else 0,
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        disks=tuple(_disks(subject)),
    )


def _descriptors(connections: int | None) -> int | None:
    """How many a process has once the proxy has raised its limit as far as it may."""
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard):
        return None
    return max(soft, min(hard, wanted(connections)))


def memory(proc: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> tuple[int | None, int | None]:
    """Bytes that there are, and that are free: of the machine, or of the container where that has fewer."""
    total, available = _of_machine(proc)
    most, used = _number(group / "memory.max"), _number(group / "memory.current")
    if most is None or (total is not None and most >= total):
        return total, available
    left = None if used is None else max(0, most - used)
    return most, left if available is None else available if left is None else min(left, available)


def _of_machine(proc: Path) -> tuple[int | None, int | None]:
    try:
        lines = dict(line.split(":", 1) for line in proc.read_text().splitlines() if ":" in line)
        return int(lines["MemTotal"].split()[0]) * 1024, int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None, None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        # "max" is no limit.
        return None


def _disks(subject: Subject) -> Iterator[DiskFacts]:
    settings, apis = subject.settings, subject.apis
    if settings is None or apis is None:
        return
    if apis.ledger.enabled:
        directory = ledger_directory(apis.ledger.directory, settings.database_url)
        if directory is not None:
            yield _disk("ledger", directory, private=True)
    usual = sinks_directory(settings.database_url)
    for directory in dict.fromkeys(sink.directory or usual for sink in apis.sinks):
        if directory is not None:
            yield _disk("spools of sinks", directory, private=True)
    if settings.audit is not None and settings.audit.file not in (None, STDOUT):
        yield _disk("audit log", os.path.dirname(os.path.abspath(str(settings.audit.file))))
    if settings.access_log not in (None, "-"):
        yield _disk("access log", os.path.dirname(os.path.abspath(str(settings.access_log))))


def _disk(use: str, path: str, private: bool = False) -> DiskFacts:
    exists = os.path.isdir(path)
    there = path if exists else nearest(os.path.abspath(path))
    free, files = room_of(there)
    writable = os.access(there, os.W_OK | os.X_OK) if exists else can_be_made(os.path.abspath(path))
    return DiskFacts(use, path, exists, writable, mode_of(path) if private else None, free, files)
