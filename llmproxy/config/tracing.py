"""Configuration of tracing: what a file says, and what the variables of OpenTelemetry say besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from .document import Item
from .readers import NOTED, Reader, by, flag, one_of, section
from .variables import OTEL_HEADERS

if TYPE_CHECKING:
    from ..core.telemetry.traces import TracingOptions

OTEL = "OTEL_"
"""What the names of all these variables begin with."""


@frozen
class TracingConfig:
    """
    @ivar enabled: C{None} is on where a sink of the type C{otlp} is.
    @ivar traceparent: what upstream gets of it: C{pass}, as the client sent it; C{continue}, with our span in the place
        of the client's, where that sent one; C{add}, in any case.
    @ivar sampler: which traces are kept, by the name that C{OTEL_TRACES_SAMPLER} has for it; C{""} is what that says.
    @ivar ratio: the share of them, for samplers that have one; C{None} is what C{OTEL_TRACES_SAMPLER_ARG} says.
    @ivar callers: C{continue}: an exchange is in the trace that its caller names; C{restart}: in one of its own, since
        callers are strangers.
    """

    enabled: bool | None = None
    traceparent: Any = "pass"
    sampler: str = ""
    ratio: float | None = None
    callers: Any = "continue"

    def options(self) -> TracingOptions:
        """
        @raise ValueError: there is no such sampler; it was found out before, as a rule.
        """
        from ..core.telemetry.sampling import sampler_of
        from ..core.telemetry.traces import TracingOptions

        ratio = "" if self.ratio is None else str(self.ratio)
        return TracingOptions(self.traceparent, sampler_of(self.sampler, ratio), self.callers != "restart")

    def with_environment(self, environment: Mapping[str, str]) -> TracingConfig:
        """The same, with what the variables say of what is not said here."""
        if not any(name.startswith(OTEL) for name in environment):
            return self
        from ..core.telemetry.sampling import ratio_of

        found = self
        if not found.sampler and environment.get("OTEL_TRACES_SAMPLER", "").strip():
            found = evolve(found, sampler=environment["OTEL_TRACES_SAMPLER"].strip())
        if found.ratio is None and environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip():
            found = evolve(found, ratio=ratio_of(environment["OTEL_TRACES_SAMPLER_ARG"].strip()))
        words = {each.strip() for each in environment.get("OTEL_PROPAGATORS", "").split(",") if each.strip()}
        return evolve(found, callers="restart") if words and "tracecontext" not in words else found


def _sampler(text: str) -> str:
    from ..core.telemetry.sampling import sampler_of

    sampler_of(text)
    return text


def _ratio(text: str) -> float:
    from ..core.telemetry.sampling import ratio_of

    if not text:
        raise ValueError("expected a number from 0 to 1, got an empty text")
    return ratio_of(text)


TRACING_KEYS: dict[str, Reader] = {
    "enabled": flag,
    "traceparent": by(one_of("pass", "continue", "add")),
    "sampler": by(_sampler),
    "ratio": by(_ratio),
    "callers": by(one_of("continue", "restart")),
}


def read_tracing(item: Item) -> Any:
    """C{off} or C{on}, or what there is to say in particular, which turns it on."""
    if not item.is_mapping:
        enabled = flag(item)
        return NOTED if enabled is NOTED else TracingConfig(enabled)
    found: TracingConfig = section(TracingConfig, TRACING_KEYS)(item)
    if found.ratio is not None and "ratio" not in found.sampler:
        item.problem("ratio is of sampler: traceidratio or parentbased_traceidratio, which is not said")
    return found if found.enabled is not None else evolve(found, enabled=True)


def variables_of(environment: Mapping[str, str], secret: Callable[[str], str]) -> dict[str, str]:
    """
    OpenTelemetry's variables, by their names.

    @param secret: the value of one that is a secret, or of the file that is named in its stead.
    """
    found = {
        name: value.strip()
        for name, value in environment.items()
        if name.startswith(OTEL) and name not in OTEL_HEADERS and not name.endswith("_HEADERS_FILE")
    }
    return {**found, **{name: value for name in OTEL_HEADERS if (value := secret(name))}}


def is_exported(environment: Mapping[str, str]) -> bool:
    """Whether variables alone ask for an export by OTLP."""
    if not any(name.startswith("OTEL_EXPORTER_OTLP_") for name in environment):
        return False
    from ..core.telemetry.otlpoptions import is_asked_for

    return is_asked_for(environment)


def is_disabled(environment: Mapping[str, str]) -> bool:
    """Whether nothing is exported, whatever else is said."""
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


_BATCHES = {
    "OTEL_BSP_SCHEDULE_DELAY": ("flush_interval", 0),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("batch", 1),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("queue", 1),
}
"""What the variables of batches are to a sink, and the least that each can be."""


def batches(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the variables say of the sink that they make, by the fields of L{llmproxy.config.sinks.SinkConfig}."""
    found: dict[str, Any] = {}
    for name, (field, least) in _BATCHES.items():
        text = environment.get(name, "").strip()
        if text.isascii() and text.isdigit() and least <= int(text[:10]):
            found[field] = int(text[:10])
    if "flush_interval" in found:
        found["flush_interval"] /= 1000
    return found


def problems(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the variables of OpenTelemetry, where they ask for an export: the variable, and a sentence."""
    if not is_exported(environment):
        return
    from ..core.telemetry.otlpoptions import OtlpVariables
    from ..core.telemetry.sampling import ratio_of, sampler_of

    variables = OtlpVariables(environment)
    variables.options()
    yield from variables.problems
    known = batches(environment)
    for name, (field, least) in _BATCHES.items():
        if environment.get(name, "").strip() and field not in known:
            yield name, f"expected a whole number from {least} on"
    for name, rule in (("OTEL_TRACES_SAMPLER", sampler_of), ("OTEL_TRACES_SAMPLER_ARG", ratio_of)):
        try:
            rule(environment.get(name, "").strip())
        except ValueError as error:
            yield name, str(error)
