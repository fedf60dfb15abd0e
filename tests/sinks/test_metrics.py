"""Tests for L{llmproxy.sinks.metrics}."""

from __future__ import annotations

from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.circuits import CircuitState
from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.interfaces import IRecordSink
from llmproxy.sinks.metrics import BUCKETS, MOST_MODELS, CacheMetricType, Histogram, ProxyMetrics, cumulative
from llmproxy.usage import UNKNOWN, Usage

from .records import a_record

LABELS = ("openai", "/v1/chat/completions", "POST", "2xx")


class HistogramTests(SynchronousTestCase):
    def test_bounds_belong_below(self) -> None:
        """A value equal to a bound counts below it, as Prometheus' C{le} says."""
        histogram = Histogram()
        for value in (BUCKETS[0], BUCKETS[0] + 0.0001, 1e9):
            histogram.observe(value)
        told = dict(cumulative(histogram))
        self.assertEqual((told["0.001"], told["0.0025"], told["600.0"], told["+Inf"]), (1, 2, 2, 3))

    def test_add(self) -> None:
        """Two processes' histograms add up bucket by bucket."""
        one, other = Histogram(), Histogram()
        one.observe(0.2)
        other.observe(0.2)
        other.observe(3)
        one.add(other)
        self.assertEqual(sum(one.counts), 3)
        self.assertAlmostEqual(one.total, 3.4)


class ProxyMetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.metrics = ProxyMetrics()
        verifyObject(IRecordSink, self.metrics)

    def test_counts(self) -> None:
        """Requests are counted by api, endpoint, method and class of status, with sizes and times."""
        self.metrics.record_batch([a_record(), a_record(bytes_out=10)])
        series = self.metrics.series[LABELS]
        self.assertEqual((series.requests, series.bytes_in, series.bytes_out), (2, 240, 310))
        self.assertEqual((sum(series.duration.counts), sum(series.first_byte.counts)), (2, 2))
        self.assertEqual((self.metrics.request_count, self.metrics.error_count), (2, 0))
        self.metrics.record_batch([a_record(attempts=2), a_record(attempts=0)])
        self.assertEqual(self.metrics.attempts, {"openai": 4})

    def test_errors(self) -> None:
        """Errors are counted by code, and endings by kind."""
        self.metrics.record_batch(
            [
                a_record(
                    status=504, error_code="timeout", ended="timeout", first_byte=None, cause="response_header_timeout"
                ),
                a_record(ended="client_left"),
            ]
        )
        self.assertEqual(self.metrics.errors, {("openai", "timeout"): 1})
        self.assertEqual(self.metrics.endings, {("openai", "timeout"): 1, ("openai", "client_left"): 1})
        self.assertEqual(self.metrics.causes, {("openai", "response_header_timeout"): 1})
        self.assertEqual(self.metrics.error_count, 2)

    def test_between_tokens(self) -> None:
        """The time of a stream behind its first content, for each further token; where there is one."""
        for out, times in ((5, 1), (1, 0), (0, 0), (None, 0)):
            metrics = ProxyMetrics()
            metrics.record_batch([a_record(usage=Usage(output_tokens=out), first_token=0.2, streamed_for=2.0)])
            total = ProxyMetrics()
            total.merge(ProxyMetrics.of_plain(metrics.plain()))
            self.assertEqual([each.total for each in total.between_tokens.values()], [0.5] * times, out)

    def test_costs(self) -> None:
        """Costs add up by API and the model that answered, exactly, those of other processes too; unknown ones not."""
        usage = Usage(input_tokens=1, served_model="m")
        for cost in ("0.1", "0.2", None, "0"):
            self.metrics.record_batch([a_record(usage=usage, cost=None if cost is None else Decimal(cost))])
        self.metrics.record_batch([a_record(usage=Usage(seconds=1.0), cost=Decimal("0.000000000001"))])
        total = ProxyMetrics()
        total.merge(self.metrics)
        total.merge(ProxyMetrics.of_plain(self.metrics.plain()))
        expected = {("openai", "m"): Decimal("0.6"), ("openai", "other"): Decimal("0.000000000002")}
        self.assertEqual(total.costs, expected)

    def test_tokens(self) -> None:
        """By the model that answered; of workers together; what is unknown is not 0."""
        usage = Usage(input_tokens=9, cached_input_tokens=0, output_tokens=4, reasoning_tokens=1, served_model="m")
        self.metrics.record_batch([a_record(usage=usage, first_token=0.2)] * 2 + [a_record(usage=UNKNOWN)])
        other = ProxyMetrics.of_plain(self.metrics.snapshot().plain())
        other.merge(self.metrics)
        counted = {"input": 9, "cached_input": 0, "output": 4, "reasoning": 1}
        for metrics, times in ((self.metrics, 2), (other, 4)):
            expected = {("openai", "m", kind): count * times for kind, count in counted.items()}
            self.assertEqual(metrics.tokens, expected, (metrics, times))
            self.assertEqual(sum(metrics.first_tokens["openai"].counts), times, (metrics, times))

    def test_bounded_models(self) -> None:
        """However many models there are, and where none is named."""
        for number in range(MOST_MODELS + 5):
            self.metrics.record_batch([a_record(usage=Usage(input_tokens=1, served_model=f"m-{number}"))])
        self.metrics.record_batch([a_record(usage=Usage(input_tokens=1))])
        self.assertEqual(len(self.metrics.tokens), MOST_MODELS + 1)
        self.assertEqual(self.metrics.tokens["openai", "other", "input"], 6)

    def test_bounded_labels(self) -> None:
        """A client cannot make series: unusual methods share one."""
        self.metrics.record_batch([a_record(method=f"M{n}", status=0) for n in range(100)])
        self.assertEqual(list(self.metrics.series), [("openai", "/v1/chat/completions", "other", "none")])

    def test_cache(self) -> None:
        """Each exchange counts once, by what its record says; one that no cache was asked about in none of them."""
        for said, counted in (
            ("", None),
            ("hit", "hit"),
            ("uri-miss", "miss"),
            ("vary-miss", "miss"),
            ("stale", "miss"),
            ("bypass", "bypass"),
            ("method", "bypass"),
            ("request", "bypass"),
        ):
            metrics = ProxyMetrics()
            metrics.record_batch([a_record(cache=said)])
            self.assertEqual(
                {name for name, number in metrics.cache.items() if number}, {counted} - {None}, (said, counted)
            )
            self.assertLessEqual(sum(metrics.cache.values()), metrics.request_count, said)

    def test_own_cache(self) -> None:
        """A cache of the application's own counts by kind; a kind that is none is refused."""
        metrics = ProxyMetrics()
        for kind in CacheMetricType:
            metrics.count_cache(kind)
        metrics.count_cache(CacheMetricType.HIT, 2)
        self.assertEqual(metrics.cache, {"hit": 3, "miss": 1, "bypass": 1, "store": 1})
        self.assertRaises(ValueError, metrics.count_cache, "other")

    def test_merge(self) -> None:
        """The numbers of several processes add up; the worst delay of them is what counts."""
        other = ProxyMetrics()
        for metrics, in_flight, lag in ((self.metrics, 2, 0.1), (other, 3, 0.7)):
            metrics.gauge("llmproxy_in_flight", "", lambda n=in_flight: n)  # type: ignore[misc]
            metrics.gauge("llmproxy_reactor_lag_seconds", "", lambda n=lag: n)  # type: ignore[misc]
            metrics.counter("llmproxy_cache_redis_seconds", "", lambda n=lag: n)  # type: ignore[misc]
            metrics.record_batch([a_record()])
            metrics.refused("header_timeout")
            metrics.cache["hit"] += 1
        total = ProxyMetrics()
        total.merge(self.metrics.snapshot())
        total.merge(other.snapshot())
        self.assertEqual((total.series[LABELS].requests, total.request_count), (2, 2))
        self.assertEqual((total.refusals, total.cache["hit"]), ({"header_timeout": 2}, 2))
        self.assertEqual(total.gauges["llmproxy_in_flight"][1](), 5)
        self.assertEqual(total.gauges["llmproxy_reactor_lag_seconds"][1](), 0.7)
        self.assertAlmostEqual(total.counters["llmproxy_cache_redis_seconds"][1](), 0.8)

    def test_circuits_of_workers(self) -> None:
        """Circuits are those of all workers, one after another; openings and warnings add up."""
        one, two = ProxyMetrics(), ProxyMetrics()
        for metrics, process in ((one, 1), (two, 2)):
            metrics.openings["openai"] = process
            metrics.warnings["80", "token"] = process
            state = CircuitState("openai", "p", "", "open", 5, "status 503", 3.0, process)
            metrics.circuits = lambda state=state: [state]  # type: ignore[misc]
        total = ProxyMetrics()
        for each in (one, two):
            total.merge(ProxyMetrics.of_plain(each.plain()))
        self.assertEqual([state.process for state in total.circuits()], [1, 2])
        self.assertEqual((total.openings, total.warnings), ({"openai": 3}, {("80", "token"): 3}))

    def test_identity_of_workers(self) -> None:
        """What became of people adds up, and how long their providers took."""
        total = ProxyMetrics()
        for count in (1, 2):
            metrics = ProxyMetrics()
            metrics.identity = {("sign_in", "corp", "ok"): count}
            metrics.identity_requests = {("corp", "token", "ok"): Histogram()}
            metrics.identity_requests["corp", "token", "ok"].observe(0.5)
            total.merge(ProxyMetrics.of_plain(metrics.plain()))
        self.assertEqual(total.identity, {("sign_in", "corp", "ok"): 3})
        self.assertEqual(total.identity_requests["corp", "token", "ok"].total, 1.0)

    def test_upstreams_of_workers(self) -> None:
        """What is known of upstreams is what each worker knows, one after another."""
        total = ProxyMetrics()
        for requests in (1, 2):
            metrics = ProxyMetrics()
            metrics.upstreams = lambda requests=requests: [  # type: ignore[misc]
                UpstreamReport("openai", "azure", requests=requests)
            ]
            total.merge(ProxyMetrics.of_plain(metrics.plain()))
        self.assertEqual([each.requests for each in total.upstreams()], [1, 2])

    def test_snapshot_stands_still(self) -> None:
        """A snapshot does not change with what is counted later."""
        self.metrics.record_batch([a_record()])
        snapshot = self.metrics.snapshot()
        self.metrics.record_batch([a_record()])
        self.assertEqual((snapshot.request_count, snapshot.series[LABELS].requests), (1, 1))
