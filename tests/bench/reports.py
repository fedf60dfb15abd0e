"""A report of a run that never was."""

from __future__ import annotations

from typing import Any

from llmproxy.bench.comparison import Settings
from llmproxy.bench.report import report
from llmproxy.bench.session import Findings
from llmproxy.bench.values import Result, Target

MS = 1_000_000
MIB = 1 << 20

DIRECT = Target("direct", "http://d/v1?key=s3cret")
GATEWAY = Target("gateway", "http://g/v1", (("Authorization", "Bearer s3cret"),), (1 << 30,))
SETTINGS = Settings(b"body s3cret", b"")


class Compared:
    targets = (DIRECT, GATEWAY)
    same = True


def result(milliseconds: int, count: int, **what: Any) -> Result:
    made = Result(seconds=1.0, memory=(50 * MIB, 60 * MIB, 55 * MIB))
    for _ in range(count):
        made.latency.record(milliseconds * MS)
        made.delay.record(milliseconds * MS)
    for name, value in what.items():
        setattr(made, name, value)
    return made


def findings(**what: Any) -> Findings:
    rounds = {"direct": [result(1, 1000), result(1, 1000)], "gateway": [result(3, 100), result(3, 100)]}
    streams = {"direct": [result(1, 10, events=900)], "gateway": [result(2, 10, events=900, held=10, lost=2)]}
    known: dict[str, Any] = {
        "closed": rounds,
        "open": rounds,
        "rate": 50.0,
        "bounds": {"direct": {1.0: 500.0, 5.0: 900.0}, "gateway": {1.0: 0.0, 5.0: 80.0}},
        "most_events": {"gateway": 2000.0, "direct": 4000.0},
        "events": 1000.0,
        "streams": streams,
        "kib_per_stream": 9.5,
        "memory": (50 * MIB, 52 * MIB),
        "complete": True,
    }
    return Findings(**{**known, **what})


def reported(settings: Settings = SETTINGS, **what: Any) -> dict[str, Any]:
    return report(Compared(), settings, findings(**what))  # type: ignore[arg-type]
