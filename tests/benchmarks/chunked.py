"""
An upstream whose downloads say nothing of their length: C{…/N} brings N bytes, and a few more, in chunks of 64 KiB.

It prints its port, and ends with its standard input.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

SIZE = 65536
CHUNK = b"%x\r\n%b\r\n" % (SIZE, bytes(SIZE))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def answer(sock: socket.socket) -> None:
    """Serve one connection, of requests that have no body."""
    buffer = b""
    while data := sock.recv(SIZE):
        buffer += data
        while b"\r\n\r\n" in buffer:
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            size = int(head.split(b" ", 2)[1].partition(b"?")[0].rpartition(b"/")[2])
            sock.sendall(HEAD)
            for _ in range(-(-size // SIZE)):
                sock.sendall(CHUNK)
            sock.sendall(END)


def serve(listener: socket.socket) -> None:
    while True:
        Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()


def serve_one(sock: socket.socket) -> None:
    with suppress(OSError):
        answer(sock)


@contextmanager
def chunked_upstream() -> Iterator[int]:
    """It, in a process of its own: its port."""
    process = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    Thread(target=serve, args=(listening,), daemon=True).start()
    sys.stdin.read()
