"""Tests for L{llmproxy.core.telemetry.traces}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.telemetry.sampling import Sampler
from llmproxy.core.telemetry.traces import Traces, TracingOptions
from llmproxy.message import Trace

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class TracesTests(SynchronousTestCase):
    def traces(self, sampler: Sampler = Sampler()) -> Traces:
        return Traces(TracingOptions(sampler=sampler), Random(1).getrandbits)

    def test_begins(self) -> None:
        """An exchange whose caller names no trace begins one of its own, with ids that no other has."""
        traces = self.traces()
        found = [traces.joined(None) for _ in range(50)]
        self.assertEqual({(len(each.trace_id), len(each.span_id), each.parent_id) for each in found}, {(32, 16, "")})
        self.assertEqual(len({each.trace_id for each in found} | {each.span_id for each in found}), 100)
        self.assertTrue(all(each.sampled for each in found))

    def test_joins(self) -> None:
        """The caller's trace goes on, with its state; a flag that we do not know stays."""
        caller = Trace(ID, SPAN, 3, "a=1")
        joined = self.traces().joined(caller)
        self.assertEqual((joined.trace_id, joined.parent_id, joined.flags, joined.state), (ID, SPAN, 3, "a=1"))
        self.assertEqual(len(joined.span_id), 16)

    def test_sampled(self) -> None:
        """The sampler decides, and what is passed on says so."""
        off, on = Sampler(0.0, False), Sampler(1.0, False)
        self.assertEqual(self.traces(off).joined(Trace(ID, SPAN, 3)).flags, 2)
        self.assertEqual(self.traces(on).joined(Trace(ID, SPAN, 0)).flags, 1)
        self.assertEqual(self.traces(off).joined(None).flags, 0)

    def test_not_heard(self) -> None:
        """Where callers are not heard each exchange begins a trace."""
        joined = Traces(TracingOptions(hears=False), Random(1).getrandbits).joined(Trace(ID, SPAN, 0))
        self.assertEqual((joined.parent_id, joined.sampled), ("", True))
        self.assertNotEqual(joined.trace_id, ID)

    def test_never_zero(self) -> None:
        """All zeros are no id."""
        traces = Traces(TracingOptions(), lambda bits: 0)
        self.assertEqual(int(traces.span_id(), 16), 1)
