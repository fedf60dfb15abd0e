"""
A load process: C{python -m llmproxy.bench.worker}, spoken to in lines of JSON.

It reads a L{LoadSpec} from its standard input (not its arguments: a request may hold a token), connects,
says C{{"ready": true}}, waits for a line, and in the end writes its L{Result}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import IO, Any

from .closed import ClosedLoop, CountedLoop
from .load import Loop, Progress, measure
from .open import OpenLoop
from .proc import allow_descriptors, resident, sharpen_timers
from .streams import Streams
from .values import LoadSpec

LOOPS: dict[str, Callable[[LoadSpec, Progress], Loop]] = {
    "closed": ClosedLoop,
    "counted": CountedLoop,
    "open": OpenLoop,
    "sse": Streams,
}


def serve(commands: IO[str], answers: IO[str]) -> None:
    """Do one run."""

    def say(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    spec = LoadSpec.from_json(json.loads(commands.readline()))
    before = resident(spec.pids)
    loop = LOOPS[spec.mode](spec, lambda done: say(done=done))
    loop.connect()
    say(ready=True)
    if commands.readline():
        say(result=measure(loop, before).to_json())


if __name__ == "__main__":
    allow_descriptors()
    sharpen_timers()
    serve(sys.stdin, sys.stdout)
