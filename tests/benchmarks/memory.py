"""
What bodies and streams cost in memory: C{python -m tests.benchmarks.memory}.

It prints a table: a gigabyte down to a reader that pauses, a gigabyte up, and many streams held at once;
each directly, through nginx where it is installed (told to stream both ways, as we do), and through the proxy,
with the proxy's memory above what it has when idle.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import threading
import time
from contextlib import ExitStack

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream

from .proxied import Running, running_proxy
from .throughput import nginx

STREAMING = "proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;"

MIB = 2**20
BLOCK = bytes(256 * 1024)


def connect(port: int, request: str, token: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(60)
    sock.sendall(f"{request}\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n".encode())
    return sock


def download(port: int, token: str, size: int, pause: float) -> float:
    """Read C{size} bytes, sleeping C{pause} seconds after each 8 MiB; the seconds that it took."""
    sock = connect(port, f"GET /bytes/{size} HTTP/1.1", token)
    sock.sendall(b"\r\n")
    began, left, since = time.perf_counter(), size, 0
    buffer = bytearray(MIB)
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 200"), head
    while left > 0:
        count = sock.recv_into(buffer)
        assert count, f"cut with {left} bytes to come"
        left -= count
        since += count
        if pause and since >= 8 * MIB:
            since = 0
            time.sleep(pause)
    sock.close()
    return time.perf_counter() - began


def upload(port: int, token: str, size: int) -> float:
    sock = connect(port, "POST /sink HTTP/1.1", token)
    sock.sendall(f"Content-Length: {size}\r\n\r\n".encode())
    began, left = time.perf_counter(), size
    while left > 0:
        left -= sock.send(BLOCK[: min(left, len(BLOCK))])
    answer = sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    sock.close()
    return time.perf_counter() - began


def hold(port: int, token: str, count: int, rounds: int) -> tuple[int, list[socket.socket]]:
    """Open C{count} streams and read each of them C{rounds} times: how many brought events each time; the streams."""
    streams = []
    for _ in range(count):
        sock = connect(port, "POST /v1/chat/completions?sse=100000&interval=200 HTTP/1.1", token)
        sock.sendall(b"Content-Length: 2\r\n\r\n{}")
        streams.append(sock)
    alive = set(streams)
    for _ in range(rounds):
        time.sleep(0.5)
        alive = {sock for sock in alive if b"data:" in sock.recv(65536)}
    return len(alive), streams


def row(name: str, direct: str, beside: str, through: str, above: float) -> None:
    print(f"| {name} | {direct} | {beside} | {through} | {above / MIB:.1f} MiB |")
    sys.stdout.flush()


def measured(proxy: Running, work: object) -> float:
    """Bytes above idle at most while C{work} runs in a thread."""
    time.sleep(0.3)
    idle = proxy.resident()
    proxy.forget_peak()
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    thread.join()
    return proxy.peak() - idle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="size of a body")
    parser.add_argument("--streams", type=int, default=500)
    options = parser.parse_args()
    allow_descriptors()
    size = options.mib * MIB
    with ExitStack() as running:
        upstream, _ = running.enter_context(fast_upstream())
        proxy = running.enter_context(running_proxy(upstream))
        beside = running.enter_context(nginx(upstream, STREAMING))[0] if shutil.which("nginx") else 0
        # The first request imports and connects; that is no cost of a body.
        download(proxy.port, proxy.token, 1000, 0)
        time.sleep(0.5)
        print(f"idle: {proxy.resident() / MIB:.1f} MiB\n")
        print("| what | direct | through nginx | through the proxy | above idle at most |\n|---|---|---|---|---|")
        for name, move in (
            (f"{options.mib} MiB down, slow reader", lambda port, token: download(port, token, size, 0.02)),
            (f"{options.mib} MiB down", lambda port, token: download(port, token, size, 0.0)),
            (f"{options.mib} MiB up", lambda port, token: upload(port, token, size)),
        ):
            took: list[float] = []
            direct = rate(size, move(upstream, ""))
            nginxs = rate(size, move(beside, "")) if beside else "-"
            above = measured(proxy, lambda move=move, took=took: took.append(move(proxy.port, proxy.token)))
            row(name, direct, nginxs, rate(size, took[0]), above)
        _streams(proxy, upstream, options.streams)


def _streams(proxy: Running, upstream: int, count: int) -> None:
    direct, held = hold(upstream, "", count, 6)
    for sock in held:
        sock.close()
    results: list[tuple[int, list[socket.socket]]] = []
    above = measured(proxy, lambda: results.append(hold(proxy.port, proxy.token, count, 6)))
    through, held = results[0]
    row(f"{count} streams at once", f"{direct} brought events", "-", f"{through} brought events", above)
    print(f"\none stream: {above / count / 1024:.1f} KiB")
    for sock in held:
        sock.close()
    time.sleep(1.0)
    print(f"after: {proxy.resident() / MIB:.1f} MiB")


def rate(size: int, seconds: float) -> str:
    return f"{size / seconds / 1e6:,.0f} MB/s"


if __name__ == "__main__":
    main()
