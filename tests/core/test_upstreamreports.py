"""Tests for L{llmproxy.core.upstreamreports}."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, RetrySettings
from llmproxy.core.circuits import CircuitTally
from llmproxy.core.upstreamreports import UpstreamReport, is_counted, reports_of, summed
from llmproxy.core.upstreamstate import UpstreamStates
from tests.middleware.fakes import an_api, an_upstream
from tests.tables import row


class ReportTests(SynchronousTestCase):
    def test_of_states(self) -> None:
        """What a state has counted, in the order of the configuration; the only upstream is called as its API."""
        first, second = an_upstream(name="a", region="eu", priority=2), an_upstream(name="b", path_prefix=b"/b")
        apis = [an_api(upstreams=(first, second)), an_api("other")]
        states = UpstreamStates(apis)
        state = states.of(first)
        for _ in range(5):
            state.begun()
            state.ended()
            state.failed(100.0)
        state.begun()
        state.retries, state.fallbacks = 3, 2
        state.keys.set_aside("k", 429, 30.0, 100.0)
        one, two, three = reports_of(apis, states, {("openai", first.url): CircuitTally(open=1)}, 110.0)
        said = (one.api, one.upstream, one.region, one.priority, one.in_flight, one.requests, one.failed)
        self.assertEqual(said, ("openai", "a", "eu", 2, 1, 6, 5))
        self.assertEqual((one.ejected, one.ejected_for, one.ejections, one.keys_aside), (1, 20.0, 1, 1))
        self.assertEqual((one.retries, one.fallbacks, one.circuits.open, one.health), (3, 2, 1, "ejected"))
        self.assertEqual((two.upstream, two.requests, two.health, two.counted), ("b", 0, "well", True))
        self.assertEqual((three.upstream, three.counted), ("other", False))
        later = next(reports_of(apis, states, {}, 140.0))
        self.assertEqual((later.ejected, later.ejected_for, later.keys_aside), (0, 0.0, 0))

    def test_counted(self) -> None:
        """The only upstream is asked without being counted, unless its API tries again."""
        self.assertFalse(is_counted(an_api()))
        self.assertTrue(is_counted(an_api(settings=ApiSettings(retry=RetrySettings()))))
        self.assertTrue(is_counted(an_api(upstreams=(an_upstream(name="a"), an_upstream(name="b")))))

    def test_summed(self) -> None:
        """Numbers of processes add up, times are those of the slowest; the order is that of the first."""
        one = UpstreamReport("x", "a", in_flight=1, requests=5, latency=0.5, ejected=1, ejected_for=3.0)
        two = UpstreamReport("x", "a", in_flight=2, requests=7, latency=2.0, circuits=CircuitTally(closed=1, open=2))
        total = summed([one, UpstreamReport("x", "b"), two])
        self.assertEqual([each.upstream for each in total], ["a", "b"])
        self.assertEqual((total[0].in_flight, total[0].requests, total[0].latency, total[0].processes), (3, 12, 2.0, 2))
        self.assertEqual((total[0].ejected_for, total[0].circuits.open, total[0].health), (3.0, 2, "degraded"))
        self.assertEqual((one.circuits.open, two.circuits.open), (0, 2))

    def test_health(self) -> None:
        """The word for it."""
        well = UpstreamReport("x", "a", processes=2)
        table = {
            "well": [well, evolve(well, circuits=CircuitTally(closed=4))],
            "degraded": [
                evolve(well, ejected=1),
                evolve(well, unwell=1),
                evolve(well, circuits=CircuitTally(open=1)),
                evolve(well, circuits=CircuitTally(half_open=1)),
                evolve(well, circuits=CircuitTally(models=1)),
            ],
            "unwell": [evolve(well, unwell=2)],
            "ejected": [evolve(well, ejected=2)],
            "drained": [evolve(well, drained=True), evolve(well, drained=True, ejected=2)],
        }
        for health, reports in table.items():
            for report in reports:
                with row(report):
                    self.assertEqual(report.health, health)
