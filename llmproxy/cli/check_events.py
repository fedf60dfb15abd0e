"""The part of C{llmproxy check} that is about sinks of events and traces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config import APIConfig
    from ..core.telemetry.traces import TracingOptions

_PASSED = {
    "pass": "upstream gets traceparent as the client sends it",
    "continue": "upstream gets our span in traceparent, where the client sends one",
    "add": "upstream gets our span in traceparent, in any case",
}


def with_telemetry(config: APIConfig) -> APIConfig:
    """
    With what OpenTelemetry's variables say.

    @raise ConfigError: with everything that is wrong with them.
    """
    from ..config.tracing import problems, variables_of
    from ..errors import ConfigError

    # What is secret in them decides nothing here.
    found = variables_of(os.environ, lambda name: os.environ.get(name, ""))
    wrong = [f"{name}: {sentence}" for name, sentence in problems(found)]
    if wrong:
        raise ConfigError(*wrong)
    return config.with_telemetry(found)


def event_lines(config: APIConfig) -> Iterator[str]:
    """
    Where events go, and how exchanges are traced.

    @raise ConfigError: with everything that is wrong with the sinks, which is found when they are made.
    """
    if config.sinks:
        from ..app.sinks import check_sinks

        check_sinks(config.sinks)
    for sink in config.sinks:
        yield f"sink {sink.name}: {sink.type}"
    options = config.tracing_options()
    if options is not None:
        yield f"tracing: {_PASSED[options.traceparent]}; {_kept(options)}"


def _kept(options: TracingOptions) -> str:
    sampler = options.sampler
    share = {0.0: "no trace is kept", 1.0: "all traces are kept"}.get(
        sampler.ratio, f"{sampler.ratio:g} of all traces are kept"
    )
    if not options.hears:
        return f"{share}, and what clients say of theirs is not heard"
    return f"{share}, but for those of clients, who decide themselves" if sampler.parent_based else share
