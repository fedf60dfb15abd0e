"""
What to compare with: a stock L{Site} and a stock treq client that do nothing but forward.

C{python -m tests.benchmarks.stock PORT UPSTREAM_PORT}: no tokens, no rules, no records, no streaming.
"""

from __future__ import annotations

import sys
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor as global_reactor
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Forward(Resource):
    isLeaf = True

    def __init__(self, reactor: Any, upstream: str) -> None:
        super().__init__()
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = 256
        self._client = HTTPClient(Agent(reactor, pool=pool))
        self._upstream = upstream

    def render(self, request: Any) -> int:
        headers = {"Content-Type": request.getHeader("content-type") or "application/json"}
        url = self._upstream + request.uri.decode("ascii")
        body = request.content.read()
        asking = self._client.request(request.method.decode("ascii"), url, headers=headers, data=body)
        asking.addCallback(self._head, request)
        return NOT_DONE_YET

    def _head(self, response: Any, request: Any) -> Any:
        request.setResponseCode(response.code)
        for name, values in response.headers.getAllRawHeaders():
            request.responseHeaders.setRawHeaders(name, values)
        return response.content().addCallback(self._body, request)

    def _body(self, body: bytes, request: Any) -> None:
        if request.channel is not None:
            request.write(body)
            request.finish()


def main(port: str, upstream: str) -> None:
    reactor: Any = global_reactor
    site = Site(Forward(reactor, f"http://127.0.0.1:{upstream}"), reactor=reactor)
    reactor.listenTCP(int(port), site, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
