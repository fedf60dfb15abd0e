"""Processor time and memory of other processes, from C{/proc} (Linux; zero elsewhere)."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> str:
    try:
        with open(path, encoding="latin-1") as file:
            return file.read()
    except OSError:
        return ""


def family(pids: Iterable[int]) -> set[int]:
    """These processes and their descendants: a proxy may have workers."""
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid in found:
            continue
        found.add(pid)
        waiting += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(child) for thread in threads for child in _read(f"/proc/{pid}/task/{thread}/children").split()]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and their descendants so far."""
    ticks = 0
    for pid in family(pids):
        # The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of proc(5).
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if len(fields) > 12:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def resident(pids: Iterable[int]) -> int:
    """Bytes of memory that these processes and their descendants hold; shared pages count in each."""
    pages = 0
    for pid in family(pids):
        fields = _read(f"/proc/{pid}/statm").split()
        if len(fields) > 1:
            pages += int(fields[1])
    return pages * _PAGE


def listening_port(pid: int) -> int | None:
    """The TCP port of IPv4 at which a process listens, C{None} if it does not yet."""
    inodes = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except OSError:
        # It has closed one meanwhile, or has ended.
        return None
    for line in _read(f"/proc/{pid}/net/tcp").splitlines()[1:]:
        # Local address, state (0A is LISTEN) and inode are fields 2, 4 and 10 of proc_pid_net(5).
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].rpartition(":")[2], 16)
    return None


def allow_descriptors() -> None:
    """As many as the system lets us have: each stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def sharpen_timers() -> None:
    """Ask Linux to wake us on time, not within its usual 50 microseconds; a request takes about as long."""
    try:
        with open("/proc/self/timerslack_ns", "w", encoding="latin-1") as file:
            file.write("1")
    except OSError:
        pass
