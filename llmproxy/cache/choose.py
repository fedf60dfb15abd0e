"""Which store a configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .memory import MemoryStore

if TYPE_CHECKING:
    from ..core.caching.environment import CacheOptions
    from ..interfaces import ICacheStore


def choose_store(reactor: Any, options: CacheOptions) -> ICacheStore:
    """The memory of this process; a store is given what it needs of C{options}."""
    store: ICacheStore = MemoryStore(reactor.seconds, options.memory_bytes)
    return store
