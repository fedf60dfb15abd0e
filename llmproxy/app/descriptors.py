"""The limit of this process's file descriptors: raised at the start, and what it leaves for clients."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, LogLevel

from ..core.descriptors import TURNED_AWAY, connections_within, spare_within, wanted

try:
    import resource
except ImportError:
    # There is none on Windows, and no such limit.
    resource = None  # type: ignore[assignment]

_log = Logger()

PLENTY = 1000
"""Clients at once that are enough for most: fewer are worth a warning."""

_DARWIN_MOST = 10_240
"""OPEN_MAX: macOS refuses more although it calls its hard limit infinite (setrlimit(2))."""


def raise_limit(connections: int | None, limits: Any = resource) -> None:
    """
    Raise the soft limit as far as C{connections} need it and the hard limit allows: 256 (macOS) and 1,024 (Linux) are
    there for programs that use C{select()}.

    For processes that are the proxy's alone.

    @param connections: clients at once; C{None} is without limit.
    @param limits: what the module C{resource} has.
    """
    if limits is None:
        return
    soft, hard = limits.getrlimit(limits.RLIMIT_NOFILE)
    infinity = limits.RLIM_INFINITY
    enough = wanted(connections)
    if soft == infinity or soft >= enough:
        return
    for limit in (enough if hard == infinity else min(enough, hard), min(enough, _DARWIN_MOST)):
        if limit <= soft:
            continue
        try:
            limits.setrlimit(limits.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):
            # Not allowed after all: what was there is still there.
            continue
        return


def most_connections(connections: int | None, limits: Any = resource) -> int | None:
    """
    How many clients this process can have at once, if that is fewer than C{connections}; C{None} if all of them fit.
    Logged, as an operator has to know.
    """
    if limits is None:
        return None
    soft, _ = limits.getrlimit(limits.RLIMIT_NOFILE)
    if soft == limits.RLIM_INFINITY:
        return None
    most = connections_within(soft)
    if connections is not None and connections <= most:
        return None
    if connections is not None:
        _log.emit(
            LogLevel.warn if most < PLENTY else LogLevel.info,
            "{soft} open files are allowed, enough for {most} clients at once in this process (limits.connections is "
            "{connections}); one more gets a 503. Raise it with ulimit -n, LimitNOFILE= or --ulimit nofile=",
            soft=soft,
            most=most,
            connections=connections,
        )
    return most


def spare(connections: int | None, limits: Any = resource) -> tuple[int, int | None]:
    """
    How many clients at a time can be answered that there are too many, and how many can be accepted at a time; C{None}
    is without limit. See L{spare_within}.
    """
    soft = None if limits is None else limits.getrlimit(limits.RLIMIT_NOFILE)[0]
    if soft is None or soft == limits.RLIM_INFINITY:
        return TURNED_AWAY, None
    return spare_within(soft, connections)
