"""
What request bodies that are held back until they are checked take of memory, and give back:
C{python -m tests.benchmarks.withheld}.

Forty connections send 10 MiB of JSON each at once to an API with a C{param_whitelist}, all but their last byte; then
all of them complete. It prints how many were answered, how many were refused with 503, and the proxy's memory above
idle: at most, and two seconds after the end. C{--content} chooses what is in them: long texts, or what is dearest to
parse.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from contextlib import ExitStack, suppress

from llmproxy.bench.proc import allow_descriptors
from llmproxy.bench.processes import fast_upstream

from .memory import MIB, connect
from .proxied import Running, running_proxy

SETTINGS = """\
    param_whitelist: {{model: ["demo"]}}
    max_inspected_body: 32MiB
limits: {{withheld: {withheld}MiB}}
"""

CONTENTS = {"text": b'"' + b"x" * 998 + b'",', "arrays": b"[]," * 333, "numbers": b"1," * 500}


def body(size: int, kind: str) -> bytes:
    head, tail = b'{"model":"demo","x":[', b"0]}"
    unit = CONTENTS[kind]
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def begin(proxy: Running, content: bytes) -> socket.socket:
    sock = connect(proxy.port, "POST /sink HTTP/1.1", proxy.token)
    sock.sendall(f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode())
    with suppress(OSError):
        sock.sendall(content[:-1])
    return sock


def status(sock: socket.socket) -> int:
    with suppress(OSError):
        sock.sendall(b"}")
    try:
        return int(sock.recv(4096).split()[1])
    except (OSError, IndexError):
        return 0


def together(work: list[object]) -> None:
    threads = [threading.Thread(target=each) for each in work]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=40)
    parser.add_argument("--mib", type=int, default=10)
    parser.add_argument("--withheld", type=int, default=64, help="MiB, the setting limits.withheld")
    parser.add_argument("--content", choices=sorted(CONTENTS), default="text")
    options = parser.parse_args()
    allow_descriptors()
    with ExitStack() as running:
        upstream, _ = running.enter_context(fast_upstream())
        settings = SETTINGS.format(withheld=options.withheld)
        proxy = running.enter_context(running_proxy(upstream, settings=settings))
        content = body(options.mib * MIB, options.content)
        status(begin(proxy, body(1000, "text")))
        time.sleep(0.5)
        idle = proxy.resident()
        proxy.forget_peak()
        socks: list[socket.socket] = []
        statuses: list[int] = []
        together([lambda: socks.append(begin(proxy, content))] * options.connections)
        held = proxy.resident() - idle
        together([lambda sock=sock: statuses.append(status(sock)) for sock in socks])
        for sock in socks:
            sock.close()
        time.sleep(2)
        found = ", ".join(f"{statuses.count(each)} with {each or 'a reset'}" for each in sorted(set(statuses)))
        print(f"{options.connections} bodies of {options.mib} MiB ({options.content}): answered {found}")
        print(f"idle {idle / MIB:.0f} MiB; above it held {held / MIB:.0f}, at most {(proxy.peak() - idle) / MIB:.0f},")
        print(f"2 s after the end {(proxy.resident() - idle) / MIB:.0f} MiB")


if __name__ == "__main__":
    main()
