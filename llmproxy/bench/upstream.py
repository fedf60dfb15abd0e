"""
The upstream for benchmarks: as fast as Python answers, so that what is measured is the proxy.

C{POST} to any path is answered with a completion of some 300 bytes; C{?sse=N&interval=ms} (or
C{"stream":true} in the body) with a stream of stamped events; C{/bytes/N} with N bytes; C{/sink} counts an
upload. It trusts its clients: it is for measuring, and listens on this machine only.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from heapq import heappop, heappush

from .answers import (
    CACHEABLE,
    COMPLETION,
    STREAM_END,
    STREAM_HEAD,
    Pace,
    Plan,
    bytes_head,
    event,
    plan_of,
    received,
    wants_stream,
)
from .framing import HEAD_LIMIT, Chunks
from .proc import allow_descriptors

READ = 262144
BLOCK = memoryview(b"\0" * 262144)
HEADS_LIMIT = 256
"""Heads whose plan is remembered. A gateway that numbers its requests makes each one new."""

QUEUE_LIMIT = 1 << 20
"""Bytes that wait for a slow reader of a stream before its events are held back."""

clock = time.monotonic_ns


class Connection:
    """
    @ivar plan: of the request that is being read or answered.
    @ivar answering: the answer has begun and is not all handed over.
    @ivar closing: it ends when C{out} is sent.
    @ivar left: of a stream, the events still to make; of a download, the bytes still to send.
    @ivar out: bytes that the socket did not take.
    """

    __slots__ = ("answering", "buffer", "chunks", "closing", "due", "left", "out", "plan", "received", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.out = b""
        self.plan: Plan | None = None
        self.chunks: Chunks | None = None
        self.received = 0
        self.left = 0
        self.due = 0
        self.answering = False
        self.closing = False


class Upstream:
    """Serves one listening socket; L{turn} again and again."""

    def __init__(self, listener: socket.socket, pace: Pace) -> None:
        self._listener = listener
        self._pace = pace
        self._plans: dict[bytes, Plan] = {}
        self._live: dict[int, Connection] = {}
        self._timers: list[tuple[int, int, Connection]] = []
        self._made = 0
        self._poller = select.epoll()
        listener.setblocking(False)
        self._poller.register(listener.fileno(), select.EPOLLIN)

    def turn(self, longest: float) -> None:
        """Wait for something to do, C{longest} seconds at most, and do it."""
        for fd, what in self._poller.poll(self._until_due(longest)):
            connection = self._live.get(fd)
            if connection is None:
                if fd == self._listener.fileno():
                    self._accept()
            else:
                self._attend(connection, what)
        if self._timers:
            self._make_events()

    def close(self) -> None:
        for connection in list(self._live.values()):
            self._close(connection)
        self._listener.close()
        self._poller.close()

    def _until_due(self, longest: float) -> float:
        if not self._timers:
            return longest
        return max(0.0, min(longest, (self._timers[0][0] - clock()) / 1e9))

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.adopt(sock)

    def adopt(self, sock: socket.socket) -> None:
        """Serve this connection too."""
        sock.setblocking(False)
        self._live[sock.fileno()] = Connection(sock)
        self._poller.register(sock.fileno(), select.EPOLLIN)

    def _attend(self, connection: Connection, what: int) -> None:
        if what & select.EPOLLOUT:
            self._resume(connection)
            if what == select.EPOLLOUT or connection.sock.fileno() < 0:
                return
        try:
            data = connection.sock.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
        elif connection.plan is None and not connection.buffer and self._simple(connection, data):
            return
        elif connection.answering and len(connection.buffer) > HEAD_LIMIT:
            self._close(connection)
        else:
            connection.buffer += data
            self._progress(connection)

    def _simple(self, connection: Connection, data: bytes) -> bool:
        """The whole of a request whose head was seen before, and that wants a completion."""
        end = data.find(b"\r\n\r\n") + 4
        plan = self._plans.get(data[:end])
        if plan is None or plan.kind != "completion" or len(data) - end != plan.length:
            return False
        if plan.close or wants_stream(data):
            return False
        self._send(connection, COMPLETION)
        return True

    def _progress(self, connection: Connection) -> None:
        """Read as many requests as are there and can be answered in full."""
        while connection.sock.fileno() >= 0 and not connection.answering:
            if connection.plan is None and not self._head(connection):
                return
            if not self._body(connection):
                return
            self._answer(connection)

    def _head(self, connection: Connection) -> bool:
        data = connection.buffer
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(data) > HEAD_LIMIT:
                self._close(connection)
            return False
        try:
            plan = plan_of(data[:end], self._pace)
        except ValueError:
            self._close(connection)
            return False
        if len(self._plans) >= HEADS_LIMIT:
            self._plans.clear()
        self._plans[data[:end]] = connection.plan = plan
        connection.buffer = data[end:]
        connection.received = 0
        connection.chunks = Chunks() if plan.length is None else None
        if plan.expects:
            self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _body(self, connection: Connection) -> bool:
        """Take what is there of the body; whether it is complete. Small ones stay in the buffer till then."""
        plan = connection.plan
        assert plan is not None
        data = connection.buffer
        if connection.chunks is not None:
            return self._chunked_body(connection, connection.chunks)
        assert plan.length is not None
        if plan.kind == "completion" and plan.length <= READ:
            return len(data) >= plan.length
        taken = min(len(data), plan.length - connection.received)
        connection.received += taken
        connection.buffer = data[taken:]
        return connection.received == plan.length

    def _chunked_body(self, connection: Connection, chunks: Chunks) -> bool:
        try:
            content = chunks.feed(connection.buffer)
        except ValueError:
            self._close(connection)
            return False
        connection.received += len(content)
        connection.buffer = chunks.rest
        if chunks.done and len(content) <= READ and wants_stream(content):
            assert connection.plan is not None
            connection.plan = self._streamed(connection.plan)
        return chunks.done

    def _streamed(self, plan: Plan) -> Plan:
        return plan._replace(kind="stream", amount=self._pace.amount, interval=self._pace.interval)

    def _answer(self, connection: Connection) -> None:
        plan = connection.plan
        assert plan is not None
        if plan.kind == "completion" and plan.length and plan.length <= READ:
            body, connection.buffer = connection.buffer[: plan.length], connection.buffer[plan.length :]
            plan = self._streamed(plan) if wants_stream(body) else plan
            connection.plan = plan
        if plan.kind == "stream":
            self._start_stream(connection, plan)
        elif plan.kind == "bytes":
            connection.answering = True
            connection.left = plan.amount
            self._send(connection, bytes_head(plan.amount))
            self._resume(connection)
        else:
            whole = {"completion": COMPLETION, "cacheable": CACHEABLE}.get(plan.kind)
            self._send(connection, whole or received(connection.received))
            self._done(connection)

    def _start_stream(self, connection: Connection, plan: Plan) -> None:
        connection.answering = True
        connection.left = plan.amount
        connection.due = clock()
        self._send(connection, STREAM_HEAD)
        self._schedule(connection)

    def _schedule(self, connection: Connection) -> None:
        self._made += 1
        heappush(self._timers, (connection.due, self._made, connection))

    def _make_events(self) -> None:
        now = clock()
        timers = self._timers
        due = []
        while timers and timers[0][0] <= now:
            due.append(heappop(timers)[2])
        for connection in due:
            if connection.sock.fileno() >= 0:
                self._next_event(connection)

    def _next_event(self, connection: Connection) -> None:
        plan = connection.plan
        assert plan is not None
        if connection.left <= 0:
            self._send(connection, STREAM_END)
            self._done(connection)
            self._progress(connection)
            return
        if len(connection.out) < QUEUE_LIMIT:
            connection.left -= 1
            self._send(connection, event(clock()))
        if connection.sock.fileno() >= 0:
            self._wait_for_next(connection, plan.interval)

    def _wait_for_next(self, connection: Connection, interval: int) -> None:
        """On the beat. A reader that holds us up gets one interval of arrears at most."""
        held_up = len(connection.out) >= QUEUE_LIMIT
        connection.due = max(connection.due + interval, clock() - interval)
        if held_up and not interval:
            connection.due += 1_000_000
        self._schedule(connection)

    def _done(self, connection: Connection) -> None:
        plan, connection.plan = connection.plan, None
        connection.answering = False
        assert plan is not None
        connection.closing = plan.close
        if plan.close and not connection.out:
            self._close(connection)

    def _send(self, connection: Connection, data: bytes) -> None:
        if connection.out:
            connection.out += data
            return
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        if sent < len(data):
            connection.out = data[sent:]
            self._poller.modify(connection.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _resume(self, connection: Connection) -> None:
        """There is room: send what waits, then what there is of a download."""
        downloading = connection.plan is not None and connection.plan.kind == "bytes"
        if connection.out:
            out, connection.out = connection.out, b""
            self._send(connection, out)
        elif downloading:
            self._download(connection)
        if connection.out or downloading or connection.sock.fileno() < 0:
            return
        self._poller.modify(connection.sock.fileno(), select.EPOLLIN)
        if connection.closing:
            self._close(connection)

    def _download(self, connection: Connection) -> None:
        try:
            connection.left -= connection.sock.send(BLOCK[: connection.left])
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)
            return
        if connection.left:
            self._poller.modify(connection.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            return
        self._poller.modify(connection.sock.fileno(), select.EPOLLIN)
        self._done(connection)
        self._progress(connection)

    def _close(self, connection: Connection) -> None:
        fd = connection.sock.fileno()
        if fd >= 0:
            del self._live[fd]
            connection.sock.close()


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """@raise OSError: the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(4096)
    return listener


def serve(port: int, pace: Pace) -> None:
    """Serve until the standard input ends: it does not outlive who started it. Says its port first."""
    allow_descriptors()
    listener = listen(port)
    upstream = Upstream(listener, pace)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    watch = select.poll()
    watch.register(sys.stdin, select.POLLIN)
    checked = clock()
    while True:
        upstream.turn(0.5)
        if clock() - checked > 500_000_000:
            checked = clock()
            if watch.poll(0) and not os.read(sys.stdin.fileno(), 4096):
                return


if __name__ == "__main__":
    serve(int(sys.argv[1]), Pace(int(sys.argv[2]), int(float(sys.argv[3]) * 1e6)))
