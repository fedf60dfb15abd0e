"""A receiver of webhooks that is not to be relied on: C{python -m tests.sinkrun.receiver PORT LOG SEED}."""

from __future__ import annotations

import json
import os
import random
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

POISONED_EVERY = 997
"""The numbers of events that it never takes are multiples of this."""


def is_poisoned(id: str) -> bool:
    number = int(id.rpartition("-")[2])
    return number % POISONED_EVERY == 0


class Unreliable(Resource):
    """What it takes is on disk before it answers, and then its answer may be lost."""

    isLeaf = True

    def __init__(self, log: str, chance: random.Random) -> None:
        super().__init__()
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._chance = chance

    def render_POST(self, request: Any) -> Any:
        ids = [event["id"] for event in json.loads(request.content.read())]
        luck = self._chance.random()
        if any(map(is_poisoned, ids)):
            request.setResponseCode(422)
            return b"never"
        if luck < 0.03:
            request.setResponseCode(503)
            return b"later"
        if luck < 0.05:
            request.setResponseCode(429)
            request.setHeader("retry-after", "0")
            return b"slowly"
        if luck < 0.06:
            return NOT_DONE_YET
        os.write(self._log, "".join(f"{id}\n" for id in ids).encode())
        if luck < 0.08:
            request.transport.abortConnection()
            return NOT_DONE_YET
        return b"thanks"


def main() -> None:
    port, log, seed = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    site = Site(Unreliable(log, random.Random(seed)))
    TCP4ServerEndpoint(reactor, port, interface="127.0.0.1").listen(site).addErrback(lambda reason: os._exit(1))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
