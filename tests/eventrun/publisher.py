"""
A process that publishes events as the proxy does, with a spool on disk for when Redis is away.

It ends when all of them are in Redis, and prints what it has lost.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet.task import LoopingCall

from llmproxy.config.sinks import SinkConfig
from llmproxy.core.masking import Masking

from .events import DEADLY, POISON, numbered

EVERY = 0.05
"""Seconds between two batches."""


class Publisher:
    """@param scene: C{url}, C{stream}, C{directory}, C{count}, C{rate}, C{poisoned}, C{deadly}."""

    def __init__(self, reactor: Any, scene: dict[str, Any]) -> None:
        from llmproxy.app.events import Events

        settings = {"url": scene["url"], "stream": scene["stream"], "max_len": 0}
        bus = SinkConfig("bus", "redis-streams", flush_interval=0.05, directory=scene["directory"], settings=settings)
        self._reactor = reactor
        self._events = Events(reactor, [bus], Masking(), "")
        self._count, self._rate = scene["count"], scene["rate"]
        self._paths = dict.fromkeys(scene["poisoned"], POISON) | dict.fromkeys(scene["deadly"], DEADLY)
        self._next = 0
        self._looping = LoopingCall(self._publish)

    def start(self) -> None:
        self._events.start()
        self._looping.start(EVERY)

    def _publish(self) -> None:
        until = min(self._count, self._next + max(1, int(self._rate * EVERY)))
        self._events.publish(
            [numbered(number, self._paths.get(number, "/v1/chat/completions")) for number in range(self._next, until)]
        )
        self._next = until
        [report] = self._events.reports()
        if self._next == self._count and report.delivered + report.lost >= self._count:
            self._looping.stop()
            print(json.dumps({"lost": report.lost, "delivered": report.delivered}), flush=True)
            self._reactor.stop()


def main() -> None:
    from twisted.internet import reactor

    publisher = Publisher(reactor, json.loads(sys.argv[1]))
    reactor.callWhenRunning(publisher.start)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
