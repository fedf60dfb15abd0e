"""See L{tests.differential}."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from .comparison import Difference, compare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("--long", action="store_true", help="a million bodies instead of 20,000")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    made = 0
    accepted: Counter[str] = Counter()
    read: Counter[str] = Counter()
    differences: list[Difference] = []
    started = time.monotonic()
    for seed in range(options.seed, options.seed + (100 if options.long else 2)):
        each = compare(seed, 10_000, install=True)
        made += each.made
        accepted += each.accepted
        read += each.read
        differences += each.differences
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(accepted.items()))
    print(f"{made:,} bodies from seed {options.seed} in {time.monotonic() - started:.0f} s; ours accepts {kinds}")
    for name in sorted(read):
        different = [each for each in differences if each.reader == name]
        print(f"{name}: reads {read[name]:,} of these, {len(different)} in another way")
        for each in different[:5]:
            print(f"  {each.values} in {each.body}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
