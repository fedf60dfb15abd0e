"""Receivers of events: real servers that note what they get, and can be away."""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Inbox(Resource):
    """
    @ivar batches: bodies that were taken, decoded, with their header fields.
    @ivar status: what is answered; 0 is nothing at all.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[dict[str, str], Any]] = []
        self.raw: list[bytes] = []
        self.status = 200
        self.answer = b'{"ok":true}'
        self.poison: set[str] = set()

    def render_POST(self, request: Any) -> Any:
        body = request.content.read()
        if request.getHeader("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if not self.status:
            return NOT_DONE_YET
        status = self.status
        if status < 300 and self.poison and any(each["id"] in self.poison for each in json.loads(body)):
            status = 422
        request.setResponseCode(status)
        if status < 300:
            fields = {
                name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
            }
            self.raw.append(body)
            self.batches.append((fields, json.loads(body)))
        return self.answer

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, batch in self.batches for event in batch]


class Receiver:
    """A server at a port of its own, which can go away and come back."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.port = 0
        self._listening: Any = None

    async def start(self, certificate: tuple[str, str] | None = None) -> None:
        """At the port where it was, or at a free one; over TLS with the files of a certificate and its key."""
        endpoint: Any = TCP4ServerEndpoint(reactor, self.port, interface="127.0.0.1")
        if certificate is not None:
            context = DefaultOpenSSLContextFactory(certificate[1], certificate[0])
            endpoint = SSL4ServerEndpoint(reactor, self.port, context, interface="127.0.0.1")
        self._site = Site(self.inbox)
        self._listening = await endpoint.listen(self._site)
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    async def until(self, count: int, seconds: float = 10.0) -> None:
        """Wait until so many different events are there."""
        for _ in range(int(seconds / 0.02)):
            if len({event["id"] for event in self.inbox.events}) >= count:
                return
            await pause(0.02)
        raise AssertionError(f"{len(self.inbox.events)} events of {count} came")


def pause(seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds, lambda: None)
