"""
What OpenTelemetry costs: microseconds of the processor for an exchange, on its path and behind it.

C{python -m tests.benchmarks.otlp}; each figure is the best of its rounds, since others use the machine too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import msgspec

from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.telemetry.metrics import Metrics
from llmproxy.core.telemetry.otlpoptions import OtlpOptions
from llmproxy.core.telemetry.spans import spans_of
from llmproxy.core.telemetry.traces import Traces, TracingOptions
from llmproxy.core.telemetry.wire import trace_request
from llmproxy.sinks.otlpexport import resource_of

from ..core.events.samples import full_record
from ..core.telemetry.test_wire import by_sdk
from ..harness import Exchange
from ..test_cost import ANSWER, REQUEST

ROUNDS, EXCHANGES = 7, 300


def best(work: Callable[[], object], count: int = EXCHANGES) -> float:
    """Microseconds of the processor for one of C{count}."""
    times = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return min(times) / count * 1e6


def exchanges(traces: Traces | None) -> Callable[[], object]:
    """Small POSTs through a whole proxy in memory."""
    exchange = Exchange(traces=traces)
    client = exchange.client()

    def work() -> None:
        for _ in range(EXCHANGES):
            client.receive(REQUEST)
            exchange.upstream[0].receive(ANSWER)
        exchange.records.clear()
        client.take()

    client.receive(REQUEST)
    exchange.upstream[0].receive(ANSWER)
    return work


def main() -> None:
    bits = Random(1).getrandbits
    off = best(exchanges(None))
    on = best(exchanges(Traces(TracingOptions(), bits)))
    added = best(exchanges(Traces(TracingOptions("add"), bits)))
    print(f"a small POST in memory         {off:7.1f} us")
    print(f"  traced                     {on - off:+9.1f} us ({(on - off) / off:+.1%})")
    print(f"  traced, traceparent: add   {added - off:+9.1f} us ({(added - off) / off:+.1%})")
    records = [full_record(entry_id=str(number), part_of=None) for number in range(EXCHANGES)]
    for record in records:
        record.calls = (record.calls or [])[1:]
    print(f"its event                      {best(lambda: [event_of_record(each) for each in records]):7.1f} us")
    events = [event_of_record(each) for each in records]
    assert all(isinstance(each, msgspec.Struct) for each in events)
    print(f"its two spans                  {best(lambda: [spans_of(each, 'both') for each in events]):7.1f} us")
    spans = [span for each in events for span in spans_of(each, "both")]
    resource, scope = dict(resource_of({}).attributes), ("llmproxy", "", "")
    written = best(lambda: trace_request(spans, resource, scope))  # type: ignore[arg-type]
    size = len(trace_request(spans, resource, scope)) // EXCHANGES  # type: ignore[arg-type]
    print(f"  as they go out               {written:7.1f} us, {size} bytes before compression")
    print(f"  the same by the SDK's encoder{best(lambda: by_sdk(spans).SerializeToString()):7.1f} us")
    for semconv in ("both", "latest", "legacy"):
        metrics = Metrics(semconv)  # type: ignore[arg-type]
        took = best(lambda metrics=metrics: [metrics.add(each) for each in events])  # type: ignore[misc]
        print(f"its metrics, {semconv:<18}{took:7.1f} us")
    assert OtlpOptions().semconv == "both"


if __name__ == "__main__":
    main()
