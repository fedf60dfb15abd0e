"""See L{tests.limitrun}."""

from __future__ import annotations

import argparse
import sys
import tempfile

from .run import Scene, lines, played, problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.limitrun")
    parser.add_argument("--count", type=int, default=10_000, help="exchanges against the budget")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scene = Scene(count=options.count, seed=options.seed)
    with tempfile.TemporaryDirectory(prefix="llmproxy-limitrun-") as directory:
        outcome = played(scene, directory)
    for line in lines(scene, outcome):
        print(line, flush=True)
    return int(bool(problems(scene, outcome)))


if __name__ == "__main__":
    sys.exit(main())
