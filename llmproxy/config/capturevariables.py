"""The environment variables of capture, which are the reference's; and what a configuration captures, in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .capture import CaptureConfig
from .captureschema import captured_size
from .units import parse_flag

if TYPE_CHECKING:
    from .model import APIProviderConfig, APIValues
    from .sinks import SinkConfig

_USUAL = CaptureConfig()


def read_capture_environment(env: Mapping[str, str]) -> tuple[CaptureConfig | None, list[tuple[str, str]]]:
    """
    What C{OBSERVABILITY_ENABLED} has every API captured as that says nothing of it itself, C{None} where it is not on;
    and what is wrong: names and sentences.
    """
    problems: list[tuple[str, str]] = []

    def checked(name: str, rule: Callable[[str], Any], default: Any) -> Any:
        text = env.get(name, "").strip()
        try:
            return rule(text) if text else default
        except ValueError as error:
            problems.append((name, str(error)))
            return default

    enabled = checked("OBSERVABILITY_ENABLED", parse_flag, False)
    # 0 is the default, as it is to the reference.
    request = checked("OBSERVABILITY_MAX_REQUEST_BODY_BYTES", captured_size, 0) or _USUAL.request
    response = checked("OBSERVABILITY_MAX_RESPONSE_BODY_BYTES", captured_size, 0) or _USUAL.response
    return CaptureConfig(request=request, response=response) if enabled else None, problems


def with_capture(
    apis: Mapping[str, APIProviderConfig], everywhere: CaptureConfig | None
) -> Mapping[str, APIProviderConfig]:
    """The same, each that says nothing of capture itself captured as C{everywhere} has it."""
    if everywhere is None:
        return apis
    return {name: evolve(api, capture=api.capture or everywhere) for name, api in apis.items()}


def captured_apis(config: APIValues) -> list[str]:
    """Those that are captured, if a sink wants it."""
    return [name for name, api in config.apis.items() if api.capture and api.capture.settings()]


def receivers(sinks: Sequence[SinkConfig]) -> list[SinkConfig]:
    """The sinks that get events of exchanges."""
    return [sink for sink in sinks if sink.sample > 0 and sink.filter().wants_kind("exchange")]


def kept_where(config: APIValues) -> str:
    """That prompts are kept, and where; that none are, where no sink would have them; C{""} if none are to be."""
    apis = captured_apis(config)
    if not apis:
        return ""
    named = ", ".join(apis)
    found = receivers(config.sinks)
    if not found:
        return (
            f"capture: nothing of what is said to {named} is kept, as there is no sink for it: "
            "add one that takes exchanges to sinks:, or take capture away"
        )
    where = ", ".join(f"{sink.name} ({sink.type})" for sink in found)
    return f"capture: prompts and answers of {named} are kept in events, which go to {where}"
