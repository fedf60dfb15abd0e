"""Tests for L{llmproxy.core.telemetry.tracecontext}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.telemetry.tracecontext import Passing, passed_on, trace_of, traceparent
from llmproxy.message import Field, Trace

from ...tables import row

ID, SPAN, OURS = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"
PARENT = f"00-{ID}-{SPAN}-01".encode()
HEX = "0123456789abcdef"


class TraceTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A client's trace is known by its ids and flags; of later versions what is known of them."""
        for value, flags in (
            (PARENT, 1),
            (f"00-{ID}-{SPAN}-00".encode(), 0),
            (f"00-{ID}-{SPAN}-03".encode(), 3),
            (f"01-{ID}-{SPAN}-01".encode(), 1),
            (f"cc-{ID}-{SPAN}-01-what-comes-later".encode(), 1),
        ):
            with row(value):
                self.assertEqual(trace_of([value], []), Trace(ID, SPAN, flags))

    def test_none(self) -> None:
        """What is no `traceparent` names no trace, so that no span is put below one that there is not."""
        for value in (
            b"",
            PARENT.upper(),
            PARENT + b" ",
            PARENT + b"-00",
            PARENT[:-1],
            b"ff" + PARENT[2:],
            b"0" + PARENT,
            f"00-{'0' * 32}-{SPAN}-01".encode(),
            f"00-{ID}-{'0' * 16}-01".encode(),
            f"00-{ID}-{SPAN}-0g".encode(),
            f"01-{ID}-{SPAN}-01x".encode(),
            f"00_{ID}_{SPAN}_01".encode(),
            b"\xff" * 55,
        ):
            with row(value):
                self.assertIsNone(trace_of([value], []))
        self.assertIsNone(trace_of([PARENT, PARENT], []))

    def test_state(self) -> None:
        """The state goes with its trace where it is well-formed; a wrong one does not take the trace away."""
        many = b",".join(b"k%d=v" % number for number in range(33))
        for states, expected in (
            ([b"congo=t61rcWkgMzE"], "congo=t61rcWkgMzE"),
            ([b" rojo=00f067aa0ba902b7 , congo=t61 "], "rojo=00f067aa0ba902b7,congo=t61"),
            ([b"a=1", b"b=2"], "a=1,b=2"),
            ([b"a=1,,b=2,"], "a=1,b=2"),
            ([b"fw529a3039@dt=FfAAAA;;"], "fw529a3039@dt=FfAAAA;;"),
            ([b""], ""),
            ([b"nothing"], ""),
            ([b"A=1"], ""),
            ([b"a=1,a=2"], ""),
            ([b"a=1\xe9"], ""),
            ([b"a=" + b"x" * 600], ""),
            ([many], ""),
            ([b"key=sk-" + b"A" * 30], ""),
        ):
            with row(states):
                self.assertEqual(trace_of([PARENT], states), Trace(ID, SPAN, 1, expected))

    @given(st.lists(st.binary(max_size=80), max_size=2), st.lists(st.binary(max_size=40), max_size=3))
    def test_anything(self, parents: list[bytes], states: list[bytes]) -> None:
        """Whatever a client sends, what comes of it is a trace of two good ids, or none."""
        trace = trace_of(parents, states)
        if trace is not None:
            self.assertEqual((len(trace.trace_id), len(trace.parent_id)), (32, 16))
            self.assertTrue(set(trace.trace_id + trace.parent_id) <= set(HEX))
            self.assertTrue(trace.state.isascii() and len(trace.state) <= 512)


class PassedOnTests(SynchronousTestCase):
    FIELDS: tuple[Field, ...] = ((b"A", b"1"), (b"TraceParent", PARENT), (b"tracestate", b"a=1"), (b"B", b"2"))

    def test_table(self) -> None:
        """Upstream gets what the client sent; our span in its place, or in any case, where that is configured."""
        ours = f"00-{ID}-{OURS}-01".encode()
        caller, none = Trace(ID, SPAN, 1, "a=1"), Trace(ID)
        replaced = [self.FIELDS[0], (b"TraceParent", ours), *self.FIELDS[2:]]
        bad = ((b"traceparent", b"x"), (b"Tracestate", b"a=1"), (b"A", b"1"))
        table: tuple[tuple[Passing, tuple[Field, ...], Trace, list[Field]], ...] = (
            ("pass", self.FIELDS, caller, [*self.FIELDS]),
            ("continue", self.FIELDS, caller, replaced),
            ("add", self.FIELDS, caller, replaced),
            ("pass", self.FIELDS[:1], none, [*self.FIELDS[:1]]),
            ("continue", self.FIELDS[:1], none, [*self.FIELDS[:1]]),
            ("add", self.FIELDS[:1], none, [*self.FIELDS[:1], (b"traceparent", ours)]),
            ("pass", bad, none, [*bad]),
            ("continue", bad, none, [*bad]),
            ("add", bad, none, [(b"A", b"1"), (b"traceparent", ours)]),
        )
        for passing, fields, trace, expected in table:
            with row((passing, fields)):
                self.assertEqual(passed_on(fields, trace, OURS, passing), expected)

    def test_restarted(self) -> None:
        """Where callers are strangers upstream gets our trace in the place of theirs, and nothing of their state."""
        fields: list[Field] = [(b"traceparent", PARENT), (b"tracestate", b"a=1"), (b"A", b"1")]
        trace = Trace("c" * 32)
        ours = (b"traceparent", f"00-{'c' * 32}-{OURS}-01".encode())
        for passing, sent, expected in (
            ("continue", fields, [(b"A", b"1"), ours]),
            ("continue", fields[2:], fields[2:]),
            ("add", fields[2:], [(b"A", b"1"), ours]),
            ("pass", fields, fields),
        ):
            with row((passing, sent)):
                self.assertEqual(passed_on(sent, trace, OURS, passing, restarts=True), expected)  # type: ignore[arg-type]

    def test_flags(self) -> None:
        """What is not kept here is not asked for further on; a trace whose id is random is said to be so still."""
        for flags, expected in ((0, b"00"), (1, b"01"), (3, b"03"), (0xFF, b"03")):
            self.assertEqual(traceparent(Trace(ID, SPAN, flags), OURS)[-2:], expected, flags)
