"""
What events and captured content cost: C{python -m tests.benchmarks.capture}.

Proxies without a sink, with events in a file, and with all that is said in them too, take turns in each round in front
of one upstream, with small requests and with streams. Ratios are medians of those of each round: what else runs on the
machine, runs beside all of them. Requests a second are to be at least 0.97 and 0.85 of those without.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_event, cpu_per_request, events_per_second
from llmproxy.bench.values import Result

from .metering import streams
from .proxied import running_proxy
from .requests import spec, through

CASES = {
    "no sink": "",
    "metadata": "sinks: [{{name: log, type: file, path: {path}}}]\n",
    "content": "    capture: on\nsinks: [{{name: log, type: file, path: {path}}}]\n",
    "content, redacted": "    capture: {{redact: ['$.user', email, card, phone]}}\n"
    "sinks: [{{name: log, type: file, path: {path}}}]\n",
}


def measured(rounds: int, seconds: float, connections: int, kind: str) -> dict[str, list[Result]]:
    """By case, a result for each round."""
    found: dict[str, list[Result]] = {name: [] for name in CASES}
    with ExitStack() as running:
        directory = running.enter_context(tempfile.TemporaryDirectory())
        port, _ = running.enter_context(fast_upstream())
        targets = []
        for name, settings in CASES.items():
            path = Path(directory, name.replace(" ", "").replace(",", ""))
            proxy = running.enter_context(running_proxy(port, settings=settings.format(path=path)))
            targets.append(through(name, proxy))
        for number in range(rounds):
            for target in targets if number % 2 else targets[::-1]:
                result = run([(spec if kind == "requests" else streams)(target, connections, seconds)])
                assert not result.failed, (kind, target.name, result.errors)
                found[target.name].append(result)
        for name in CASES:
            path = Path(directory, name.replace(" ", "").replace(",", ""))
            lines = path.read_text().splitlines() if path.exists() else []
            kept = sum('"response_body"' in line for line in lines)
            print(f"{name}: {len(lines)} events in the file, {kept} with content")
    return found


def show(found: dict[str, list[Result]], kind: str) -> None:
    rate = events_per_second if kind == "streams" else lambda result: result.per_second
    cpu = cpu_per_event if kind == "streams" else cpu_per_request
    print(f"| {kind} | a second | ratio | CPU µs each | ratio |\n|---|---|---|---|---|")
    base = found["no sink"]
    for name, results in found.items():
        cells = []
        for figure in (rate, cpu):
            cells.append(f"{statistics.median(map(figure, results)):,.1f}")
            ratios = [figure(one) / figure(other) for one, other in zip(results, base, strict=True)]
            cells.append(f"{statistics.median(ratios):.3f}")
        print("|", " | ".join([name, *cells]), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kind", choices=("requests", "streams"), nargs="*", default=("requests", "streams"))
    options = parser.parse_args()
    allow_descriptors()
    for kind in options.kind:
        show(measured(options.rounds, options.seconds, options.connections, kind), kind)


if __name__ == "__main__":
    main()
