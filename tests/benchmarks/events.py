"""
What events cost: C{python -m tests.benchmarks.events}.

Small POSTs in memory (L{tests.harness}), one after another, whose usage is read: without a sink, with one that writes a
file, with one that posts batches to a receiver in memory, with both, with a receiver that never answers, with one for
OpenTelemetry, which has each request traced as well, and with a file that has what was asked and answered too, as it is
and redacted. Processor time of requests, records, events, queues, encoding and the sinks themselves, without kernel,
reactor and access log. They take turns in each round; figures are medians of the rounds', so that what else runs on the
machine runs beside all of them.

C{--proxied} measures proxies with their whole chain on, without a sink, with a file, and with a file that has content,
in front of one upstream, in turns: a sink is to take 3 % of the requests a second at most, with content 15 %.

C{--memory} sends events to a receiver that never answers, and says what the process holds of them.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import statistics
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from llmproxy.app.sinks import SinkMaker
from llmproxy.bench.answers import COMPLETION
from llmproxy.bench.processes import fast_upstream, run
from llmproxy.bench.stats import cpu_per_request
from llmproxy.bench.values import Result
from llmproxy.config.capture import CaptureConfig
from llmproxy.config.model import MeterConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.masking import Masking
from llmproxy.core.telemetry.traces import Traces, TracingOptions
from llmproxy.sinks.eventbus import EventBus
from llmproxy.sinks.eventqueue import EventQueue
from llmproxy.sinks.exchangeevents import ExchangeEvents
from llmproxy.sinks.publisher import Publisher

from ..core.events.samples import full_record
from ..harness import Exchange
from .metering import REQUEST, microseconds
from .proxied import running_proxy
from .requests import spec, through

PUBLISHED = 100
"""Requests between two batches of the publisher: 50 ms of 2,000 a second."""


class Receiver:
    """A receiver in memory, behind the interface that the proxy's client has."""

    code = 200
    headers = Headers()

    def __init__(self, answers: bool) -> None:
        self._answers = answers

    def request(self, method: str, url: str, **keywords: Any) -> Deferred[Any]:
        return succeed(self) if self._answers else Deferred()

    def deliverBody(self, protocol: Any) -> None:
        protocol.dataReceived(b'{"ok":true}')
        protocol.connectionLost(Failure(ResponseDone()))


def queues(clock: Clock, directory: str, names: tuple[str, ...]) -> list[EventQueue]:
    """The sinks of these names, as a configuration would have them."""
    settings = {
        "file": {"path": os.path.join(directory, "events.jsonl"), "keep": 0},
        "http": {"url": "http://127.0.0.1:9/in", "secret": "secret"},
        "away": {"url": "http://127.0.0.1:9/in"},
        "otlp": {"endpoint": "http://127.0.0.1:9"},
    }
    if "otlp" in names:
        _answer_exports()
    made = []
    for name in names:
        agent = Receiver(name != "away")
        maker = SinkMaker(clock, lambda agent=agent: agent, execute, Masking(), directory + "/x.db", environment={})  # type: ignore[misc]
        kind = "http" if name == "away" else name
        made.append(maker.queue(SinkConfig(name, kind, settings=settings[name])))
    return made


def _answer_exports() -> None:
    """Have what the sink C{otlp} sends taken at once, without a socket."""
    import requests

    from llmproxy.sinks.otlpexport import _Session

    def send(session: Any, request: Any, **keywords: Any) -> requests.Response:
        session.answer = response = requests.Response()
        response.status_code, response.raw = 200, io.BytesIO()
        return response

    _Session.send = send  # type: ignore[method-assign]


def posts(*names: str, capture: CaptureConfig | None = None) -> Callable[[], object]:
    """One small POST after another, and a batch of the publisher now and then."""
    traces = Traces(TracingOptions(), Random(1).getrandbits) if "otlp" in names else None
    exchange = Exchange(meter=MeterConfig(enabled=True), traces=traces, capture=capture)
    clock, client = exchange.clock, exchange.client()
    bus = EventBus(clock)
    for queue in queues(clock, tempfile.mkdtemp(prefix="events-"), names):
        bus.subscribe(queue.take)
    sinks = [ExchangeEvents(clock, bus, execute)] if names else []
    publisher = Publisher(clock, sinks, masking=None)
    records = exchange.records
    done = [0]

    def once() -> None:
        client.receive(REQUEST)
        exchange.upstream[0].receive(COMPLETION)
        client.sent = exchange.upstream[0].sent = b""
        publisher.publish(records.pop())
        done[0] += 1
        if done[0] % PUBLISHED == 0:
            publisher.flush()

    return once


WORKS: dict[str, Callable[[], Callable[[], object]]] = {
    "none": posts,
    "`file`": partial(posts, "file"),
    "`http`": partial(posts, "http"),
    "`file` and `http`": partial(posts, "file", "http"),
    "`http`, never answered": partial(posts, "away"),
    "`otlp`": partial(posts, "otlp"),
    "`file`, with content": partial(posts, "file", capture=CaptureConfig()),
    "`file`, with content redacted": partial(posts, "file", capture=CaptureConfig(redact=("$.user", "email", "card"))),
}
"""By the sinks, what begins with them, and gives what is done again and again."""


def memory(events: int) -> None:
    """What is held of so many events whose receiver never answers."""
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="events-") as directory:
        [queue] = queues(clock, directory, ("away",))
        tracemalloc.start()
        most = 0
        for number in range(events):
            queue.take([event_of_record(full_record(entry_id=f"{number:032x}"))])
            if number % 100 == 0:
                clock.advance(0.05)
            if number % 10_000 == 0:
                most = max(most, tracemalloc.get_traced_memory()[0])
        held, peak = tracemalloc.get_traced_memory()
        print(f"{events} events: {held / 2**20:.1f} MiB held, {peak / 2**20:.1f} MiB at most;", end=" ")
        print(f"in memory {queue.waiting}, on disk {queue.spooled} ({queue.spooled_bytes / 2**20:.1f} MiB), ", end="")
        print(f"lost {queue.lost}")


def proxied(rounds: int, seconds: float) -> None:
    """Whole proxies with their whole chain on, in turns."""
    found: dict[str, list[Result]] = {"none": [], "file": [], "content": []}
    with ExitStack() as running, tempfile.TemporaryDirectory(prefix="events-") as directory:
        port, _ = running.enter_context(fast_upstream())
        paths = {name: os.path.join(directory, f"{name}.jsonl") for name in found}
        sinks = {
            name: ("    capture: on\n" if name == "content" else "")
            + ("" if name == "none" else f"sinks: [{{name: log, type: file, path: {path}, max_size: 0}}]\n")
            for name, path in paths.items()
        }
        targets = [
            through(name, running.enter_context(running_proxy(port, settings=text))) for name, text in sinks.items()
        ]
        for number in range(rounds):
            for target in targets if number % 2 else targets[::-1]:
                result = run([spec(target, 32, seconds)])
                assert not result.failed, (target.name, result.errors)
                found[target.name].append(result)
        written = {}
        for name in ("file", "content"):
            with open(paths[name], "rb") as file:
                written[name] = sum((b'"response_body"' in line) == (name == "content") for line in file)
    print("| sinks | requests a second | ratio | CPU \u00b5s a request | ratio | events written |")
    print("|---|---|---|---|---|---|")
    for name, results in found.items():
        cells = [name]
        for figure in (lambda result: result.per_second, cpu_per_request):
            ratios = [figure(on) / figure(off) for off, on in zip(found["none"], results, strict=True)]
            cells += [f"{statistics.median(map(figure, results)):.1f}", f"{statistics.median(ratios):.3f}"]
        print("|", " | ".join([*cells, str(written.get(name, 0))]), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=1000, help="in each round, with each of them")
    parser.add_argument("--memory", type=int, metavar="EVENTS", help="send so many to a receiver that never answers")
    parser.add_argument("--proxied", type=int, metavar="ROUNDS", help="measure whole proxies, so many times")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each of those")
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
        return
    if options.proxied:
        proxied(options.proxied, options.seconds)
        return
    gc.disable()
    works = [begin() for begin in WORKS.values()]
    rounds = [[microseconds(once, options.requests) for once in works] for _ in range(options.rounds + 1)][1:]
    print("| sinks | CPU µs a request | more | requests a second |\n|---|---|---|---|")
    for name, times in zip(WORKS, zip(*rounds, strict=True), strict=True):
        more = statistics.median(time - row[0] for time, row in zip(times, rounds, strict=True))
        ratio = statistics.median(row[0] / time for time, row in zip(times, rounds, strict=True))
        print(f"| {name} | {statistics.median(times):.1f} | {more:.1f} | {100 * ratio:.1f} % |")


if __name__ == "__main__":
    main()
