"""See L{tests.eventrun}."""

from __future__ import annotations

import argparse
import sys
import tempfile

from .run import Scene, lines, played, problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.eventrun")
    parser.add_argument("--count", type=int, default=50_000, help="events")
    parser.add_argument("--rate", type=int, default=1000, help="published each second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dispatchers", type=int, default=2)
    parser.add_argument("--mishaps", type=int, default=40, help="at least; they go on until all is published")
    options = parser.parse_args()
    scene = Scene(options.count, options.rate, options.seed, options.dispatchers, options.mishaps)
    with tempfile.TemporaryDirectory(prefix="llmproxy-eventrun-") as directory:
        outcome = played(scene, directory)
    for line in lines(scene, outcome):
        print(line, flush=True)
    return int(bool(problems(scene, outcome)))


if __name__ == "__main__":
    sys.exit(main())
