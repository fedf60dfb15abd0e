"""
What small objects cost in the memory store: C{python -m tests.benchmarks.cache_memory}.

The kernel is asked for the memory of this process before and after so many answers with a body of 1 KiB and a
target and a head of their own were stored; then how long lookups take with few and with all of them, which has to be
the same.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path

from llmproxy.cache.memory import MemoryStore
from llmproxy.core.caching.entry import Entry
from llmproxy.core.caching.key import Key

FIELDS = [
    (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"1024"),
    (b"Cache-Control", b"public, max-age=60"),
]


def resident() -> int:
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmRSS")


def key(number: int) -> Key:
    return Key("openai", f"project-{number % 100:028}", b"GET", b"/v1/files/file-%012d/content" % number)


def put(store: MemoryStore, number: int) -> None:
    fields = [*FIELDS, (b"ETag", b'"%016x"' % number)]
    entry = Entry(200, b"OK", fields, time.time(), 0.0, 60.0, False, False, 0.0, 0.0, 1024)
    store.put(key(number), (), lambda names: b"", entry, bytes(bytearray(1024)), 3600)


def lookup_time(store: MemoryStore, count: int) -> float:
    """Seconds of one lookup, spread over C{count} objects."""
    keys = [key(number * max(1, count // 20_000)) for number in range(min(count, 20_000))]
    began = time.process_time()
    for each in keys:
        assert store.found(each, lambda names: b"") is not None
    return (time.process_time() - began) / len(keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    count = parser.parse_args().objects
    store = MemoryStore(time.time, 1 << 40)
    put(store, 0)
    before = resident()
    for number in range(1000):
        put(store, number)
    few = lookup_time(store, 1000)
    for number in range(1000, count):
        put(store, number)
    used = (resident() - before) / count
    numbers = store.statistics()
    print("| objects | KiB each, by the kernel | KiB each, as counted | lookup among 1,000, µs | among all, µs |")
    print("|---|---|---|---|---|")
    many = lookup_time(store, count)
    counted = numbers["bytes"] / numbers["entries"]
    print(f"| {count:,} | {used / 1024:.2f} | {counted / 1024:.2f} | {few * 1e6:.1f} | {many * 1e6:.1f} |")


if __name__ == "__main__":
    main()
