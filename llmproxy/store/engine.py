"""Engines of databases. SQLAlchemy is imported when one is opened, not before: it costs 0.2 s of a start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .threads import PooledThreads, Threads

if TYPE_CHECKING:
    from ..providers.registry import Binding
    from .database import Database

POOL_SIZE = 10
"""Connections to a server, and threads that wait for it."""


def open_database(
    reactor: Any,
    url: str,
    *,
    encryption_key: bytes | None = None,
    old_encryption_keys: Sequence[bytes] = (),
    require_encryption: bool = False,
    pool_size: int = POOL_SIZE,
    threads: Callable[[int], Threads] | None = None,
    binding: Binding | None = None,
) -> Database:
    """
    A database that is not connected yet: call its C{start}.

    @param reactor: for its C{seconds} (since the epoch) and, with real threads, C{callFromThread}.
    @param url: C{sqlite:///relative}, C{sqlite:////absolute}, a path, C{:memory:},
        C{postgresql://…} or C{mysql://…}.
    @param encryption_key: 32 bytes, or C{None} to keep upstream keys in clear.
    @param old_encryption_keys: those that what is there may be encrypted with.
    @param require_encryption: upstream keys in clear are not accepted.
    @param threads: makes the given number of threads; C{NoThreads} in tests.
    @param binding: which API a key belongs to of which nobody said so; C{None} where no configuration is at hand.
    @raise ConfigError: the URL cannot be understood, its driver is not installed, the key has another length.
    """
    from .backend import locate
    from .database import Database
    from .secrets import KeyRing

    if threads is None:

        def threads(size: int) -> Threads:
            return PooledThreads(reactor, size)

    keys = KeyRing.of(encryption_key, old_encryption_keys, required=require_encryption)
    return Database(reactor, locate(url, pool_size), keys, threads, binding)
