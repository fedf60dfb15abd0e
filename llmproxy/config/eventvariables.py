"""The sinks that environment variables stand for: the reference's bus, and its log of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .sinks import SinkConfig
from .streamvariables import bus_sink

BUS = "bus"
LOG = "file-event-log"


def sinks_of_environment(env: Mapping[str, str]) -> tuple[tuple[SinkConfig, ...], list[tuple[str, str]]]:
    """The sinks, and what is wrong: names of variables and sentences."""
    found: list[SinkConfig] = []
    problems: list[tuple[str, str]] = []
    try:
        bus = bus_sink(env)
    except ValueError as error:
        bus = None
        problems.append(("LLM_PROXY_EVENT_BUS", str(error)))
    if bus is not None:
        name, kind = bus.pop("name"), bus.pop("type")
        found.append(SinkConfig(name, kind, settings=bus))
    path = env.get("FILE_EVENT_LOG", "").strip()
    if path:
        when = {"method": "!=OPTIONS"}
        found.append(SinkConfig(LOG, "file", when=when, settings={"path": path, "schema": "legacy-log"}))
    return tuple(found), problems


def with_sinks(sinks: Sequence[SinkConfig], more: Sequence[SinkConfig]) -> tuple[SinkConfig, ...]:
    """
    Those of a file, and those of the environment.

    @raise ValueError: two have one name.
    """
    taken = {each.name for each in sinks}
    for each in more:
        if each.name in taken:
            variable = "LLM_PROXY_EVENT_BUS" if each.name == BUS else "FILE_EVENT_LOG"
            raise ValueError(f"{variable}: makes a sink {each.name!r}, and the file has one of that name: rename that")
    return (*sinks, *more)
