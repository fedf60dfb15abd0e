"""
Sizes of reads from a socket.

Twisted reads 64 KiB. What a piece costs from there to the client's socket, in system calls and in Python, hardly
depends on its size: in pieces of 256 KiB a download of 100 MiB took 40 % less of the proxy's processor time
(C{tests.benchmarks.storing}, not asked to be stored), and of 512 KiB no less than that.
"""

from __future__ import annotations

from typing import Any

READ = 64 * 1024
"""Bytes. Twisted's size, and ours where not more than that comes at once."""

MOST_READ = 256 * 1024
"""Bytes that are read at once of a large body; a slow client may have as many waiting for it."""


def next_size(size: int, came: int) -> int:
    """
    How many bytes to read at once next.

    @param size: how many it would have been this time, and C{came} how many came.
    """
    if came >= size:
        return min(2 * size, MOST_READ)
    return size if came >= READ else READ


def adapt(transport: Any, came: int) -> bool:
    """
    Have C{transport} read as much at once as fits what comes; TLS has pieces of its own, and is left alone.

    @return: whether the next read may bring more than L{READ}.
    """
    size = getattr(transport, "bufferSize", READ)
    wanted = next_size(size, came)
    if wanted != size:
        transport.bufferSize = wanted
    return wanted > READ
