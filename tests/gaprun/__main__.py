"""C{python -m tests.gaprun}: no request and no stream fails while a proxy is reloaded, upgraded and certified anew."""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser

from attrs import fields

from .clients import Options
from .run import Run


def main() -> int:
    """Run with the options of the command line, and say what came of it; 1 where anything failed."""
    parser = ArgumentParser(prog="python -m tests.gaprun", description=__doc__)
    for each in fields(Options):
        parser.add_argument(f"--{each.name}", type=int, default=each.default)
    options = Options(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as directory:
        outcome = Run(options, directory).run()
    tally = outcome.tally
    took = f"in {outcome.seconds:.0f} s, {options.workers} workers"
    print(f"{tally.requests} requests and {tally.streams} streams {took}")
    print(", ".join(f"{count} {name}" for name, count in outcome.happened.items()))
    print(f"{tally.failed} failed")
    for words, count in tally.failures.most_common(10):
        print(f"  {count} times {words}")
    return 1 if tally.failed or outcome.status else 0


if __name__ == "__main__":
    sys.exit(main())
