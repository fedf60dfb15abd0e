"""Tests for L{llmproxy.core.telemetry.metrics}."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import AttemptMade, Event
from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.telemetry.conventions import Semconv
from llmproxy.core.telemetry.metrics import INSTRUMENTS, MOST_MODELS, MOST_SERIES, MOST_TRIED, Metrics, Series

from ..events.samples import event, full_record

LEGACY_NAMES = {"gen_ai.client.token.usage", "gen_ai.client.operation.duration"}
LATEST_NAMES = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.usage.input_tokens",
    "gen_ai.client.inference.usage.output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "gen_ai.client.inference.usage.reasoning.output_tokens",
}
ALWAYS = {
    "http.server.request.duration",
    "http.client.request.duration",
    "gen_ai.server.request.duration",
    "gen_ai.server.time_to_first_token",
    "llmproxy.cost",
}


def measured(*events: Event, semconv: Semconv = "both") -> dict[str, list[tuple[dict[str, Any], Series]]]:
    metrics = Metrics(semconv)
    for each in events:
        metrics.add(each)
    return {
        instrument.name: [(dict(key), series) for key, series in found.items()]
        for instrument, found in metrics.measured.items()
    }


def good(**values: Any) -> Event:
    call = AttemptMade(provider="openai", host="api.openai.com", port=443, duration_ms=900.0, status=200)
    known: dict[str, Any] = {
        "attempts_made": [call],
        "duration_ms": 1000.0,
        "model": "gpt-5",
        "served_model": "gpt-5-2026",
        "input_tokens": 10,
        "output_tokens": 5,
    }
    return event(**{**known, **values})


class MetricsTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Each version of the conventions has its own names, and what is common to them is there always."""
        full = event_of_record(full_record(truncated=False))
        for semconv, names in (
            ("legacy", LEGACY_NAMES),
            ("latest", LATEST_NAMES),
            ("both", LEGACY_NAMES | LATEST_NAMES),
        ):
            found = set(measured(full, semconv=semconv))  # type: ignore[arg-type]
            self.assertEqual(found, ALWAYS | names | {"gen_ai.server.time_per_output_token"}, semconv)

    def test_durations(self) -> None:
        """How long exchanges took, calls, and what a model was asked."""
        found = measured(good(), good(duration_ms=2000.0))
        ((attributes, series),) = found["http.server.request.duration"]
        self.assertEqual((series.count, series.total, series.least, series.most), (2, 3.0, 1.0, 2.0))
        self.assertEqual(
            attributes, {"http.request.method": "POST", "http.response.status_code": 200, "llmproxy.api": "openai"}
        )
        ((attributes, series),) = found["gen_ai.client.operation.duration"]
        self.assertEqual((series.count, series.total), (2, 1.8))
        self.assertEqual(
            attributes,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "openai",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-5",
                "gen_ai.response.model": "gpt-5-2026",
                "server.address": "api.openai.com",
                "server.port": 443,
            },
        )

    def test_tokens(self) -> None:
        """Tokens by their type; what was not counted is not there."""
        usage = measured(good(), good(input_tokens=None))["gen_ai.client.token.usage"]
        counts = {attributes["gen_ai.token.type"]: (series.count, series.total) for attributes, series in usage}
        self.assertEqual(counts, {"input": (1, 10), "output": (2, 10)})
        ((attributes, counter),) = measured(good())["gen_ai.client.inference.usage.output_tokens"]
        self.assertEqual((attributes["gen_ai.token.modality"], counter.total, counter.counts), ("unknown", 5, []))

    def test_buckets(self) -> None:
        """A value is counted in the first bucket that it fits into; its bound belongs to it."""
        ((_, series),) = measured(good(input_tokens=4, output_tokens=None))["gen_ai.client.token.usage"]
        self.assertEqual(series.counts, [0, 1] + [0] * 13)
        ((_, series),) = measured(good(input_tokens=1 << 30, output_tokens=None))["gen_ai.client.token.usage"]
        self.assertEqual(series.counts, [0] * 14 + [1])

    def test_pace(self) -> None:
        """How soon the first of a stream came, and how fast the rest."""
        found = measured(good(streamed=True, first_token_ms=200.0, streamed_for_ms=400.0))
        ((_, first),) = found["gen_ai.server.time_to_first_token"]
        ((_, each),) = found["gen_ai.server.time_per_output_token"]
        self.assertEqual((first.total, each.total), (0.2, 0.1))
        for values in ({"first_token_ms": 200.0}, {"streamed": True}, {"streamed": True, "output_tokens": 1}):
            self.assertNotIn("gen_ai.server.time_per_output_token", measured(good(**values)), values)

    def test_failed_call(self) -> None:
        """A call that failed counts with its error, and has used nothing."""
        failed = AttemptMade(provider="openai", status=503, duration_ms=100.0)
        answered = AttemptMade(provider="openai", status=200, duration_ms=100.0)
        found = measured(good(attempts_made=[failed, answered]))
        errors = [attributes.get("error.type") for attributes, _ in found["gen_ai.client.operation.duration"]]
        self.assertEqual(errors, ["503", None])
        self.assertEqual(sum(series.count for _, series in found["gen_ai.client.token.usage"]), 2)

    def test_hit(self) -> None:
        """What the cache answers asks no model."""
        self.assertEqual(set(measured(event(cache="hit", input_tokens=None))), {"http.server.request.duration"})

    def test_background(self) -> None:
        """What nobody waited for is no request of a client's."""
        found = measured(good(details={"background": "revalidation"}))
        self.assertNotIn("http.server.request.duration", found)
        self.assertIn("http.client.request.duration", found)

    def test_embeddings(self) -> None:
        """Embeddings are an operation of their own in the latest conventions."""
        found = measured(good(path="/v1/embeddings", output_tokens=None), semconv="latest")
        embedding = {name for name in found if "embeddings" in name}
        self.assertEqual(
            embedding, {"gen_ai.client.embeddings.duration", "gen_ai.client.embeddings.operation.input_tokens"}
        )
        self.assertNotIn("gen_ai.client.inference.duration", found)
        agents = measured(good(path="/v1/threads/t/runs"), semconv="latest")
        self.assertIn("gen_ai.client.operation.duration", agents)
        both = measured(good(path="/v1/threads/t/runs"))["gen_ai.client.operation.duration"]
        self.assertEqual([series.count for _, series in both], [1])

    def test_instruments(self) -> None:
        """No two have the same name, so that no receiver gets one twice."""
        self.assertEqual(len({each.name for each in INSTRUMENTS}), len(INSTRUMENTS))

    def test_exemplars(self) -> None:
        """The slowest of each series names its trace, until it has gone out; what is not kept names none."""
        metrics = Metrics("latest")
        trace = {"trace_id": "a" * 32, "trace_sampled": True}
        for span, took in (("1", 100.0), ("2", 900.0), ("3", 500.0)):
            metrics.add(good(**trace, span_id=span * 16, duration_ms=took))
        metrics.add(good(trace_id="b" * 32, span_id="4" * 16, trace_sampled=False, duration_ms=5000.0))
        metrics.add(good(duration_ms=5000.0))
        (server,) = (series for one, series in metrics.measured.items() if one.name == "http.server.request.duration")
        (series,) = server.values()
        self.assertEqual(series.exemplar, (0.9, (1_796_000_000_250_000_000, "a" * 32, "2" * 16)))
        metrics.forget_exemplars()
        self.assertIsNone(series.exemplar)


class BoundTests(SynchronousTestCase):
    def test_made_up_models(self) -> None:
        """Names that clients make up are few; one that has answered is known whatever was tried before."""
        metrics = Metrics("latest")
        bad = AttemptMade(provider="openai", status=404)
        for number in range(500):
            metrics.add(good(attempts_made=[bad], model=f"x{number}", served_model="", input_tokens=None))
        metrics.add(good())
        (found,) = (series for one, series in metrics.measured.items() if one.name.endswith("inference.duration"))
        models = [dict(key)["gen_ai.request.model"] for key in found]
        self.assertEqual(len(models), MOST_TRIED + 2)
        self.assertEqual(models[-2:], ["_OTHER", "gpt-5"])

    def test_no_text(self) -> None:
        """A name that is no text, or has no end, keeps no metrics from being written."""
        found = measured(good(model="a\ud800", served_model="b\udfff" * 1000))["gen_ai.client.operation.duration"]
        ((attributes, _),) = found
        self.assertEqual(attributes["gen_ai.request.model"], "a?")
        self.assertEqual(len(attributes["gen_ai.response.model"].encode()), 256)

    def test_models(self) -> None:
        """So many have answered; the rest is counted together."""
        metrics = Metrics("latest")
        for number in range(MOST_MODELS + 10):
            metrics.add(good(model=f"x{number}", served_model=""))
        (found,) = (series for one, series in metrics.measured.items() if one.name.endswith("inference.duration"))
        self.assertEqual(len(found), MOST_MODELS + 1)

    def test_series(self) -> None:
        """A metric has so many series; what is beyond stands in one, as OpenTelemetry has it."""
        metrics = Metrics("latest")
        for number in range(MOST_SERIES + 100):
            metrics.add(event(endpoint=f"/{number}"))
        (found,) = metrics.measured.values()
        self.assertEqual(len(found), MOST_SERIES)
        self.assertEqual(found[(("otel.metric.overflow", True),)].count, 101)


class DeltaTests(SynchronousTestCase):
    def test_take(self) -> None:
        """What is taken is not there any more; what is given back is, with what came meanwhile."""
        metrics = Metrics("both")
        metrics.add(good())
        taken = metrics.take()
        self.assertEqual(metrics.measured, {})
        metrics.add(good(duration_ms=3000.0))
        metrics.give_back(taken)
        (series,) = metrics.measured[next(iter(taken))].values()
        self.assertEqual((series.count, series.total, series.least, series.most), (2, 4.0, 1.0, 3.0))
        self.assertEqual(sum(series.counts), 2)

    @given(st.lists(st.floats(0, 100), min_size=1), st.lists(st.floats(0, 100), min_size=1))
    def test_merge(self, one: list[float], other: list[float]) -> None:
        """Parts that are merged are what would have been measured at once."""
        bounds = (1.0, 10.0)
        parts = [Series([0] * 3) for _ in range(3)]
        for part, values in zip(parts, (one, other, [*one, *other]), strict=True):
            for value in values:
                part.add(value, bounds)
        parts[0].merge(parts[1])
        self.assertEqual((parts[0].counts, parts[0].count), (parts[2].counts, parts[2].count))
        self.assertEqual((parts[0].least, parts[0].most), (parts[2].least, parts[2].most))
