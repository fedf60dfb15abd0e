"""Reports of measurements, as plain values for JSON and for tables."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import __version__
from .comparison import Comparison, Rounds, Settings
from .session import Findings
from .stats import added, at_percentile, load_figures, ratio, stream_figures
from .values import Result, Target

LIMITED = 0.9
"""Of one core: a load process that uses more was perhaps itself what was measured."""

MIB = 1 << 20


def machine() -> dict[str, Any]:
    return {
        "processors": len(os.sched_getaffinity(0)),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def report(comparison: Comparison, settings: Settings, findings: Findings) -> dict[str, Any]:
    """
    Everything that is known so far; no header field and no body, as those may hold secrets.

    Each figure of several rounds is their C{median} with the C{low}est and C{high}est.
    """
    direct, gateway = comparison.targets[0], comparison.targets[-1]
    made: dict[str, Any] = {
        "llmproxy": __version__,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "complete": findings.complete,
        "machine": machine(),
        "settings": settings_of(settings),
        "targets": {target.name: target.shown for target in comparison.targets},
        "same_answers": comparison.same,
    }
    if findings.closed:
        made["closed"] = loads(findings.closed, comparison.targets)
        made["closed"]["ratio"] = ratio(findings.closed.get(gateway.name, []), findings.closed.get(direct.name, []))
    if findings.open:
        made["open"] = {"rate": findings.rate, **loads(findings.open, comparison.targets)}
        made["open"]["added"] = differences(findings.open, direct, gateway, {"": "latency"})
    if findings.bounds:
        made["bounds"] = {name: {f"{ms:g}": rate for ms, rate in by.items()} for name, by in findings.bounds.items()}
    if findings.most_events:
        made["most_events_per_second"] = dict(findings.most_events)
    if findings.streams:
        made["streams"] = streams(findings, comparison.targets)
        which = {"first_event_": "latency", "delay_": "delay"}
        made["streams"]["added"] = differences(findings.streams, direct, gateway, which)
    if gateway.pids:
        made["memory_mib"] = memory(findings, gateway)
    made["tool"] = tool(made, direct, gateway)
    made["notes"] = [*findings.notes, *remarks(made, gateway)]
    return made


def settings_of(settings: Settings) -> dict[str, Any]:
    names = ("connections", "requests", "duration", "warmup", "rounds", "processes", "streams", "cache")
    return {name: getattr(settings, name) for name in names}


def loads(rounds: Rounds, targets: Sequence[Target]) -> dict[str, Any]:
    watched = {target.name: bool(target.pids) for target in targets}
    return {"targets": {name: load_figures(results, watched[name]) for name, results in rounds.items()}}


def streams(findings: Findings, targets: Sequence[Target]) -> dict[str, Any]:
    watched = {target.name: bool(target.pids) for target in targets}
    rounds = findings.streams.items()
    figures = {name: stream_figures(results, watched[name]) for name, results in rounds}
    made: dict[str, Any] = {"offered_events_per_second": round(findings.events, 1), "targets": figures}
    if findings.kib_per_stream:
        made["kib_per_stream"] = round(findings.kib_per_stream, 1)
    return made


def differences(rounds: Rounds, direct: Target, gateway: Target, which: Mapping[str, str]) -> dict[str, Any]:
    """
    Milliseconds that the gateway adds, at the median and at the 99th percentile.

    @param which: the histogram of a L{Result} by the prefix of the figure's name.
    """
    beside, through = rounds.get(direct.name, []), rounds.get(gateway.name, [])
    return {
        f"{prefix}p{percent}_ms": added(beside, through, at_percentile(percent, histogram))
        for prefix, histogram in which.items()
        for percent in (50, 99)
    }


def memory(findings: Findings, gateway: Target) -> dict[str, float]:
    """Of the gateway: before anything was asked of it, at most under load, after all."""
    before, after = findings.memory
    runs: list[Result] = []
    for rounds in (findings.closed, findings.open, findings.streams):
        runs += rounds.get(gateway.name, [])
    loaded = max((result.memory[1] for result in runs), default=before)
    return {"idle": round(before / MIB, 1), "loaded": round(loaded / MIB, 1), "after": round(after / MIB, 1)}


def tool(made: Mapping[str, Any], direct: Target, gateway: Target) -> dict[str, Any]:
    """
    What this tool reaches by itself, at the bare upstream, and how much of a core it took at the gateway.

    C{limited} names the runs in which it may have been the limit.
    """
    found: dict[str, Any] = {"limited": []}
    for kind, reached in (("closed", "requests_per_second"), ("streams", "events_per_second")):
        targets = made.get(kind, {}).get("targets", {})
        if direct.name in targets:
            found[f"{kind}_{reached}"] = targets[direct.name][reached]["median"]
        if gateway.name in targets:
            share = targets[gateway.name]["tool_share"]["median"]
            found[f"{kind}_share"] = share
            if share > LIMITED:
                found["limited"].append(kind)
    return found


def remarks(made: Mapping[str, Any], gateway: Target) -> list[str]:
    """What a reader must know to read the figures rightly."""
    said = []
    alone = made["tool"].get("closed_requests_per_second")
    if made["tool"]["limited"]:
        said.append("The load tool used nearly a whole core and may be what was measured; try --processes 2.")
    elif alone and gateway.name in made["closed"]["targets"]:
        reached = made["closed"]["targets"][gateway.name]["requests_per_second"]["median"]
        said.append(
            f"The tool alone, at the bare upstream, reaches {alone:,.0f} requests/s: "
            f"{alone / reached:.1f} times what came through {gateway.name}."
            if reached
            else f"Nothing came through {gateway.name}."
        )
    if made["settings"]["cache"] and not _hits(made):
        said.append("No answer came from a cache, as far as X-PROXY-CACHE and Cache-Status show.")
    if not made["same_answers"]:
        said.append("The targets gave different answers: what is added includes what makes them differ.")
    if not made["complete"]:
        said.append("Interrupted: these are the figures so far.")
    return said


def _hits(made: Mapping[str, Any]) -> int:
    targets = [figures for kind in ("closed", "open") for figures in made.get(kind, {}).get("targets", {}).values()]
    return sum(figures["cache_hits"] for figures in targets)
