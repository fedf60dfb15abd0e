"""
A process with the sinks of a proxy and events of its own.

C{python -m tests.sinkrun.sender PORT DIRECTORY FIRST COUNT RATE} says on standard output which events it has
published, and at its end what its sinks know.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from llmproxy.app.events import Events
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.notices import notice
from llmproxy.core.masking import Masking

EVERY = 0.02


def sinks(port: int, directory: str) -> list[SinkConfig]:
    """A webhook and a file, as a configuration would have them, with little patience."""
    hook = {"url": f"http://127.0.0.1:{port}/in", "secret": "secret"}
    path = os.path.join(directory, "events.jsonl")
    file = {"path": path, "max_size": 256 * 1024, "keep": 1000}
    return [
        SinkConfig("hook", "http", flush_interval=0.05, timeout=3.0, queue=2000, directory=directory, settings=hook),
        SinkConfig("log", "file", flush_interval=0.05, directory=directory, settings=file),
    ]


class Sending:
    """
    @param first: the number of the first event.
    @param rate: events a second.
    """

    def __init__(self, port: int, directory: str, first: int, count: int, rate: int) -> None:
        self._next, self._end = first, first + count
        self._stopping = False
        self._step = max(1, int(rate * EVERY))
        self._events = Events(reactor, sinks(port, directory), Masking(), "")

    def start(self) -> None:
        self._events.start()
        reactor.addSystemEventTrigger("before", "shutdown", self.stop)  # type: ignore[attr-defined]
        self._send()

    def _send(self) -> None:
        if self._stopping:
            return
        numbers = range(self._next, min(self._next + self._step, self._end))
        now = reactor.seconds()  # type: ignore[attr-defined]
        if numbers:
            self._events.publish([notice("exchange", now, lambda n=n: f"e-{n}", status=200) for n in numbers])  # type: ignore[misc]
            self._next = numbers.stop
            print("published", numbers.stop, flush=True)
        reactor.callLater(EVERY, self._send)  # type: ignore[attr-defined]

    def stop(self) -> Deferred[Any]:
        self._stopping = True
        return Deferred.fromCoroutine(self._events.stop()).addCallback(self._say)

    def _say(self, result: object) -> None:
        for report in self._events.reports():
            print("sink", report.name, report.delivered, report.dead, report.lost, report.spooled, flush=True)


def main() -> None:
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    port, first, count, rate = (int(sys.argv[number]) for number in (1, 3, 4, 5))
    sending = Sending(port, sys.argv[2], first, count, rate)
    reactor.callWhenRunning(sending.start)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
