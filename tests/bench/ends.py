"""The other ends of a load's connections, held by the test, and a clock that only reads move."""

from __future__ import annotations

import socket

from llmproxy.bench.slots import Slots
from llmproxy.bench.values import LoadSpec

REQUEST = "POST /v1 HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Ends:
    """
    Connects to itself.

    @ivar peers: the server's ends, in the order of the connections.
    @ivar refuses: no more connections are taken.
    """

    def __init__(self) -> None:
        self.peers: list[socket.socket] = []
        self.refuses = False

    def connect(self, spec: LoadSpec) -> socket.socket:
        if self.refuses:
            raise ConnectionRefusedError
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.peers.append(theirs)
        return ours

    def slots(self, spec: LoadSpec) -> Slots:
        return Slots(spec, self.connect)

    def asked(self) -> list[int]:
        """How many requests each end has got since it was asked last."""
        return [self._taken(peer).count(REQUEST.encode()) for peer in self.peers]

    def _taken(self, peer: socket.socket) -> bytes:
        try:
            return peer.recv(65536)
        except OSError:
            return b""

    def answer(self, data: bytes = OK) -> None:
        """Every end that is open says this."""
        for peer in self.peers:
            if peer.fileno() >= 0:
                peer.send(data)

    def answer_asked(self) -> int:
        """Answer each request that has come; how many there were."""
        asked = self.asked()
        for peer, count in zip(self.peers, asked, strict=True):
            if count:
                peer.send(OK * count)
        return sum(asked)

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


class Ticking:
    """
    Nanoseconds; each look at it takes C{tick}.

    @ivar now: what it shows next.
    """

    def __init__(self, tick: int = 1000) -> None:
        self.now = 1_000_000_000
        self._tick = tick

    def __call__(self) -> int:
        self.now += self._tick
        return self.now
