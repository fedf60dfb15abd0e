"""See L{tests.ledgerrun}."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from ..integration.databases import KINDS, server
from .run import Scene, lines, played


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ledgerrun")
    parser.add_argument("--count", type=int, default=20_000, help="exchanges with each database")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--proxies", type=int, default=1, help="that share the database")
    parser.add_argument("--database", choices=KINDS, action="append", help="all of them by default")
    options = parser.parse_args()
    wrong = False
    for kind in options.database or KINDS:
        with tempfile.TemporaryDirectory(prefix="llmproxy-ledgerrun-") as directory:
            path = os.path.join(directory, "data", "llmproxy.db")
            os.makedirs(os.path.dirname(path))
            url = f"sqlite:///{path}" if kind == "sqlite" else server(kind).new_database()
            scene = Scene(options.count, options.seed, options.workers, proxies=options.proxies)
            outcome = played(scene, directory, url)
        print(f"{kind}:")
        for line in lines(outcome):
            print(f"  {line}", flush=True)
        wrong = wrong or bool(outcome.problems or outcome.left)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
