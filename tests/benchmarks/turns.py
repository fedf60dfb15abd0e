"""
The longest turn of the reactor that a caller can cause, by kind of what is sent.

    python -m tests.benchmarks.turns

Each turn counts as in the quickest of three runs, so that other processes do not. Beside the milliseconds stands how
often a plain request's turn fits into it, which C{tests/test_turns.py} holds.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator

from tests.worst import KINDS, Kind, plain

RUNS = 3


def _timed(kind: Kind) -> Iterator[float]:
    turns = kind()
    while True:
        # Of the processor, so that it says nothing of what others do on a busy machine: nothing here waits.
        started = time.thread_time()
        ended = next(turns, turns) is turns
        yield time.thread_time() - started
        if ended:
            return


def longest(kind: Kind, runs: int = RUNS) -> float:
    """Seconds of the longest turn; of each the least that it took in some runs, which are all alike."""
    # A collection is a turn of nobody's.
    gc.disable()
    try:
        return max(map(min, zip(*(list(_timed(kind)) for _ in range(runs)), strict=True)))
    finally:
        gc.enable()


def main() -> int:
    unit = longest(plain, 20)
    print(f"{unit * 1000:7.2f} ms   a plain request")
    figures = sorted(((longest(kind), name) for name, kind in KINDS.items()), reverse=True)
    for seconds, name in figures:
        print(f"{seconds * 1000:7.2f} ms {seconds / unit:6.1f} times   {name}")
    return 0 if figures[0][0] < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
