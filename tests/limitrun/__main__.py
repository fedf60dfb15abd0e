"""See L{tests.limitrun}."""

from __future__ import annotations

import argparse
import sys
import tempfile
from decimal import Decimal

from .run import SHARED, Scene, lines, played, problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.limitrun")
    parser.add_argument("--count", type=int, default=10_000, help="exchanges against the budget")
    parser.add_argument("--budget", type=Decimal, default=Decimal(50), help="USD")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", choices=SHARED, default="redis", help="where machines count together")
    parser.add_argument("--hard", action="store_true", help="a hard_budget, against streams of any length")
    parser.add_argument("--open", action="store_true", help="such streams, against a budget that is not hard")
    parser.add_argument("--only-budget", action="store_true", help="neither rates nor requests at once")
    options = parser.parse_args()
    scene = Scene(
        count=options.count,
        budget=options.budget,
        seed=options.seed,
        shared=options.shared,
        hard=options.hard,
        bounded=not (options.hard or options.open),
        at_once=0 if options.only_budget or options.shared != "redis" else 1000,
        places=not options.only_budget and options.shared == "redis",
    )
    with tempfile.TemporaryDirectory(prefix="llmproxy-limitrun-") as directory:
        outcome = played(scene, directory)
    for line in lines(scene, outcome):
        print(line, flush=True)
    return int(bool(problems(scene, outcome)))


if __name__ == "__main__":
    sys.exit(main())
