"""Server-sent events, one after the other with a pause between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.server import Request


def event(data: Any, name: str = "") -> bytes:
    """One event; a named one as Anthropic sends it."""
    head = f"event: {name}\n" if name else ""
    body = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return f"{head}data: {body}\n\n".encode()


class EventWriter:
    """
    Writes events until there are none or the client leaves; a slow reader pauses it.

    @param pause: seconds between two events.
    """

    def __init__(self, clock: IReactorTime, request: Request, events: Iterable[bytes], pause: float) -> None:
        self._clock = clock
        self._request = request
        self._events: Iterator[bytes] = iter(events)
        self._pause = pause
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        request = self._request
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"cache-control", b"no-cache")
        request.notifyFinish().addErrback(lambda _: self.stopProducing())
        request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        if self._call is None:
            self._call = self._clock.callLater(0, self._next)

    def pauseProducing(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def stopProducing(self) -> None:
        self.pauseProducing()
        self._events = iter(())

    def _next(self) -> None:
        self._call = None
        following = next(self._events, None)
        if following is None:
            self._request.unregisterProducer()
            self._request.finish()
            return
        # Armed before the write, which may pause it.
        self._call = self._clock.callLater(self._pause, self._next)
        self._request.write(following)
