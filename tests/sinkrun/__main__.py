"""See L{tests.sinkrun}."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .run import Scene, Stage, lines, problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sinkrun")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=2000, help="of them a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", action="store_true", help="the sender is killed too, and may lose its memory")
    options = parser.parse_args()
    scene = Scene(options.events, options.seed, options.rate, options.kills)
    with tempfile.TemporaryDirectory(prefix="llmproxy-sinkrun-") as directory:
        outcome = Stage(scene, directory).play()
        if problems(scene, outcome):
            print(Path(directory, "stderr").read_text()[-20_000:])
    for line in lines(scene, outcome):
        print(line, flush=True)
    return int(bool(problems(scene, outcome)))


if __name__ == "__main__":
    sys.exit(main())
