"""
Samplers: whether the spans of a trace are kept, as C{OTEL_TRACES_SAMPLER} names them.

The names and their arguments are those of OpenTelemetry's SDKs
(U{https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/}, read on 30 November 2026); by the
same ratio the same traces are kept as in Python's SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from ...message import Trace

_BITS = (1 << 64) - 1

SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


@frozen
class Sampler:
    """
    @ivar ratio: the share of traces that is kept, from 0 to 1; of those that begin here where it is C{parent_based}.
    @ivar parent_based: a caller who names a trace has decided.
    """

    ratio: float = 1.0
    parent_based: bool = True

    def keeps(self, trace_id: str, parent: Trace | None) -> bool:
        """Whether the spans of an exchange are kept."""
        if parent is not None and self.parent_based:
            return parent.sampled
        return int(trace_id, 16) & _BITS < round(self.ratio * (_BITS + 1))


def sampler_of(name: str, argument: str = "") -> Sampler:
    """
    @param name: one of L{SAMPLERS}; C{""} is the usual one.
    @param argument: the ratio, for those that have one; C{""} is 1.
    @raise ValueError: with a sentence.
    """
    name = name or "parentbased_always_on"
    if name not in SAMPLERS:
        raise ValueError(f"expected one of {', '.join(SAMPLERS)}, got {name[:40]!r}")
    kind = name.removeprefix("parentbased_")
    ratio = {"always_on": 1.0, "always_off": 0.0}.get(kind)
    return Sampler(ratio_of(argument) if ratio is None else ratio, name.startswith("parentbased_"))


def ratio_of(text: str) -> float:
    """
    @raise ValueError: with a sentence.
    """
    try:
        ratio = float(text or "1")
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"expected a number from 0 to 1, got {text[:40]!r}")
    return ratio
