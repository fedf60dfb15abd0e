"""Tests for L{llmproxy.core.telemetry.sampling}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.telemetry.sampling import SAMPLERS, Sampler, sampler_of
from llmproxy.message import Trace

from ...tables import row

ID = "4bf92f3577b34da6a3ce929d0e0e4736"
KEPT, DROPPED = Trace(ID, "00f067aa0ba902b7", 1), Trace(ID, "00f067aa0ba902b7", 0)


class SamplerTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Each name of OpenTelemetry's samplers does what it does elsewhere: with no parent, a kept one, another."""
        for name, expected in (
            ("", (True, True, False)),
            ("always_on", (True, True, True)),
            ("always_off", (False, False, False)),
            ("parentbased_always_on", (True, True, False)),
            ("parentbased_always_off", (False, True, False)),
            ("traceidratio", (True, True, True)),
            ("parentbased_traceidratio", (True, True, False)),
        ):
            with row(name):
                sampler = sampler_of(name)
                self.assertEqual(tuple(sampler.keeps(ID, parent) for parent in (None, KEPT, DROPPED)), expected)

    def test_ratio(self) -> None:
        """The traces that are kept by a ratio are those that OpenTelemetry's SDK keeps."""
        from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

        random = Random(14)
        for ratio in (0.0, 0.1, 0.5, 1 / 3, 0.999, 1.0):
            theirs, ours = TraceIdRatioBased(ratio), sampler_of("traceidratio", str(ratio))
            for _ in range(300):
                trace_id = random.getrandbits(128)
                kept = theirs.should_sample(None, trace_id, "x").decision.is_sampled()
                self.assertEqual(ours.keeps(f"{trace_id:032x}", None), kept, (ratio, trace_id))

    def test_wrong(self) -> None:
        """A sampler that there is not, or a share that is none, is said."""
        for name, argument, sentence in (
            ("xray", "", f"expected one of {', '.join(SAMPLERS)}, got 'xray'"),
            ("traceidratio", "2", "expected a number from 0 to 1, got '2'"),
            ("traceidratio", "nan", "expected a number from 0 to 1, got 'nan'"),
            ("parentbased_traceidratio", "half", "expected a number from 0 to 1, got 'half'"),
        ):
            with row((name, argument)):
                error = self.assertRaises(ValueError, sampler_of, name, argument)
                self.assertEqual(str(error), sentence)

    def test_no_argument(self) -> None:
        """What a sampler without a share is given as one does not matter."""
        self.assertEqual(sampler_of("always_on", "0.1"), Sampler(1.0, False))
