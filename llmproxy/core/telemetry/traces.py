"""Traces of exchanges: the one that a caller names goes on, others begin here."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, field, frozen

from ...message import Trace
from .sampling import Sampler
from .tracecontext import Passing


@frozen
class TracingOptions:
    """
    The configuration below C{tracing}.

    @ivar traceparent: what upstream gets of it.
    @ivar sampler: which traces are kept.
    @ivar hears: exchanges are in the traces that their callers name; if not, in ones of their own.
    """

    traceparent: Passing = "pass"
    sampler: Sampler = field(factory=Sampler)
    hears: bool = True


class Traces:
    """
    @param bits: gives so many random bits.
    @ivar options: as they were given.
    """

    def __init__(self, options: TracingOptions, bits: Callable[[int], int]) -> None:
        self.options = options
        self._keeps = options.sampler.keeps
        self._bits = bits

    def joined(self, caller: Trace | None) -> Trace:
        """
        The trace of an exchange, with a span for it.

        @param caller: the trace that the caller names; C{None} for none.
        """
        if not self.options.hears:
            caller = None
        trace_id = self._id(128) if caller is None else caller.trace_id
        keeps = self._keeps(trace_id, caller)
        if caller is None:
            return Trace(trace_id, flags=int(keeps), span_id=self.span_id())
        return evolve(caller, flags=caller.flags & ~1 | keeps, span_id=self.span_id())

    def span_id(self) -> str:
        """A new one."""
        return self._id(64)

    def _id(self, bits: int) -> str:
        # Zero is no id.
        return format(self._bits(bits) or 1, f"0{bits // 4}x")
